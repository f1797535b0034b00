// The workerd processes of this test process.

import { readdirSync, readFileSync } from "node:fs";

/** Lists the pids of the workerd processes that this process started. */
export function listWorkerdPids() {
  const isOurs = (/** @type {string} */ pid) => {
    try {
      const [, name, parent] = /\((.*)\) . (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
      return name === "workerd" && Number(parent) === process.pid;
    } catch {
      // The process ended in the meantime.
      return false;
    }
  };
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && isOurs(name));
}
