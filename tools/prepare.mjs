// Installs and builds what a goal of the Makefile needs, side by side:
//
//   prepare.mjs setup   the npm packages and Rust's WebAssembly target
//   prepare.mjs wasm    that, and the edge: edge/build
//   prepare.mjs run     that, and the server, for `make run`
//   prepare.mjs test    that, and all native tests
//
// It runs on Node 18 or later and needs no npm packages, as it installs them. Whatever is up to date is not built again.

import { existsSync } from "node:fs";
import { CargoBuild } from "./cargo.mjs";
import { fail, logNote, logStep } from "./log.mjs";
import { installPackages } from "./npm.mjs";
import { DEPLOYED, DEVELOPMENT, IS_BUILT, SERVER, WASM_TARGET } from "./programs.mjs";
import { Progress } from "./progress.mjs";
import { addRustTarget } from "./toolchain.mjs";

const goal = process.argv[2] ?? "";
if (!["setup", "wasm", "run", "test"].includes(goal))
  fail(`prepare.mjs: unknown goal "${goal}"; the goals are setup, wasm, run and test`, 2);

/** `make run` builds what compiles fastest; tests run what is deployed. */
const wasmProfile = process.env.WASM_PROFILE || (goal === "run" ? DEVELOPMENT : DEPLOYED);

/**
 * The edge is compiled as a `cdylib` only, as cargo skips link-time optimization for a library that is also an `rlib`. The variable is
 * for wasm-bindgen's macro.
 */
const edge = new CargoBuild(
  "edge",
  [
    ...["rustc", "--locked", "-p", "heapbeat-edge", "--lib", "--crate-type", "cdylib"],
    ...["--profile", wasmProfile, "--target", WASM_TARGET],
  ],
  { env: { WASM_BINDGEN_USE_JS_SYS: "1" }, expectedCrates: 130, slowCrates: 40 },
);
const buildTool = new CargoBuild("build tool", ["build", "--locked", "--profile", "quick", "-p", "heapbeat-build"], {
  expectedCrates: 67,
  slowCrates: 10,
});
const server = new CargoBuild("server", ["build", "--locked", ...SERVER.buildArgs], {
  expectedCrates: 150,
  slowCrates: 20,
});
const tests = new CargoBuild("tests", ["test", "--workspace", "--locked", "--no-run"], {
  expectedCrates: 500,
  slowCrates: 100,
});

/**
 * Native builds, which run one after the other, as they share a directory and its crates. The server comes first, as its allocator takes
 * long to compile while the edge is compiled in parallel.
 */
const nativeBuilds =
  {
    setup: [],
    wasm: [buildTool],
    run: IS_BUILT ? [buildTool] : [server, buildTool],
    test: [buildTool, tests],
  }[goal] ?? [];

async function buildEdge() {
  await addRustTarget(WASM_TARGET);
  if (goal !== "setup") await edge.run();
}

async function buildNatively() {
  for (const build of nativeBuilds) await build.run();
}

/** Prints which long builds are necessary, and an estimate of their time. */
function announceWork() {
  const work = [
    existsSync("node_modules/.heapbeat-stamp") ? "" : "npm packages",
    goal === "setup" || existsSync(`target/${WASM_TARGET}/${wasmProfile}/deps`) ? "" : "the edge",
    goal !== "run" || existsSync("target/quick/deps") ? "" : "the server",
    goal !== "test" || existsSync("target/debug/deps") ? "" : "the tests",
  ].filter(Boolean);
  if (work.length === 0) return;
  const minutes = { setup: 1, wasm: 3, run: 4, test: 6 }[goal];
  logStep(`preparing ${work.join(", ")}: about ${minutes} min on two cores, once`);
}

announceWork();
const progress = new Progress([edge, ...nativeBuilds]);
if (goal !== "setup") progress.start();
const began = performance.now();
const secondsSince = (/** @type {number} */ time) => (performance.now() - time) / 1000;
/** Seconds of each step. @type {Record<string, number>} */
const times = {};
try {
  const packages = installPackages().then(() => {
    times["npm packages"] = secondsSince(began);
  });
  await Promise.all([packages, buildEdge(), buildNatively()]);
} catch (error) {
  progress.stop();
  fail(/** @type {Error} */ (error).message);
}
progress.stop();
for (const { name, started, seconds } of progress.builds) if (started) times[name] = seconds;
if (goal !== "setup") {
  // This module imports npm packages, which are installed by now.
  const { bundle } = await import("./bundle.mjs");
  Object.assign(times, await bundle(wasmProfile));
}
if (secondsSince(began) > 5) {
  const steps = Object.entries(times).map(([name, seconds]) => `${name} ${Math.round(seconds)} s`);
  logNote(`ready after ${Math.round(secondsSince(began))} s: ${steps.join(", ")}`);
}
