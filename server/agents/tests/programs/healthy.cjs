// Ten healthy shapes, by name: memory that is used a lot, and does not grow for ever.
const { EventEmitter } = require("node:events");

const row = (i) => ({ id: i, values: new Array(24).fill(i + 0.5) });
const rows = (count) => Array.from({ length: count }, (_, i) => row(i));
const bus = new EventEmitter();
bus.setMaxListeners(0);
let kept = [];
let turn = 0;
let batchEnd = 0;
const map = new Map();
const pool = [];

const shapes = {
  // Loads its data in a few steps, and keeps it.
  warmUp() {
    if (turn <= 6) kept.push(...rows(12_000));
  },
  // A cache that is full and replaces its oldest entries.
  boundedCache() {
    for (let i = 0; i < 300; i++) map.set(turn * 300 + i, row(i));
    for (const key of map.keys()) {
      if (map.size <= 20_000) break;
      map.delete(key);
    }
  },
  churn() {
    kept = rows(3000);
  },
  // A batch that grows and is let go, however slow the machine is well within the time between two reports. Its height at three reports
  // in a row rises by chance in one of six looks.
  sawtooth() {
    kept.push(...rows(1500));
    if (Date.now() < batchEnd) return;
    batchEnd = Date.now() + 400;
    kept = [];
  },
  // Buffers that are taken from a pool.
  bufferPool() {
    if (pool.length < 40) pool.push(Buffer.alloc(512 * 1024));
    pool[turn % pool.length].fill(turn);
  },
  bufferChurn() {
    kept = [Buffer.alloc(512 * 1024, turn), Buffer.from("x".repeat(10_000))];
  },
  // A queue that is drained as fast as it is filled.
  queue() {
    kept.push(...rows(500));
    if (kept.length > 10_000) kept.splice(0, 500);
  },
  listeners() {
    const state = rows(300);
    const listener = () => state.length;
    bus.on("message", listener);
    setTimeout(() => bus.off("message", listener), 200);
  },
  async promises() {
    await Promise.all(rows(300).map(async (it) => it.id));
  },
  strings() {
    kept = [JSON.stringify(rows(500)), JSON.parse(JSON.stringify(rows(200)))];
  },
};
function takeTurn() {
  turn += 1;
  shapes[process.argv[2]]();
}
// Caches and pools are full before the agent connects, however slow the machine is: while one is being filled, it grows.
while (turn < 80) takeTurn();
setInterval(takeTurn, 20);
setTimeout(() => process.exit(), 60_000);
