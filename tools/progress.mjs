// Reports the progress of parallel builds, with an estimate of the remaining time.

import { logNote } from "./log.mjs";

/** Milliseconds between two reports: on a terminal, where each replaces the previous one, and elsewhere. */
const TERMINAL_INTERVAL = 500;
const LOG_INTERVAL = 15_000;

/** Number of compiled crates from which the remaining time is estimated. */
const MIN_CRATES = 12;

/** @param {number} seconds */
const formatDuration = (seconds) =>
  seconds < 100 ? `${Math.max(10, Math.ceil(seconds / 10) * 10)} s` : `${Math.ceil(seconds / 60)} min`;

export class Progress {
  #began = performance.now();
  /** @type {NodeJS.Timeout | undefined} */ #timer;

  /** @param {import("./cargo.mjs").CargoBuild[]} builds */
  constructor(builds) {
    this.builds = builds;
  }

  start() {
    const terminal = process.stdout.isTTY;
    const report = () => {
      if (terminal) process.stdout.write(`\r\x1b[K   ${this.#describe()}`);
      else logNote(this.#describe());
    };
    this.#timer = setInterval(report, terminal ? TERMINAL_INTERVAL : LOG_INTERVAL);
  }

  stop() {
    clearInterval(this.#timer);
    if (process.stdout.isTTY) process.stdout.write("\r\x1b[K");
  }

  #describe() {
    const counts = this.builds
      .filter(({ started }) => started)
      .map(({ name, done, total, finished }) => {
        if (finished) return `${name} done`;
        return total ? `${name} ${done} of ${total} crates` : `${name} begins`;
      });
    return [...counts, ...this.#estimate()].join(", ");
  }

  /** Estimates the remaining time from the crates compiled so far; empty while there are too few. */
  #estimate() {
    const sum = (/** @type {(build: import("./cargo.mjs").CargoBuild) => number} */ count) =>
      this.builds.reduce((total, build) => total + count(build), 0);
    const compiled = sum((build) => build.compiled);
    if (compiled < MIN_CRATES) return [];
    const seconds = (performance.now() - this.#began) / 1000;
    return [`about ${formatDuration((seconds / compiled) * sum((build) => build.remaining))} left`];
  }
}
