// Builds the edge into edge/build: index.js and index_bg.wasm, as wrangler.toml names them. It does nothing if nothing changed.
//
//   make wasm                          as it is deployed: optimized across crates, and by wasm-opt
//   make wasm WASM_PROFILE=wasm-dev    as it is worked on: compiled quickly, and not optimized further

import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { runCommand } from "./command.mjs";
import { writePages } from "./pages.mjs";
import { fail, note, step } from "./say.mjs";

const TARGET = "wasm32-unknown-unknown";
const DEPLOYED = "wasm";
const PROFILE = process.env.WASM_PROFILE || DEPLOYED;

const COMPILED = join("target", TARGET, PROFILE, "heapbeat_edge.wasm");
const BUILD_TOOL = "target/debug/heapbeat-build";
const BUILD = "edge/build";
/** Says of what the files in edge/build were made. */
const STAMP = join(BUILD, ".stamp");

/**
 * Features that Cloudflare's engine has for certain. Where binaryen may use every feature it writes encodings that not every
 * engine reads.
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

/**
 * Compiles the edge and the build tool. `cargo rustc` compiles the edge as a `cdylib` and nothing else, as cargo skips link-time
 * optimization for a library that is an `rlib` as well. wasm-bindgen's macro reads the variable; worker-build sets it, too.
 */
async function compile() {
  const edge = ["rustc", "--locked", "-p", "heapbeat-edge", "--lib", "--crate-type", "cdylib"];
  const env = { WASM_BINDGEN_USE_JS_SYS: "1" };
  await Promise.all([
    runCommand(["cargo", ...edge, "--profile", PROFILE, "--target", TARGET], { env }),
    runCommand(["cargo", "build", "--locked", "--quiet", "-p", "heapbeat-build"]),
  ]);
}

/** What the result depends on: a change of any of these files makes another stamp. */
function stamp() {
  const times = [COMPILED, BUILD_TOOL, "tools/wasm.mjs", "package-lock.json"].map((path) => statSync(path).mtimeMs);
  return JSON.stringify({ profile: PROFILE, times });
}

/** @returns {string | undefined} */
function lastStamp() {
  try {
    return readFileSync(STAMP, "utf8");
  } catch {
    return undefined;
  }
}

/** Makes JavaScript and WebAssembly of the compiled edge in a new folder, and moves them into place when all is done. */
async function bundle() {
  mkdirSync(BUILD, { recursive: true });
  const staging = mkdtempSync(join(BUILD, ".staging-"));
  try {
    await runCommand([BUILD_TOOL, COMPILED, staging]);
    const entry = ["entry.js", "--bundle", "--format=esm", "--minify", "--log-level=warning"];
    const external = ["--external:./index_bg.wasm", "--external:cloudflare:*"];
    await runCommand([resolve("node_modules/.bin/esbuild"), ...entry, ...external, "--outfile=bundle.js"], {
      cwd: staging,
    });
    // esbuild keeps the `source` of a source phase import, which the runtime does not know.
    const script = readFileSync(join(staging, "bundle.js"), "utf8").replaceAll("import source ", "import ");
    writeFileSync(join(staging, "bundle.js"), script);
    const wasm = join(staging, "index_bg.wasm");
    if (PROFILE === DEPLOYED) await optimize(wasm);
    renameSync(wasm, join(BUILD, "index_bg.wasm"));
    renameSync(join(staging, "bundle.js"), join(BUILD, "index.js"));
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** @param {string} wasm */
async function optimize(wasm) {
  const features = FEATURES.map((feature) => `--enable-${feature}`);
  const passes = ["-Os", "--strip-debug", "--strip-producers"];
  await runCommand([resolve("node_modules/.bin/wasm-opt"), wasm, "-o", wasm, ...features, ...passes]);
}

/** Fails where the deployed WebAssembly is larger than bench/wasm-size.json allows. */
function checkSize() {
  const { limitBytes } = JSON.parse(readFileSync("bench/wasm-size.json", "utf8"));
  const size = gzipSync(readFileSync(join(BUILD, "index_bg.wasm"))).length;
  const kb = (/** @type {number} */ bytes) => `${(bytes / 1000).toFixed(0)} kB`;
  if (size > limitBytes) fail(`the edge has ${kb(size)} gzipped; bench/wasm-size.json allows ${kb(limitBytes)}`);
  note(`the edge has ${kb(size)} gzipped, at most ${kb(limitBytes)}`);
}

writePages();
step(`building the edge for WebAssembly (profile ${PROFILE})`);
await compile();
const current = stamp();
if (current !== lastStamp()) {
  await bundle();
  if (PROFILE === DEPLOYED) checkSize();
  writeFileSync(STAMP, current);
}
