// Makes edge/build/index.js and edge/build/index_bg.wasm, which wrangler.toml names, from the compiled edge.

import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { writeReference } from "./api-reference.mjs";
import { fail, logNote } from "./log.mjs";
import { runCommand } from "./process.mjs";
import { DEPLOYED, WASM_TARGET } from "./programs.mjs";

const BUILD_TOOL = "target/quick/heapbeat-build";
const BUILD = "edge/build";
/** Records the input files and the profile that edge/build was made from. */
const STAMP = join(BUILD, ".stamp");

/**
 * The WebAssembly features that Cloudflare's engine supports. Without this list binaryen uses encodings that not every engine accepts.
 */
const FEATURES = [
  "mutable-globals",
  "sign-ext",
  "nontrapping-float-to-int",
  "bulk-memory",
  "multivalue",
  "reference-types",
  "exception-handling",
];

/** @param {string} profile */
const compiledModule = (profile) => join("target", WASM_TARGET, profile, "heapbeat_edge.wasm");

/**
 * Makes edge/build, unless it was made from the same inputs. Returns the seconds of each step.
 * @param {string} profile @returns {Promise<Record<string, number>>}
 */
export async function bundle(profile) {
  writeReference();
  const stamp = describeInputs(profile);
  if (stamp === readStamp()) return {};
  /** @type {Record<string, number>} */
  const times = {};
  const timed = async (/** @type {string} */ name, /** @type {Promise<void>} */ step) => {
    const began = performance.now();
    await step;
    times[name] = (performance.now() - began) / 1000;
  };
  mkdirSync(BUILD, { recursive: true });
  // The files are moved into place together once all of them exist.
  const staging = mkdtempSync(join(BUILD, ".staging-"));
  try {
    await timed("wasm-bindgen", runCommand([BUILD_TOOL, compiledModule(profile), staging]));
    await timed("esbuild", bundleScript(staging));
    const wasm = join(staging, "index_bg.wasm");
    if (profile === DEPLOYED) await timed("wasm-opt", optimize(wasm));
    renameSync(wasm, join(BUILD, "index_bg.wasm"));
    renameSync(join(staging, "bundle.js"), join(BUILD, "index.js"));
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
  if (profile === DEPLOYED) checkSize();
  writeFileSync(STAMP, stamp);
  return times;
}

/** @param {string} profile */
function describeInputs(profile) {
  const inputs = [compiledModule(profile), BUILD_TOOL, "tools/bundle.mjs", "package-lock.json"];
  return JSON.stringify({ profile, modified: inputs.map((path) => statSync(path).mtimeMs) });
}

/** @returns {string | undefined} */
function readStamp() {
  try {
    return readFileSync(STAMP, "utf8");
  } catch {
    return undefined;
  }
}

/** Bundles the entry module and the bindings that it imports. @param {string} staging */
async function bundleScript(staging) {
  const options = ["--bundle", "--format=esm", "--minify", "--log-level=warning", "--outfile=bundle.js"];
  const external = ["--external:./index_bg.wasm", "--external:cloudflare:*"];
  const esbuild = resolve("node_modules/.bin/esbuild");
  await runCommand([esbuild, "entry.js", ...options, ...external], { cwd: staging });
  // esbuild keeps the keyword `source` of a source phase import, which the runtime does not support.
  const script = readFileSync(join(staging, "bundle.js"), "utf8");
  writeFileSync(join(staging, "bundle.js"), script.replaceAll("import source ", "import "));
}

/** @param {string} wasm */
async function optimize(wasm) {
  const features = FEATURES.map((feature) => `--enable-${feature}`);
  const passes = ["-Os", "--strip-debug", "--strip-producers"];
  await runCommand([resolve("node_modules/.bin/wasm-opt"), wasm, "-o", wasm, ...features, ...passes]);
}

/** Fails if the WebAssembly is larger than bench/wasm-size.json allows. */
function checkSize() {
  const { limitBytes } = JSON.parse(readFileSync("bench/wasm-size.json", "utf8"));
  const size = gzipSync(readFileSync(join(BUILD, "index_bg.wasm"))).length;
  const kb = (/** @type {number} */ bytes) => `${(bytes / 1000).toFixed(0)} kB`;
  if (size > limitBytes) fail(`the edge has ${kb(size)} gzipped; bench/wasm-size.json allows ${kb(limitBytes)}`);
  logNote(`the edge has ${kb(size)} gzipped, at most ${kb(limitBytes)}`);
}
