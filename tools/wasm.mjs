// Builds the edge to edge/build and says how large it is. Does nothing where nothing has changed.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { nameAlike } from "./alike.mjs";
import { writePages } from "./pages.mjs";
import { fail, note, step } from "./say.mjs";
import { wasmBindgen, workerBuild } from "./versions.mjs";

const BUILD = "edge/build";
const STAMP = join(BUILD, ".stamp");

/** What the built worker is made of. */
const SOURCES = [
  "Cargo.toml",
  "Cargo.lock",
  "rust-toolchain.toml",
  "shared",
  "edge",
  "tools/wasm.mjs",
  "tools/alike.mjs",
];

/** What is made, and no source; and text that the Worker reads when it runs, which is put together anew each time. */
const RESULTS = ["build", "target", "pages", "messages", "templates"];

/** The newest change below `path`, in milliseconds, results left out. @param {string} path @returns {number} */
function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  const inside = readdirSync(path).filter((name) => !RESULTS.includes(name));
  return Math.max(stat.mtimeMs, ...inside.map((name) => newest(join(path, name))));
}

/** Bytes of the WebAssembly, gzipped. */
const gzipped = () => gzipSync(readFileSync(join(BUILD, "index_bg.wasm"))).length;

/** Classes that the `worker` crate offers to JavaScript and that nothing here makes. */
const UNUSED = ["intounderlying", "minifyconfig", "containerstartupoptions", "r2range"];

/**
 * What Cloudflare's engine knows for certain. Binaryen writes encodings of its own where it may use every feature, and not
 * every engine reads them.
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

/** The standard library's own way to tell of a panic. */
const DEFAULT_HOOK = /^(<?std(\[\w+\])?::panicking::default_hook|_ZN3std9panicking12default_hook17h\w+E)$/;

/**
 * Empties the function that writes a panic to standard error: a Worker has none. The message goes to the console by a hook of
 * the `worker` crate, which calls this one besides and so takes it, and 3 kB of what it formats with, along.
 * @param {string} wasm
 */
async function silence(wasm) {
  const { default: binaryen } = await import("binaryen");
  binaryen.setDebugInfo(true);
  const module = binaryen.readBinary(readFileSync(wasm));
  const indices = Array.from({ length: module.getNumFunctions() }, (_, index) => index);
  const functions = indices.map((index) => module.getFunctionByIndex(index));
  const found = functions.filter((it) => DEFAULT_HOOK.test(binaryen.getFunctionInfo(it).name));
  if (found.length !== 1)
    fail(`the built edge has ${found.length} functions that write a panic to standard error, not 1`);
  const changed = /** @type {any} */ (binaryen).Function; // its types leave it out
  for (const it of found) changed.setBody(it, module.nop());
  writeFileSync(wasm, module.emitBinary());
  module.dispose();
}

/**
 * Makes it small, and takes the names of functions away, which were an eighth of the upload (cargo's `strip` would take what
 * wasm-bindgen needs as well). Functions with one caller stay functions where they are longer than 20 instructions: inlined
 * into each other they become some with hundreds of locals, which compress badly; that is 20 kB of 310. The stack ends in low
 * memory, where nothing is kept. Like functions side by side are another 5 kB.
 * @param {string} wasm
 */
async function optimize(wasm) {
  const unused = `--remove-exports=${UNUSED.map((name) => `*${name}*`).join(",")}`;
  const smaller = ["--low-memory-unused", "--one-caller-inline-max-function-size=20", "-Oz", "-Oz"];
  await silence(wasm);
  wasmOpt(wasm, [unused, ...smaller, "--strip-debug", "--strip-producers"]);
  writeFileSync(wasm, nameAlike(readFileSync(wasm)));
  wasmOpt(wasm, ["--reorder-functions-by-name", "--strip-debug"]);
}

/** @param {string} wasm @param {string[]} passes */
function wasmOpt(wasm, passes) {
  const features = FEATURES.map((feature) => `--enable-${feature}`);
  const program = resolve("node_modules/.bin/wasm-opt");
  const { status } = spawnSync(program, [...features, ...passes, wasm, "-o", wasm], { stdio: "inherit" });
  if (status !== 0) fail("the built edge could not be made smaller; see above");
}

async function build() {
  step("building the edge for WebAssembly (about two minutes the first time)");
  const bin = (/** @type {string} */ name) => resolve("node_modules/.bin", name);
  const { status } = spawnSync(workerBuild.path, ["--profile", "wasm", "--no-opt", "--out-dir", resolve(BUILD)], {
    cwd: "edge/worker",
    stdio: "inherit",
    env: {
      ...process.env,
      PATH: `${resolve("node_modules/.bin")}:${process.env.PATH}`,
      WASM_BINDGEN_BIN: wasmBindgen.path,
      ESBUILD_BIN: bin("esbuild"),
      // SHA-256 rolled up: a report is some thousand bytes.
      CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS: '--cfg sha2_backend_soft="compact"',
    },
  });
  if (status !== 0) fail("the edge did not build; see above");
  await optimize(join(BUILD, "index_bg.wasm"));
  writeFileSync(STAMP, "");
}

writePages();
const fresh = existsSync(STAMP) && statSync(STAMP).mtimeMs > Math.max(...SOURCES.map(newest));
if (!fresh) await build();

const { limitBytes } = JSON.parse(readFileSync("bench/wasm-size.json", "utf8"));
const size = gzipped();
const kb = (/** @type {number} */ bytes) => `${(bytes / 1000).toFixed(1)} kB`;
if (size > limitBytes) {
  fail(
    `the edge has ${kb(size)} gzipped, more than the ${kb(limitBytes)} of bench/wasm-size.json. Make it smaller, or say in that file why it has to be larger.`,
  );
}
if (!fresh) note(`the edge has ${kb(size)} gzipped, at most ${kb(limitBytes)}`);
