// Compares two builds of the edge: CPU of a tick, and CPU and time of a hub's cold start.
//
//   BEFORE=/path/to/checkout make bench BENCH=before-after
//
// BEFORE is a checkout of an earlier commit in which `make wasm` has run. Both builds run in a workerd each, and take turns, so
// that whatever else the machine does affects both. A cold start is a new workerd that opens a stored hub and answers its first
// status request; starting workerd itself is part of it, and the same for both.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Edge } from "../tests/e2e/support/edge.mjs";
import { listSeededMonitors } from "../tests/e2e/support/seed-history.mjs";
import { renderHealth, Target } from "../tests/e2e/support/target.mjs";
import { ADMIN_TOKEN } from "../tests/e2e/support/tokens.mjs";
import { listWorkerdPids } from "../tests/e2e/support/workerd-processes.mjs";
import { fail } from "../tools/log.mjs";
import { measureCpuMs, quartiles, waitUntilIdle } from "./cpu.mjs";

const BEFORE = process.env.BEFORE ?? fail("BEFORE is missing: a checkout of the earlier commit, with edge/build", 2);
const TICKS = Number(process.env.TICKS ?? 60);
const STARTS = Number(process.env.STARTS ?? 20);
const MONITORS = Number(process.env.MONITORS ?? 40);
/** Ticks that warm the engines up and are not counted. */
const WARM_UP = 10;
/** A median of the new build may be so many times that of the earlier one. */
const LIMIT = 1.25;

const folder = mkdtempSync(join(tmpdir(), "heapbeat-before-after-"));
const target = await Target.start((_, response) => response.end(renderHealth()));

/** @param {string} root @param {string} stateDir */
async function start(root, stateDir) {
  const others = listWorkerdPids();
  const edge = await Edge.start([], { root, stateDir, vars: { ADMIN_TOKEN } });
  return { edge, pids: listWorkerdPids().filter((pid) => !others.includes(pid)) };
}

/** @typedef {{ tick: number[], startCpu: number[], startTime: number[] }} Samples */
/** @type {Record<"before" | "after", { root: string, stateDir: string, samples: Samples }>} */
const builds = {
  before: { root: BEFORE, stateDir: join(folder, "before"), samples: { tick: [], startCpu: [], startTime: [] } },
  after: { root: ".", stateDir: join(folder, "after"), samples: { tick: [], startCpu: [], startTime: [] } },
};

async function compareTicks() {
  const running = [];
  for (const { root, stateDir, samples } of Object.values(builds)) {
    const { edge, pids } = await start(root, stateDir);
    running.push({ edge, pids, samples });
    const monitors = listSeededMonitors(MONITORS, "http://127.0.0.1:9").map(({ id, name }) => ({
      ...{ id, name, kind: "heapbeat", url: `${target.url}/health`, timeout: "5s" },
    }));
    const { status, body } = await edge.applyMonitors(monitors);
    if (status !== 200) throw new Error(`the monitors were refused: ${JSON.stringify(body)}`);
  }
  for (let tick = 0; tick < WARM_UP + TICKS; tick += 1) {
    for (const { edge, pids, samples } of running) {
      const used = await measureCpuMs(pids, () => edge.tick());
      if (tick >= WARM_UP) samples.tick.push(used);
    }
  }
  for (const { edge } of running) await edge.stop();
}

async function compareStarts() {
  for (let round = 0; round < STARTS; round += 1) {
    for (const { root, stateDir, samples } of Object.values(builds)) {
      const began = performance.now();
      const { edge, pids } = await start(root, stateDir);
      await edge.readStatus();
      samples.startTime.push(performance.now() - began);
      samples.startCpu.push(await waitUntilIdle(pids));
      await edge.stop();
    }
  }
}

await compareTicks();
await compareStarts();
await target.stop();
rmSync(folder, { recursive: true });

console.log(
  `${MONITORS} monitors of kind heapbeat; medians of ${TICKS} ticks and ${STARTS} cold starts, with quartiles\n`,
);
let worst = 0;
for (const [key, name] of /** @type {const} */ ([
  ["tick", "CPU of a tick"],
  ["startCpu", "CPU of a cold start"],
  ["startTime", "time of a cold start"],
])) {
  const [before, after] = [quartiles(builds.before.samples[key]), quartiles(builds.after.samples[key])];
  const format = (/** @type {ReturnType<typeof quartiles>} */ { low, mid, high }) =>
    `${mid.toFixed(1)} ms (${low.toFixed(1)} to ${high.toFixed(1)})`;
  const ratio = after.mid / before.mid;
  worst = Math.max(worst, ratio);
  console.log(`${name}: before ${format(before)}, after ${format(after)}, ratio ${ratio.toFixed(2)}`);
}
if (worst > LIMIT) fail(`a ratio is ${worst.toFixed(2)}; at most ${LIMIT} is allowed`);
