// The cost of the front: throughput and latency of a Node hello world and of an Express server, through heapbeat and directly, in
// turns and of the same process; beside nginx as a reverse proxy where it is installed. And the memory of heapbeat's own processes
// meanwhile and over a million requests.
//
//   make bench BENCH=run-front      ROUNDS=3 SECONDS=4 REQUESTS=1000000: the defaults

import { spawn, spawnSync } from "node:child_process";
import { GuardedProgram } from "../tests/e2e/support/guarded-program.mjs";
import { proportionalSetSize } from "../tests/e2e/support/process-tree.mjs";
import { findFreePort } from "../tests/e2e/support/target.mjs";
import { fail } from "../tools/log.mjs";
import { quartiles } from "./cpu.mjs";
import { loadAverage, toMb, watchPeakMemory } from "./support/conditions.mjs";
import { startNginx } from "./support/nginx.mjs";
import { installProgram } from "./support/programs.mjs";

const ROUNDS = Number(process.env.ROUNDS ?? 3);
const SECONDS = Number(process.env.SECONDS ?? 4);
const REQUESTS = Number(process.env.REQUESTS ?? 1_000_000);
const CONNECTIONS = [1, 32, 256];

const HELLO = `require("node:http").createServer((request, response) => {
  response.setHeader("content-type", "text/plain");
  response.end("hello world\\n");
}).listen(Number(process.env.PORT), "127.0.0.1")`;

const UNITS = /** @type {Record<string, number>} */ ({ us: 0.001, ms: 1, s: 1000, m: 60_000 });

/** Errors that the load generator saw. @type {string[]} */
const errorsSeen = [];

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
  const errors = /Socket errors:.*|Non-2xx.*/.exec(output)?.[0];
  if (errors) errorsSeen.push(`port ${port}, ${connections} connections: ${errors}`);
  return {
    rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]),
    requests: Number(/(\d+) requests in/.exec(output)?.[1]),
    p50: latency(50),
    p99: latency(99),
  };
}

const show = (/** @type {number[]} */ values, digits = 2) => {
  const { low, mid, high } = quartiles(values);
  return `${mid.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`;
};

/**
 * Compares the ways to a program with the direct one, in turns.
 * @param {number} direct its own port @param {{ name: string, port: number }[]} ways @param {number} connections
 */
async function compare(direct, ways, connections) {
  /** @type {number[]} */
  const rates = [];
  const results = ways.map(
    () => /** @type {{ ratio: number[], p50: number[], p99: number[] }} */ ({ ratio: [], p50: [], p99: [] }),
  );
  for (let round = 0; round < ROUNDS; round++) {
    const base = await load(direct, connections, SECONDS);
    rates.push(base.rate);
    for (let step = 0; step < ways.length; step++) {
      // In another order each round, so that no way is always the one right after the direct one.
      const index = (step + round) % ways.length;
      const [way, result] = [ways[index], results[index]];
      if (!way || !result) continue;
      const through = await load(way.port, connections, SECONDS);
      result.ratio.push(through.rate / base.rate);
      result.p50.push(through.p50 - base.p50);
      result.p99.push(through.p99 - base.p99);
    }
  }
  console.log(`${connections} connections: ${show(rates, 0)} requests/s directly`);
  ways.forEach(({ name }, index) => {
    const { ratio = [], p50 = [], p99 = [] } = results[index] ?? {};
    console.log(`  ${name}: ratio ${show(ratio, 3)}; added: p50 ${show(p50)} ms, p99 ${show(p99)} ms`);
  });
}

if (spawnSync("wrk", ["--version"]).error) fail("wrk is not installed: apt-get install wrk");
const node = process.env.NODE ?? "node";
const version = spawnSync(node, ["--version"], { encoding: "utf8" }).stdout.trim();

for (const [name, program, cwd] of [
  ["hello world", `-e '${HELLO}'`, "."],
  ["Express", "server.js", installProgram.express()],
]) {
  const upstream = await findFreePort();
  const guarded = await GuardedProgram.start(["sh", "-c", `PORT=${upstream} exec ${node} ${program}`], {
    options: ["--limit", "512MB", "--upstream", String(upstream)],
    cwd,
  });
  process.once("exit", () => guarded.child.kill("SIGTERM"));
  const nginx = await startNginx(upstream);
  console.log(`== Node ${version}, ${name}, ${ROUNDS} rounds of ${SECONDS} s for each way, ${loadAverage()}`);
  if (!nginx) console.log("nginx is not installed, and left out");
  const idle = proportionalSetSize(guarded.guardPids());
  const peak = watchPeakMemory(() => guarded.guardPids());
  await load(upstream, 32, 2);
  const ways = [{ name: "heapbeat run", port: guarded.port }, ...(nginx ? [nginx] : [])];
  for (const connections of CONNECTIONS) await compare(upstream, ways, connections);
  for (const errors of errorsSeen.splice(0)) console.log(errors);
  console.log(
    `memory of heapbeat's processes (PSS): ${toMb(idle)} MB idle, at most ${toMb(await peak())} MB under load; ${loadAverage()}`,
  );
  await nginx?.stop();
  let requests = 0;
  /** @type {string[]} */
  const course = [];
  while (name === "hello world" && requests < REQUESTS) {
    const result = await load(guarded.port, 32, Math.max(SECONDS, 5));
    if (!result.requests) fail("wrk got no responses");
    requests += result.requests;
    course.push(`${toMb(proportionalSetSize(guarded.guardPids()))} MB after ${Math.round(requests / 1000)},000`);
  }
  if (course.length > 0) console.log(`memory over further requests: ${course.join(", ")}; ${loadAverage()}`);
  await guarded.stop();
}
process.exit();
