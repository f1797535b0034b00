// Runs the benchmarks: all of them, or those that BENCH names (`make bench BENCH=health`). Each prints ratios to a floor that it
// measures in the same run. The output is kept in bench/results, where README and docs take their figures from.

import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { createInterface } from "node:readline";
import { fail, logStep } from "../tools/log.mjs";

const INSTALLS = "it installs programs from npm and PyPI";

/**
 * The benchmarks: the question that each answers, and its command. Those `onRequest` run only if BENCH names them.
 * @type {Record<string, { question: string, command: string[], onRequest?: string }>}
 */
const BENCHES = {
  health: {
    question: "how does /health compare with a constant route, and what does the idle sampler cost",
    command: ["cargo", "bench", "--locked", "-p", "heapbeat-cli", "--bench", "health", "--", "--idle", "600"],
  },
  attribution: {
    question: "how much do the guard and attribution slow down a route that allocates",
    command: ["cargo", "run", "--release", "--locked", "-p", "heapbeat", "--example", "attribution_bench"],
  },
  guard: {
    question: "the same for the whole guard, switched on and off in turns",
    command: [
      "cargo",
      "run",
      "--release",
      "--locked",
      "-p",
      "heapbeat",
      "--example",
      "attribution_bench",
      "--",
      "guard",
    ],
  },
  purge: {
    question: "how long does purging memory delay requests",
    command: ["cargo", "run", "--release", "--locked", "-p", "heapbeat", "--example", "purge_bench"],
  },
  agents: {
    question: "how much throughput do the agents for Node and Python cost, with and without in turns",
    command: ["node_modules/.bin/node", "bench/agents.mjs"],
    onRequest: "it needs wrk",
  },
  "heap-caps": {
    question: "at which memory does V8 give up, by its cap",
    command: ["node_modules/.bin/node", "bench/heap-caps.mjs"],
    onRequest: "it takes ten minutes; NODES names other versions of Node",
  },
  "agent-naming": {
    question:
      "how often do the agents name the function that leaks first, after how much memory, and do they accuse others",
    command: [
      "cargo",
      "test",
      "--locked",
      "-p",
      "heapbeat-agents",
      "--test",
      "agents",
      "--",
      "--ignored",
      "--nocapture",
      "--test-threads=1",
      "naming",
    ],
    onRequest: "it takes a quarter of an hour",
  },
  labeled: {
    question: "which verdicts do real processes get that leak or do not",
    command: ["cargo", "run", "--release", "--locked", "-p", "heapbeat-labeled-runs"],
  },
  packages: {
    question:
      "how long are the packages' steps from an empty folder to a leak that was replaced, and how large are they",
    command: ["node_modules/.bin/node", "bench/packages.mjs"],
    onRequest: INSTALLS,
  },
  "package-start": {
    question: "what does the command of the npm package cost beside the program",
    command: ["node_modules/.bin/node", "bench/package-start.mjs"],
  },
  tick: {
    question: "how much CPU does a tick use beyond its requests, and how does it grow",
    command: ["node_modules/.bin/node", "bench/tick.mjs"],
  },
  ttfb: {
    question: "how long is the time to the first byte, cached and uncached, compared with a constant page",
    command: ["node_modules/.bin/node", "bench/ttfb.mjs"],
  },
  lighthouse: {
    question: "which Lighthouse scores do the pages get",
    command: ["node_modules/.bin/node", "bench/lighthouse.mjs"],
    onRequest: "it needs the network",
  },
  "before-after": {
    question: "how do a tick and a cold start compare with an earlier commit",
    command: ["node_modules/.bin/node", "bench/before-after.mjs"],
    onRequest: "it needs BEFORE",
  },
  "alerts-before-after": {
    question: "what does a tick cost beside an earlier commit, with and without alerts: rows written, requests, CPU",
    command: ["node_modules/.bin/node", "bench/alerts-before-after.mjs"],
    onRequest: "it needs BEFORE",
  },
  "first-start": {
    question: "how long do `make run` and `make test` take with every cache empty",
    command: ["node_modules/.bin/node", "bench/first-start.mjs"],
    onRequest: "it needs the network, and a machine that does nothing else",
  },
  "run-leak-node": {
    question: "how many requests fail while a Node program leaks under `heapbeat run` and under PM2",
    command: ["node_modules/.bin/node", "bench/run-leak.mjs", "node"],
    onRequest: INSTALLS,
  },
  "run-leak-python": {
    question: "the same for Python, and beside gunicorn's --max-requests",
    command: ["node_modules/.bin/node", "bench/run-leak.mjs", "python"],
    onRequest: INSTALLS,
  },
  "run-kill": {
    question: "how many requests fail when a program under `heapbeat run` or PM2 is killed twenty times",
    command: ["node_modules/.bin/node", "bench/run-kill.mjs"],
    onRequest: INSTALLS,
  },
  "run-connections": {
    question:
      "what becomes of WebSockets and streams when a program is replaced, and of /health beside 5,000 connections",
    command: ["node_modules/.bin/node", "bench/run-connections.mjs"],
    onRequest: INSTALLS,
  },
  "run-front": {
    question: "what does the front of `heapbeat run` cost in throughput, latency and memory",
    command: ["node_modules/.bin/node", "bench/run-front.mjs"],
    onRequest: "it needs wrk",
  },
  "run-wrappers": {
    question: "what does `heapbeat run` do for programs in several languages and behind wrappers",
    command: ["node_modules/.bin/node", "bench/run-wrappers.mjs"],
    onRequest: INSTALLS,
  },
  survive: {
    question: "how many requests fail during leaks, kills and crashes, compared with PM2",
    command: ["cargo", "bench", "--locked", "-p", "heapbeat-cli", "--bench", "survive"],
  },
};

/** Runs a command, and prints and returns its output. @param {string[]} command @returns {Promise<string>} */
async function run([program, ...args]) {
  const env = { ...process.env, HEAPBEAT_BIN: "target/release/heapbeat" };
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"], env });
  const lines = /** @type {string[]} */ ([]);
  createInterface({ input: child.stdout }).on("line", (line) => {
    console.log(line);
    lines.push(line);
  });
  const [code] = await new Promise((resolve) => child.once("close", (...how) => resolve(how)));
  if (code !== 0) fail(`${program} ${args.join(" ")} ended with exit code ${code}`);
  return lines.join("\n");
}

const wanted = (process.env.BENCH ?? "").split(/[\s,]+/).filter(Boolean);
for (const name of wanted) {
  if (!(name in BENCHES)) fail(`BENCH is "${name}"; the benchmarks are ${Object.keys(BENCHES).join(", ")}`, 2);
}
mkdirSync("bench/results", { recursive: true });
for (const name of wanted.length > 0 ? wanted : Object.keys(BENCHES).filter((name) => !BENCHES[name]?.onRequest)) {
  const { question, command } = BENCHES[name];
  logStep(`${name}: ${question}`);
  const output = await run(command);
  const machine = `${cpus().length} cores, ${cpus()[0]?.model ?? "unknown"}, Linux ${release()}`;
  writeFileSync(`bench/results/${name}.txt`, `$ ${command.join(" ")}\n# ${machine}\n${output}\n`);
}
