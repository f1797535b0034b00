// What a tick costs in CPU beyond what workerd spends on the requests themselves, and how it grows.
//
// In one workerd run the edge and a bare worker that does nothing but the same number of requests, six at a time, and reads the
// answers, of as many bytes: the floor. Their ticks come in turn, and of each it is counted what all threads of that workerd were
// on a core for (`/proc/<pid>/task/*/schedstat`, nanoseconds), until it is idle again. The targets are in another process. Signed
// reports are those of a day made by the real code, a minute's sixty samples in each.

import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Edge } from "../tests/e2e/support/edge.mjs";
import { listSeededMonitors } from "../tests/e2e/support/seed-history.mjs";
import { SECRET, SignedServer } from "../tests/e2e/support/signed-server.mjs";
import { renderHealth, Target } from "../tests/e2e/support/target.mjs";
import { listWorkerdPids } from "../tests/e2e/support/workerd-processes.mjs";

const TICKS = Number(process.env.TICKS ?? 60);
/** Ticks that warm the engine up, and are not counted. */
const WARM = 10;
const TOKEN = "0123456789abcdef0123";

/** Asks for as many requests as its URL says, six at a time. */
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

/** Milliseconds that all threads of these processes were on a core. @param {string[]} pids */
function spent(pids) {
  let nanoseconds = 0;
  for (const pid of pids) {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      try {
        nanoseconds += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]);
      } catch {
        // It ended meanwhile.
      }
    }
  }
  return nanoseconds / 1e6;
}

/** What something cost these processes, until they are idle again. @param {string[]} pids @param {() => Promise<void>} work */
async function cost(pids, work) {
  const before = spent(pids);
  await work();
  let last = spent(pids);
  for (let idle = 0; idle < 3; ) {
    await sleep(5);
    const now = spent(pids);
    idle = now - last < 0.05 ? idle + 1 : 0;
    last = now;
  }
  return last - before;
}

/** The lower, the middle and the upper quarter. @param {number[]} values */
function quartiles(values) {
  const sorted = Float64Array.from(values).sort();
  const at = (/** @type {number} */ share) => sorted[Math.round(share * (sorted.length - 1))];
  return { low: at(0.25), mid: at(0.5), high: at(0.75) };
}

/** A header as long as the signature of a question. */
const QUESTION = { "heapbeat-signature": `v1 t=${"1".repeat(10)} n=${"a".repeat(32)} s=${"b".repeat(64)}` };

/**
 * Ticks of `count` monitors of a kind, and of the floor.
 * @param {number} count @param {"http" | "heapbeat" | "signed"} kind
 * @param {{ target: Target, server: SignedServer, bare: Target }} targets
 */
async function measure(count, kind, { target, server, bare }) {
  const url = kind === "signed" ? server.url : `${target.url}/health`;
  const [TARGET, HEADERS] = kind === "signed" ? [bare.url, QUESTION] : [url, {}];
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
    if (!answer.ok) throw new Error(`the list was refused: ${await answer.text()}`);
    const [ticks, floors] = [/** @type {number[]} */ ([]), /** @type {number[]} */ ([])];
    for (let tick = 0; tick < WARM + TICKS; tick += 1) {
      server.now = edge.now;
      const [one, other] = [await cost(pids, () => edge.tick()), await cost(pids, () => edge.runScheduled("floor"))];
      if (tick >= WARM) {
        ticks.push(one);
        floors.push(other);
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
  until: BEGIN + (WARM + TICKS) * 60_000,
  deaths: [],
  ring: 60_000,
});
// The same answers for the floor, which checks nothing of them.
const bare = await Target.start((_, response) => {
  const body = server.reports.get(server.now) ?? "";
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  response.writeHead(200, { ...headers, "heapbeat-signature": `v1 s=${"c".repeat(64)}` }).end(body);
});

/** @type {[number, "http" | "heapbeat" | "signed"][]} */
const CASES = (process.env.CASES ?? "1:http,10:http,20:http,40:http,200:http,1000:http,40:heapbeat,40:signed")
  .split(",")
  .map((text) => /** @type {any} */ (text.split(":")))
  .map(([count, kind]) => [Number(count), kind]);

console.log(`workerd's CPU a tick in ms: the median of ${TICKS} ticks, and the quarters around it\n`);
console.log("monitors  kind          tick                    floor                   beyond it   a monitor");
/** @type {[number, number][]} */
const points = [];
for (const [count, kind] of CASES) {
  const { ticks, floors } = await measure(count, kind, { target, server, bare });
  const [tick, floor] = [quartiles(ticks), quartiles(floors)];
  // Each tick beside the floor that followed it, so that what the machine does meanwhile hits both.
  const beyond = quartiles(ticks.map((ms, index) => ms - floors[index])).mid;
  const shown = (/** @type {ReturnType<typeof quartiles>} */ { low, mid, high }) =>
    `${mid.toFixed(1).padStart(6)} (${low.toFixed(1)} to ${high.toFixed(1)})`.padEnd(24);
  console.log(
    String(count).padStart(8),
    ` ${kind.padEnd(10)}`,
    shown(tick),
    shown(floor),
    `${beyond.toFixed(1).padStart(6)} ms`,
    `${(beyond / count).toFixed(3).padStart(9)} ms`,
  );
  if (kind === "http") points.push([count, beyond]);
}
if (points.length > 2) {
  const mean = (/** @type {number[]} */ values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(points.map(([count]) => count)), mean(points.map(([, ms]) => ms))];
  const slope =
    points.reduce((sum, [count, ms]) => sum + (count - x) * (ms - y), 0) /
    points.reduce((sum, [count]) => sum + (count - x) ** 2, 0);
  const most = points.at(-1)?.[0];
  console.log(
    `\nkind http, 1 to ${most} monitors: ${slope.toFixed(3)} ms for each monitor more, and ${(y - slope * x).toFixed(1)} ms for none`,
  );
}
await server.stop();
await target.stop();
await bare.stop();
