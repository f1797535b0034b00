// The processes of a program and their memory, read from /proc, independently of what heapbeat reads.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** @template T @param {() => T} read @param {T} otherwise if the process has exited */
function ifAlive(read, otherwise) {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

/** Process ids of all descendants of a process, without itself. @param {number} root @returns {number[]} */
export function findDescendants(root) {
  /** @type {Map<number, number[]>} */
  const children = new Map();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!pid) continue;
    const fields = ifAlive(() => readFileSync(`/proc/${pid}/stat`, "utf8"), "")
      .replace(/^.*\) /s, "")
      .split(" ");
    if (fields.length < 2 || fields[0] === "Z") continue;
    const parent = Number(fields[1]);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const found = [...(children.get(root) ?? [])];
  for (const pid of found) found.push(...(children.get(pid) ?? []));
  return found;
}

/** The file that a process runs. @param {number} pid */
export const executableOf = (pid) => ifAlive(() => readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, ""), "");

/** The command line of a process. @param {number} pid */
export const commandOf = (pid) =>
  ifAlive(() => readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").join(" ").trim(), "");

/**
 * Proportional set size of processes together, in bytes: pages that several of them share count once. (The sum over all processes
 * that share a page; what is shared with others counts in part.)
 * @param {number[]} pids
 */
export const proportionalSetSize = (pids) =>
  pids.reduce((sum, pid) => {
    const rollup = ifAlive(() => readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"), "");
    return sum + Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0) * 1024;
  }, 0);

/** Whether a process is alive. @param {number} pid */
export const isAlive = (pid) => ifAlive(() => process.kill(pid, 0), false);
