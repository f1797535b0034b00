// Runs all native tests: the test programs of the workspace side by side, the examples of the documentation, and the tests of the tools.
//
//   native-tests.mjs              runs all
//   native-tests.mjs front run    runs the programs whose name contains one of the words
//
// `cargo test` runs one test program after the other, and most of their time is spent in waiting for processes and sockets. Here the
// slowest begin first, by the times of the last run. A program's output is printed if it fails. TEST_PROGRAMS is the number of
// programs at a time.

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, relative } from "node:path";
import { fail, logNote, logStep } from "./log.mjs";
import { captureCommand } from "./process.mjs";

/** Seconds of each job in the last run. */
const TIMES = "target/tests/seconds.json";
/** The slowest jobs that the summary names. */
const NAMED = 5;

/** @typedef {{ name: string, command: string[], cwd: string, env: Record<string, string> }} Job */

/** Returns the test programs of the workspace, compiled if they are not. @returns {Job[]} */
function findPrograms() {
  const args = ["test", "--workspace", "--locked", "--no-run", "--message-format=json-render-diagnostics"];
  const build = spawnSync("cargo", args, {
    encoding: "utf8",
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (build.status !== 0) fail("cargo test --no-run failed; its output is above");
  const messages = build.stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  return messages
    .filter(({ reason, executable, profile }) => reason === "compiler-artifact" && executable && profile.test)
    .map(({ executable, manifest_path, target }) => {
      const directory = dirname(manifest_path);
      const kind = target.kind.includes("test") ? target.name : `${target.name} (${target.kind[0]})`;
      const name = `${relative(".", directory)} ${kind}`;
      return { name, command: [executable], cwd: directory, env: { CARGO_MANIFEST_DIR: directory } };
    });
}

/** Runs a job; returns its seconds, its output and whether it succeeded. @param {Job} job */
async function run({ command, cwd, env }) {
  const began = performance.now();
  let output = "";
  let passed = true;
  try {
    await captureCommand(command, {
      cwd,
      env,
      onOutput: (text) => {
        output += text;
      },
    });
  } catch (error) {
    output += /** @type {Error} */ (error).message;
    passed = false;
  }
  return { passed, output, seconds: (performance.now() - began) / 1000 };
}

/** Returns the numbers of tests in the output of a test program, cargo or node. @param {string} output */
function countTests(output) {
  const sum = (/** @type {RegExp} */ pattern) =>
    [...output.matchAll(pattern)].reduce((total, match) => total + Number(match[1]), 0);
  return { passed: sum(/(\d+) passed;/g) + sum(/^ℹ pass (\d+)/gm), ignored: sum(/(\d+) ignored;/g) };
}

function readTimes() {
  try {
    return JSON.parse(readFileSync(TIMES, "utf8"));
  } catch {
    // This is the first run.
    return {};
  }
}

const words = process.argv.slice(2);
const here = process.cwd();
const others = [
  {
    name: "documentation",
    command: ["cargo", "test", "--workspace", "--locked", "--doc", "--quiet"],
    cwd: here,
    env: {},
  },
  {
    name: "tools",
    command: [process.execPath, "--test", "--test-reporter=spec", "tools/**/*.test.mjs"],
    cwd: here,
    env: {},
  },
];
const before = readTimes();
const secondsBefore = (/** @type {Job} */ { name }) => before[name] ?? Number.POSITIVE_INFINITY;
const jobs = [...findPrograms(), ...others]
  .filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)))
  .sort((one, other) => secondsBefore(other) - secondsBefore(one) || (one.name < other.name ? -1 : 1));
if (jobs.length === 0) fail(`no test program has "${words.join('" or "')}" in its name`, 2);

const atOnce = Number(process.env.TEST_PROGRAMS) || availableParallelism() + 2;
logStep(`native tests: ${jobs.length} programs, ${atOnce} at a time`);
const began = performance.now();
/** @type {string[]} */
const failed = [];
/** @type {Record<string, number>} */
const times = {};
let passedTests = 0;
let ignoredTests = 0;
const waiting = jobs.slice();
async function runWaiting() {
  for (let job = waiting.shift(); job; job = waiting.shift()) {
    const { passed, output, seconds } = await run(job);
    const counts = countTests(output);
    passedTests += counts.passed;
    ignoredTests += counts.ignored;
    times[job.name] = Number(seconds.toFixed(1));
    if (passed) {
      if (counts.passed > 0) logNote(`${job.name}: ${counts.passed} passed, ${seconds.toFixed(1)} s`);
    } else {
      failed.push(job.name);
      console.log(output);
      logNote(`${job.name}: FAILED after ${seconds.toFixed(1)} s; its output is above`);
    }
  }
}
await Promise.all(Array.from({ length: atOnce }, runWaiting));

mkdirSync(dirname(TIMES), { recursive: true });
writeFileSync(TIMES, `${JSON.stringify({ ...before, ...times }, null, 2)}\n`);
const slowest = Object.entries(times).sort(([, one], [, other]) => other - one);
logNote(
  `slowest: ${slowest
    .slice(0, NAMED)
    .map(([name, seconds]) => `${name} ${seconds.toFixed(0)} s`)
    .join(", ")}`,
);
const total = ((performance.now() - began) / 1000).toFixed(0);
const ignored = ignoredTests > 0 ? `, ${ignoredTests} ignored` : "";
logNote(`${passedTests} passed${ignored} in ${total} s`);
if (failed.length > 0) fail(`native tests failed in ${failed.map((name) => basename(name)).join(", ")}`);
