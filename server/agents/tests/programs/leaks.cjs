// Five shapes of a leak, by name: each leaks about ten megabytes a second, beside work that leaks nothing.
const { EventEmitter } = require("node:events");

const orders = [];
function listOrders() {
  for (let i = 0; i < 400; i++) orders.push({ id: i, items: new Array(24).fill(i + 0.5) });
}

const cache = new Map();
function renderPage() {
  for (let i = 0; i < 400; i++) cache.set(`page ${cache.size}`, { body: new Array(24).fill(i + 0.5) });
}

const pending = [];
function subscribe() {
  for (let i = 0; i < 400; i++) {
    const captured = new Array(24).fill(i + 0.5);
    pending.push(() => captured.length);
  }
}

const bus = new EventEmitter();
bus.setMaxListeners(0);
function handleConnection() {
  for (let i = 0; i < 200; i++) {
    const state = new Array(48).fill(i + 0.5);
    bus.on("message", () => state.length);
  }
}

const uploads = [];
function keepUpload() {
  for (let i = 0; i < 2; i++) uploads.push(Buffer.alloc(64 * 1024, 1));
}

function workWithoutLeak() {
  const list = [];
  for (let i = 0; i < 1000; i++) list.push({ i });
  return list.length + Buffer.alloc(20_000).length;
}

const shapes = {
  array: listOrders,
  map: renderPage,
  closure: subscribe,
  listeners: handleConnection,
  buffers: keepUpload,
};
setInterval(() => {
  shapes[process.argv[2]]();
  workWithoutLeak();
}, 10);
setTimeout(() => process.exit(), 60_000);
