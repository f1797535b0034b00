// Measures `make run` and `make test` as a newcomer runs them: a fresh clone, and every cache of cargo and npm empty.
//
//   make bench BENCH=first-start              `make run` three times, cold and then warm
//   GOAL=test RUNS=1 make bench BENCH=first-start
//
// `make run` is measured to the line that says that the first probe is stored, `make test` to its end. The steps are what the
// goal itself prints. Needs the network, and a machine that does nothing else.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePort } from "../tests/e2e/support/target.mjs";
import { fail } from "../tools/log.mjs";

const GOAL = process.env.GOAL ?? "run";
const RUNS = Number(process.env.RUNS ?? 3);
if (!["run", "test"].includes(GOAL)) fail(`GOAL is "${GOAL}": it must be run or test`, 2);
/** Seconds that the goal may take. */
const LIMIT = GOAL === "run" ? 240 : 900;
/** The line after which `make run` has shown what it is for. */
const FIRST_PROBE = "first probe stored";

/**
 * Runs the goal in `clone` and returns its seconds and the lines that state its steps.
 * @param {string} clone @param {string} caches
 */
async function runGoal(clone, caches) {
  const env = {
    ...process.env,
    // Names a program that is built already.
    HEAPBEAT_BIN: undefined,
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
      if (/ready after|^ℹ (pass|fail|duration_ms)/.test(line)) steps.push(line.trim());
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
    const { seconds, steps } = await runGoal(clone, folder);
    times[kind].push(seconds);
    console.log(`run ${run} ${kind}: ${seconds.toFixed(0)} s`);
    for (const step of steps) console.log(`  ${step}`);
  }
  rmSync(folder, { recursive: true, force: true });
}
const worst = Math.max(...times.cold);
for (const [kind, values] of Object.entries(times)) {
  console.log(`${kind}: ${values.map((value) => value.toFixed(0)).join(", ")} s`);
}
console.log(`cold at most ${LIMIT} s: ${worst <= LIMIT ? "ok" : "missed"}`);
process.exit(worst <= LIMIT ? 0 : 1);
