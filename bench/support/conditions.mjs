// The conditions of a measurement. Counts hold on a busy machine, times do not.

import { loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { proportionalSetSize } from "../../tests/e2e/support/process-tree.mjs";

/** The load average of the last minute, as text. */
export const loadAverage = () => `load average ${loadavg()[0]?.toFixed(1)}`;

export const toMb = (/** @type {number} */ bytes) => (bytes / 1048576).toFixed(bytes < 100 * 1048576 ? 1 : 0);

/** Measures the highest memory of processes until it is stopped, every half second. @param {() => number[]} pids */
export function watchPeakMemory(pids) {
  let peak = 0;
  let stopped = false;
  const watch = (async () => {
    while (!stopped) {
      peak = Math.max(peak, proportionalSetSize(pids()));
      await sleep(500);
    }
  })();
  return async () => {
    stopped = true;
    await watch;
    return peak;
  };
}
