// Measures at which resident memory V8 gives up ("Reached heap limit"), by its cap (`--max-old-space-size`), the memory limit, the
// version of Node and what leaks. `heapbeat run` sets the cap; it must lie where the guard replaces the program before V8 gives up.
//
//   make bench BENCH=heap-caps
//   NODES=/usr/bin/node,/opt/node24/bin/node SIZES=256,512 SHARES=1,1.125 node bench/heap-caps.mjs
//
// Each run starts one process, which leaks 1 MB every few milliseconds until it ends. Printed is its resident memory at the last
// reading before its end, in percent of the memory limit.

import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fail } from "../tools/log.mjs";

const NODES = (process.env.NODES ?? process.execPath).split(",");
const numbers = (/** @type {string} */ name, /** @type {string} */ fallback) =>
  (process.env[name] ?? fallback).split(",").map(Number);
/** Memory limits in MB. */
const SIZES = numbers("SIZES", "128,256,512,1024");
/** Caps as shares of the limit. */
const SHARES = numbers("SHARES", "1,1.125");
/** The share of the limit, in percent, at which the guard replaces a program. */
const RECYCLE_AT = 93.75;
/** Share of the limit at which a run is given up, as V8 has not. */
const GIVE_UP_AT = 2;
/** Time between two readings of memory, in milliseconds. */
const READING_MS = 10;

/**
 * What leaks: an expression that makes 1 MB, and keeps it itself or is kept.
 * @type {Record<string, string>}
 */
const LEAKS = {
  doubles: "Array.from({ length: 128 }, () => new Array(1000).fill(0).map(Math.random))",
  "large doubles": "new Array(131072).fill(0).map(Math.random)",
  strings: "Array.from({ length: 1000 }, () => String(Math.random()).padEnd(1000, 'x'))",
  // Its elements are copied into a larger array each time that it is full.
  "one array": "(() => { for (let i = 0; i < 131072; i++) one.push(Math.random()); })()",
  objects: "Array.from({ length: 9000 }, (_, id) => ({ id, name: 'n' + id, tags: [id, id + 1] }))",
};
const SHAPES = process.env.SHAPES?.split(",") ?? Object.keys(LEAKS);

/** The resident memory of a process in MB; 0 if it has ended. @param {number} pid */
function residentMb(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/**
 * Lets a process leak until it ends, and returns its last memory in MB and whether V8 gave up.
 * @param {string} node @param {string} leak @param {number} cap @param {number} limit
 */
async function leakUntilEnd(node, leak, cap, limit) {
  const program = `const kept = [], one = []; setInterval(() => kept.push(${leak}), 4)`;
  const env = { ...process.env, NODE_OPTIONS: `--max-old-space-size=${cap}` };
  const child = spawn(node, ["-e", program], { env, stdio: ["ignore", "ignore", "pipe"] });
  const pid = child.pid ?? fail(`cannot start ${node}`, 2);
  let stderr = "";
  child.stderr.on("data", (data) => {
    stderr += data;
  });
  let last = 0;
  const reading = setInterval(() => {
    last = residentMb(pid) || last;
    if (last > limit * GIVE_UP_AT) child.kill("SIGKILL");
  }, READING_MS);
  await new Promise((resolve) => child.on("close", resolve));
  clearInterval(reading);
  return { last, gaveUp: /heap out of memory/.test(stderr) };
}

let tooEarly = 0;
for (const node of NODES) {
  const version = spawnSync(node, ["--version"], { encoding: "utf8" }).stdout?.trim();
  if (!version) fail(`cannot run ${node}`, 2);
  console.log(`\nNode ${version}: resident memory when V8 gives up, in percent of the limit`);
  console.log(["limit".padStart(8), "cap".padStart(9), ...SHAPES.map((it) => it.padStart(14))].join(""));
  for (const limit of SIZES) {
    for (const share of SHARES) {
      const cap = Math.round(limit * share);
      const cells = [];
      for (const shape of SHAPES) {
        const { last, gaveUp } = await leakUntilEnd(node, LEAKS[shape] ?? fail(`unknown: ${shape}`, 2), cap, limit);
        const percent = (100 * last) / limit;
        if (gaveUp && percent < RECYCLE_AT) tooEarly++;
        cells.push((gaveUp ? `${percent.toFixed(0)} %` : "none").padStart(14));
      }
      console.log([`${limit} MB`.padStart(8), `${cap} MB`.padStart(9), ...cells].join(""));
    }
  }
}
console.log(`\n${tooEarly} runs ended below the recycle threshold of ${RECYCLE_AT} %`);
