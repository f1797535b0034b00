// The workerd processes that this process has started, as the system knows them.

import { readdirSync, readFileSync } from "node:fs";

export function workerds() {
  const mine = (/** @type {string} */ pid) => {
    try {
      const [, name, parent] = /\((.*)\) . (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
      return name === "workerd" && Number(parent) === process.pid;
    } catch {
      // It ended meanwhile.
      return false;
    }
  };
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && mine(name));
}
