// Measures `make run` and `make test` as a newcomer runs them: a fresh clone, and every cache of cargo and npm empty.
//
//   make bench BENCH=first-start              `make run` three times, cold and then warm
//   GOAL=test RUNS=1 make bench BENCH=first-start
//   TIMINGS=1 make bench BENCH=first-start    names the crates that take longest to compile as well
//
// `make run` is measured to the line that says that the first probe is stored, `make test` to its end. The steps are what the
// goal itself prints. Needs the network, and a machine that does nothing else.

import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { findFreePort } from "../tests/e2e/support/target.mjs";
import { fail } from "../tools/log.mjs";

const GOAL = process.env.GOAL ?? "run";
const RUNS = Number(process.env.RUNS ?? 3);
if (!["run", "test"].includes(GOAL)) fail(`GOAL is "${GOAL}": it must be run or test`, 2);
/** Seconds that the goal may take. */
const LIMIT = GOAL === "run" ? 240 : 900;
/** The line after which `make run` has shown what it is for. */
const FIRST_PROBE = "first probe stored";

/** Crates that are named for each build. */
const NAMED_CRATES = 12;

/** Returns a directory with a `cargo` that keeps the times of each crate. @param {string} folder */
function writeTimingCargo(folder) {
  const directory = join(folder, "bin");
  const cargo = spawnSync("which", ["cargo"], { encoding: "utf8" }).stdout.trim();
  mkdirSync(directory);
  const script = `#!/bin/sh
case "$1" in build | rustc | test) goal=$1; shift; exec ${cargo} "$goal" --timings "$@" ;; esac
exec ${cargo} "$@"
`;
  writeFileSync(join(directory, "cargo"), script, { mode: 0o755 });
  return directory;
}

/** Prints the crates that took longest in each build of `clone`. @param {string} clone */
function printCrates(clone) {
  const directory = join(clone, "target", "cargo-timings");
  for (const file of readdirSync(directory).filter((name) => /^cargo-timing-\d/.test(name))) {
    const html = readFileSync(join(directory, file), "utf8");
    const units = JSON.parse(/const UNIT_DATA = (\[[\s\S]*?\]);\n/.exec(html)?.[1] ?? "[]");
    const slowest = units.sort((/** @type {any} */ one, /** @type {any} */ other) => other.duration - one.duration);
    const named = slowest.slice(0, NAMED_CRATES);
    console.log(
      `  ${units.length} units: ${named.map((/** @type {any} */ unit) => `${unit.name}${unit.target} ${unit.duration.toFixed(0)} s`).join(", ")}`,
    );
  }
}

/**
 * Runs the goal in `clone` and returns its seconds and the lines that state its steps.
 * @param {string} clone @param {string} caches @param {string} [timingCargo]
 */
async function runGoal(clone, caches, timingCargo = "") {
  const env = {
    ...process.env,
    // Names a program that is built already.
    HEAPBEAT_BIN: undefined,
    PATH: timingCargo ? timingCargo + delimiter + process.env.PATH : process.env.PATH,
    CARGO_HOME: join(caches, "cargo"),
    npm_config_cache: join(caches, "npm"),
    PORT: String(await findFreePort()),
    EDGE_PORT: String(await findFreePort()),
  };
  const began = performance.now();
  const child = spawn("make", [GOAL], { cwd: clone, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const seconds = () => (performance.now() - began) / 1000;
  /** @type {string[]} */
  const steps = [];
  let output = "";
  let measured = 0;
  const read = (/** @type {Buffer} */ data) => {
    output += data;
    const lines = output.split("\n");
    output = lines.pop() ?? "";
    for (const line of lines) {
      if (/ready after|^ℹ (pass|fail|duration_ms)|^ {3}(slowest:|seconds by file| +\d+\.\d {2}|\d+ passed)/.test(line))
        steps.push(line.trim());
      if (GOAL === "run" && line.includes(FIRST_PROBE)) {
        measured = seconds();
        process.kill(-(/** @type {number} */ (child.pid)), "SIGINT");
      }
    }
  };
  child.stdout.on("data", read);
  child.stderr.on("data", read);
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (GOAL === "test") measured = seconds();
  if (measured === 0 || (GOAL === "test" && code !== 0)) fail(`make ${GOAL} ended with ${code}; see ${clone}`);
  return { seconds: measured, steps };
}

console.log(
  `make ${GOAL}, ${cpus().length} cores, ${spawnSync("git", ["rev-parse", "--short", "HEAD"]).stdout}`.trim(),
);
/** @type {{ cold: number[], warm: number[] }} */
const times = { cold: [], warm: [] };
for (let run = 1; run <= RUNS; run++) {
  const folder = mkdtempSync(join(tmpdir(), "heapbeat-first-start-"));
  const clone = join(folder, "heapbeat");
  if (spawnSync("git", ["clone", "--quiet", ".", clone]).status !== 0) fail("git clone failed");
  for (const kind of /** @type {const} */ (["cold", "warm"])) {
    const timingCargo = process.env.TIMINGS && kind === "cold" ? writeTimingCargo(folder) : "";
    const { seconds, steps } = await runGoal(clone, folder, timingCargo);
    times[kind].push(seconds);
    console.log(`run ${run} ${kind}: ${seconds.toFixed(0)} s`);
    for (const step of steps) console.log(`  ${step}`);
    if (timingCargo) printCrates(clone);
  }
  rmSync(folder, { recursive: true, force: true });
}
const worst = Math.max(...times.cold);
for (const [kind, values] of Object.entries(times)) {
  console.log(`${kind}: ${values.map((value) => value.toFixed(0)).join(", ")} s`);
}
console.log(`cold at most ${LIMIT} s: ${worst <= LIMIT ? "ok" : "missed"}`);
process.exit(worst <= LIMIT ? 0 : 1);
