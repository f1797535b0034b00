// CPU time of processes, as the kernel counts it.

import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds that a process may use between two samples to count as idle, and samples in a row that have to. */
const IDLE_MS = 0.05;
const IDLE_SAMPLES = 3;

/** Milliseconds that all threads of these processes have run on a core (schedstat of every task in /proc). @param {string[]} pids */
function readCpuMs(pids) {
  let nanoseconds = 0;
  for (const pid of pids) {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      try {
        nanoseconds += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]);
      } catch {
        // The thread has ended.
      }
    }
  }
  return nanoseconds / 1e6;
}

/**
 * Measures the CPU milliseconds that these processes use for some work, until they are idle again.
 * @param {string[]} pids @param {() => Promise<unknown>} work
 */
export async function measureCpuMs(pids, work) {
  const before = readCpuMs(pids);
  await work();
  return (await waitUntilIdle(pids)) - before;
}

/** Waits until these processes are idle, and returns all CPU milliseconds that they have used. @param {string[]} pids */
export async function waitUntilIdle(pids) {
  let last = readCpuMs(pids);
  for (let idle = 0; idle < IDLE_SAMPLES; ) {
    await sleep(5);
    const now = readCpuMs(pids);
    idle = now - last < IDLE_MS ? idle + 1 : 0;
    last = now;
  }
  return last;
}

/** The lower quartile, the median and the upper quartile. @param {number[]} values */
export function quartiles(values) {
  const sorted = Float64Array.from(values).sort();
  const at = (/** @type {number} */ share) => sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN;
  return { low: at(0.25), mid: at(0.5), high: at(0.75) };
}
