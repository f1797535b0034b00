// What a tick costs beside an earlier build of the edge: rows written, subrequests and CPU, with and without alerts to be sent.
//
//   BEFORE=/path/to/checkout make bench BENCH=alerts-before-after
//
// BEFORE is a checkout of the earlier commit in which `make wasm` has run. Both builds run in a workerd each and take turns, so that
// whatever else the machine does affects both. Rows and requests are those that the hub counts.

import { Edge } from "../tests/e2e/support/edge.mjs";
import { listSeededMonitors } from "../tests/e2e/support/seed-history.mjs";
import { Target } from "../tests/e2e/support/target.mjs";
import { ADMIN_TOKEN } from "../tests/e2e/support/tokens.mjs";
import { listWorkerdPids } from "../tests/e2e/support/workerd-processes.mjs";
import { fail } from "../tools/log.mjs";
import { measureCpuMs, quartiles } from "./cpu.mjs";

const BEFORE = process.env.BEFORE ?? fail("BEFORE is missing: a checkout of the earlier commit, with edge/build", 2);
const TICKS = Number(process.env.TICKS ?? 60);
/** Ticks that warm the engines up and are not counted; at their end everything that waits is sent. */
const WARM_UP = 20;
/** A figure of the new build may be so many times that of the earlier one. */
const LIMIT = 1.1;

/**
 * What the monitors are like at a tick: all up; all down, which everybody knows; or changing every five ticks, which everybody is told.
 * @type {Record<string, (tick: number) => boolean>} whether they are up
 */
const SCENES = {
  quiet: () => true,
  "an incident lasts": () => false,
  "an incident comes or goes every five ticks": (tick) => Math.floor(tick / 5) % 2 === 0,
};

let isUp = true;
const target = await Target.start((_, response) => response.writeHead(isUp ? 200 : 503).end());
const service = await Target.start((request, response) => {
  request.resume();
  request.on("end", () => response.end());
});
const ALERTS = ["one", "two", "three"].map((id) => ({ id, kind: "webhook", secret: "HOOK" }));

/** @param {string} root @param {number} count */
async function start(root, count) {
  const others = listWorkerdPids();
  const edge = await Edge.start([], { root, vars: { ADMIN_TOKEN, ALERTS, HOOK: `${service.url}/hook` } });
  const pids = listWorkerdPids().filter((pid) => !others.includes(pid));
  const monitors = listSeededMonitors(count, "http://127.0.0.1:9").map(({ id, name }) => ({
    ...{ id, name, kind: "http", url: target.url, timeout: "5s" },
  }));
  const { status, body } = await edge.applyMonitors(monitors);
  if (status !== 200) throw new Error(`the monitors were refused: ${JSON.stringify(body)}`);
  return { edge, pids, cpu: /** @type {number[]} */ ([]), rows: 0, requests: 0 };
}

/** @param {Edge} edge */
const readUsage = async (edge) => (await edge.readStatus()).edge;

/** @param {number} count @param {(tick: number) => boolean} scene */
async function measure(count, scene) {
  const running = [await start(BEFORE, count), await start(".", count)];
  for (let tick = 0; tick < WARM_UP; tick += 1) {
    isUp = scene(tick);
    for (const { edge } of running) await edge.tick();
  }
  const begin = await Promise.all(running.map(({ edge }) => readUsage(edge)));
  for (let tick = WARM_UP; tick < WARM_UP + TICKS; tick += 1) {
    isUp = scene(tick);
    for (const { edge, pids, cpu } of running) cpu.push(await measureCpuMs(pids, () => edge.tick()));
  }
  for (const [index, build] of running.entries()) {
    const end = await readUsage(build.edge);
    build.rows = (end.rows_written - begin[index].rows_written) / TICKS;
    build.requests = (end.subrequests - begin[index].subrequests) / TICKS;
    await build.edge.stop();
  }
  return running;
}

console.log(
  `means of ${TICKS} ticks for rows and requests, medians for CPU; three webhooks; before -> after (ratio)\n`,
);
console.log(
  "monitors  scene                                       rows written            requests                CPU ms",
);
let worst = 0;
for (const count of [1, 40]) {
  for (const [name, scene] of Object.entries(SCENES)) {
    const [before, after] = await measure(count, scene);
    const compare = (/** @type {number} */ earlier, /** @type {number} */ now) => {
      const ratio = now / earlier;
      worst = Math.max(worst, ratio);
      return `${earlier.toFixed(2)} -> ${now.toFixed(2)} (${ratio.toFixed(2)})`.padEnd(24);
    };
    console.log(
      String(count).padStart(8),
      ` ${name.padEnd(43)}`,
      compare(before.rows, after.rows) + compare(before.requests, after.requests),
      compare(quartiles(before.cpu).mid, quartiles(after.cpu).mid),
    );
  }
}
await Promise.all([target.stop(), service.stop()]);
if (worst > LIMIT) fail(`a ratio is ${worst.toFixed(2)}; at most ${LIMIT} is allowed`);
