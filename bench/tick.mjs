// CPU of a tick beyond what workerd spends on the requests themselves, and how it grows with the number of monitors.
//
// One workerd runs the edge and the floor: a worker that only sends the same number of requests, six at a time, and reads
// responses of the same size. Their ticks take turns; the benchmark counts the CPU time of all threads of that workerd until it
// is idle again. The targets run in another process. Signed reports come from the real code, with sixty samples a minute.

import { Edge } from "../tests/e2e/support/edge.mjs";
import { listSeededMonitors } from "../tests/e2e/support/seed-history.mjs";
import { SECRET, SignedServer } from "../tests/e2e/support/signed-server.mjs";
import { renderHealth, Target } from "../tests/e2e/support/target.mjs";
import { listWorkerdPids } from "../tests/e2e/support/workerd-processes.mjs";
import { measureCpuMs, quartiles } from "./cpu.mjs";

const TICKS = Number(process.env.TICKS ?? 60);
/** Ticks that warm the engine up and are not counted. */
const WARM_UP = 10;
const TOKEN = "0123456789abcdef0123";

/** The floor: sends as many requests as COUNT says, six at a time. */
const FLOOR = `export default {
  async scheduled(event, env) {
    let left = env.COUNT;
    const one = async () => {
      while (left > 0) {
        left -= 1;
        await (await fetch(env.TARGET, { headers: env.HEADERS })).text();
      }
    };
    await Promise.all(Array.from({ length: 6 }, one));
  },
};`;

/** A header as long as the signature of a report request. */
const SIGNATURE_HEADERS = {
  "heapbeat-signature": `v2 t=${"1".repeat(10)} n=${"a".repeat(32)} o=http://127.0.0.1:8080 s=${"b".repeat(64)}`,
};

/**
 * Measures ticks of `count` monitors of a kind, and of the floor.
 * @param {number} count @param {"http" | "heapbeat" | "signed"} kind
 * @param {{ target: Target, server: SignedServer, bare: Target }} targets
 */
async function measure(count, kind, { target, server, bare }) {
  const url = kind === "signed" ? server.url : `${target.url}/health`;
  const [TARGET, HEADERS] = kind === "signed" ? [bare.url, SIGNATURE_HEADERS] : [url, {}];
  const list = listSeededMonitors(count, "http://127.0.0.1:9").map(({ id, name }) => ({
    id,
    name,
    kind: kind === "http" ? "http" : "heapbeat",
    url,
    timeout: "5s",
  }));
  const vars = { ADMIN_TOKEN: TOKEN, ...(kind === "signed" ? { HEAPBEAT_SECRET: SECRET } : {}) };
  const edge = await Edge.start([], {
    vars,
    extraWorker: { name: "floor", script: FLOOR, bindings: { COUNT: count, TARGET, HEADERS } },
  });
  const pids = listWorkerdPids();
  try {
    const answer = await fetch(`${edge.url}/api/v1/admin/monitors`, {
      method: "PUT",
      headers: { authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify({ monitors: list }),
    });
    if (!answer.ok) throw new Error(`the monitors were refused: ${await answer.text()}`);
    const [ticks, floors] = [/** @type {number[]} */ ([]), /** @type {number[]} */ ([])];
    for (let tick = 0; tick < WARM_UP + TICKS; tick += 1) {
      server.now = edge.now;
      const tickMs = await measureCpuMs(pids, () => edge.tick());
      const floorMs = await measureCpuMs(pids, () => edge.runScheduled("floor"));
      if (tick >= WARM_UP) {
        ticks.push(tickMs);
        floors.push(floorMs);
      }
    }
    const { monitors } = await edge.readStatus();
    const down = monitors.filter((/** @type {any} */ it) => it.state !== "up").length;
    if (down > 0 || monitors.length !== count) throw new Error(`${down} of ${monitors.length} monitors are not up`);
    return { ticks, floors };
  } finally {
    await edge.stop();
  }
}

const target = await Target.start((_, response) => response.end(renderHealth()));
const BEGIN = Date.UTC(2026, 0, 1);
const server = await SignedServer.start({
  from: BEGIN,
  until: BEGIN + (WARM_UP + TICKS) * 60_000,
  deaths: [],
  ring: 60_000,
});
// The same responses for the floor, which verifies nothing.
const bare = await Target.start((_, response) => {
  const body = server.reports.get(server.now) ?? "";
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  response.writeHead(200, { ...headers, "heapbeat-signature": `v2 s=${"c".repeat(64)}` }).end(body);
});

/** @type {[number, "http" | "heapbeat" | "signed"][]} */
const CASES = (process.env.CASES ?? "1:http,10:http,20:http,40:http,200:http,1000:http,40:heapbeat,40:signed")
  .split(",")
  .map((text) => /** @type {any} */ (text.split(":")))
  .map(([count, kind]) => [Number(count), kind]);

console.log(`CPU milliseconds of workerd per tick: median of ${TICKS} ticks, and quartiles\n`);
console.log("monitors  kind          tick                    floor                  difference   per monitor");
/** @type {[number, number][]} */
const points = [];
for (const [count, kind] of CASES) {
  const { ticks, floors } = await measure(count, kind, { target, server, bare });
  const [tick, floor] = [quartiles(ticks), quartiles(floors)];
  // Each tick is compared with the floor that follows it, as the load of the machine affects both.
  const difference = quartiles(ticks.map((ms, index) => ms - floors[index])).mid;
  const format = (/** @type {ReturnType<typeof quartiles>} */ { low, mid, high }) =>
    `${mid.toFixed(1).padStart(6)} (${low.toFixed(1)} to ${high.toFixed(1)})`.padEnd(24);
  console.log(
    String(count).padStart(8),
    ` ${kind.padEnd(10)}`,
    format(tick),
    format(floor),
    `${difference.toFixed(1).padStart(6)} ms`,
    `${(difference / count).toFixed(3).padStart(9)} ms`,
  );
  if (kind === "http") points.push([count, difference]);
}
if (points.length > 2) {
  const mean = (/** @type {number[]} */ values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(points.map(([count]) => count)), mean(points.map(([, ms]) => ms))];
  const slope =
    points.reduce((sum, [count, ms]) => sum + (count - x) * (ms - y), 0) /
    points.reduce((sum, [count]) => sum + (count - x) ** 2, 0);
  const most = points.at(-1)?.[0];
  console.log(
    `\nkind http, 1 to ${most} monitors: ${slope.toFixed(3)} ms per monitor, plus ${(y - slope * x).toFixed(1)} ms`,
  );
}
await server.stop();
await target.stop();
await bare.stop();
