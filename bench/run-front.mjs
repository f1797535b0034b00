// The cost of the front: throughput and latency of a Node hello world, through heapbeat and directly, in alternating pairs of the same
// process; and the memory of heapbeat's own processes meanwhile and over a million requests.
//
//   make bench BENCH=run-front      PAIRS=3 SECONDS=4 REQUESTS=1000000: the defaults

import { spawn, spawnSync } from "node:child_process";
import { GuardedProgram } from "../tests/e2e/support/guarded-program.mjs";
import { proportionalSetSize } from "../tests/e2e/support/process-tree.mjs";
import { findFreePort } from "../tests/e2e/support/target.mjs";
import { fail } from "../tools/log.mjs";
import { quartiles } from "./cpu.mjs";
import { loadAverage, toMb, watchPeakMemory } from "./support/conditions.mjs";

const PAIRS = Number(process.env.PAIRS ?? 3);
const SECONDS = Number(process.env.SECONDS ?? 4);
const REQUESTS = Number(process.env.REQUESTS ?? 1_000_000);
const CONNECTIONS = [1, 32, 256];

const HELLO = `require("node:http").createServer((request, response) => {
  response.setHeader("content-type", "text/plain");
  response.end("hello world\\n");
}).listen(Number(process.env.PORT), "127.0.0.1")`;

const UNITS = /** @type {Record<string, number>} */ ({ us: 0.001, ms: 1, s: 1000, m: 60_000 });

/**
 * Loads a port, and returns requests a second, and the median and the 99th percentile of the latency in milliseconds.
 * @param {number} port @param {number} connections @param {number} seconds
 */
async function load(port, connections, seconds) {
  const wrk = spawn("wrk", ["-t1", `-c${connections}`, `-d${seconds}s`, "--latency", `http://127.0.0.1:${port}/`]);
  let output = "";
  wrk.stdout.on("data", (data) => {
    output += data;
  });
  await new Promise((resolve) => wrk.once("close", resolve));
  const latency = (/** @type {number} */ percentile) => {
    const [, value, unit] = new RegExp(`^ +${percentile}% +([\\d.]+)(us|ms|s|m)`, "m").exec(output) ?? [];
    return Number(value) * (UNITS[unit ?? ""] ?? Number.NaN);
  };
  return {
    rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]),
    requests: Number(/(\d+) requests in/.exec(output)?.[1]),
    p50: latency(50),
    p99: latency(99),
    errors: /Socket errors:.*|Non-2xx.*/g.exec(output)?.[0],
  };
}

if (spawnSync("wrk", ["--version"]).error) fail("wrk is not installed: apt-get install wrk");
const upstream = await findFreePort();
const node = process.env.NODE ?? "node";
const guarded = await GuardedProgram.start(["sh", "-c", `PORT=${upstream} exec ${node} -e '${HELLO}'`], {
  options: ["--limit", "512MB", "--upstream", String(upstream)],
});
process.once("exit", () => guarded.child.kill("SIGTERM"));
const version = spawnSync(node, ["--version"], { encoding: "utf8" }).stdout.trim();
console.log(`== Node ${version} hello world, ${PAIRS} pairs of ${SECONDS} s, ${loadAverage()}`);
const idle = proportionalSetSize(guarded.guardPids());
const peak = watchPeakMemory(() => guarded.guardPids());
await load(upstream, 32, 2);
for (const connections of CONNECTIONS) {
  /** @type {Record<string, number[]>} */
  const values = { ratio: [], with: [], without: [], p50: [], p99: [] };
  const errors = new Set();
  for (let pair = 0; pair < PAIRS; pair++) {
    /** @type {Record<string, Awaited<ReturnType<typeof load>>>} */
    const results = {};
    for (const kind of pair % 2 === 0 ? ["without", "with"] : ["with", "without"]) {
      const result = await load(kind === "with" ? guarded.port : upstream, connections, SECONDS);
      results[kind] = result;
      values[kind]?.push(result.rate);
      if (result.errors) errors.add(`${kind}: ${result.errors}`);
    }
    const { with: through, without: direct } = results;
    if (!through || !direct) continue;
    values.ratio?.push(through.rate / direct.rate);
    values.p50?.push(through.p50 - direct.p50);
    values.p99?.push(through.p99 - direct.p99);
  }
  const show = (/** @type {string} */ name, digits = 2) => {
    const { low, mid, high } = quartiles(values[name] ?? []);
    return `${mid.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`;
  };
  console.log(
    `${connections} connections: ${show("without", 0)} requests/s directly, ${show("with", 0)} through the front; ` +
      `ratio ${show("ratio", 3)}; added: p50 ${show("p50")} ms, p99 ${show("p99")} ms${errors.size > 0 ? `; ${[...errors].join("; ")}` : ""}`,
  );
}
console.log(
  `memory of heapbeat's processes (PSS): ${toMb(idle)} MB idle, at most ${toMb(await peak())} MB under load; ${loadAverage()}`,
);
let requests = 0;
/** @type {string[]} */
const course = [];
while (requests < REQUESTS) {
  const result = await load(guarded.port, 32, Math.max(SECONDS, 5));
  if (!result.requests) fail("wrk got no responses");
  requests += result.requests;
  course.push(`${toMb(proportionalSetSize(guarded.guardPids()))} MB after ${Math.round(requests / 1000)},000`);
}
console.log(`memory over further requests: ${course.join(", ")}; ${loadAverage()}`);
await guarded.stop();
process.exit();
