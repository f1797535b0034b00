// Builds the edge to edge/build and says how large it is. Does nothing where nothing has changed.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { fail, note, step } from "./say.mjs";
import { wasmBindgen, workerBuild } from "./versions.mjs";

const BUILD = "edge/build";
const STAMP = join(BUILD, ".stamp");

/** What the built worker is made of. */
const SOURCES = ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "shared", "edge", "tools/wasm.mjs"];

/** The newest change below `path`, in milliseconds; `build` and `target` are results, not sources. @param {string} path @returns {number} */
function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  const inside = readdirSync(path).filter((name) => name !== "build" && name !== "target");
  return Math.max(stat.mtimeMs, ...inside.map((name) => newest(join(path, name))));
}

/** Bytes of the WebAssembly, gzipped. */
const gzipped = () => gzipSync(readFileSync(join(BUILD, "index_bg.wasm"))).length;

/** Classes that the `worker` crate offers to JavaScript and that nothing here makes. */
const UNUSED = ["intounderlying", "minifyconfig", "containerstartupoptions", "r2range"];

/**
 * Takes the names of functions away, an eighth of the upload, and goes over the rest once more. worker-build insists on the
 * names, and cargo's `strip` would take what wasm-bindgen needs as well. The stack ends in low memory, where nothing is kept.
 * Functions in the order of their names have like ones side by side, which gzip likes.
 * @param {string} wasm
 */
function strip(wasm) {
  const unused = `--remove-exports=${UNUSED.map((name) => `*${name}*`).join(",")}`;
  const smaller = ["--low-memory-unused", "-Oz", "--reorder-functions-by-name", "--strip-debug", "--strip-producers"];
  const passes = ["--all-features", unused, ...smaller];
  const { status } = spawnSync(resolve("node_modules/.bin/wasm-opt"), [...passes, wasm, "-o", wasm], {
    stdio: "inherit",
  });
  if (status !== 0) fail("the built edge could not be made smaller; see above");
}

function build() {
  step("building the edge for WebAssembly (about two minutes the first time)");
  const bin = (/** @type {string} */ name) => resolve("node_modules/.bin", name);
  const { status } = spawnSync(workerBuild.path, ["--profile", "wasm"], {
    cwd: "edge",
    stdio: "inherit",
    env: {
      ...process.env,
      PATH: `${resolve("node_modules/.bin")}:${process.env.PATH}`,
      WASM_BINDGEN_BIN: wasmBindgen.path,
      ESBUILD_BIN: bin("esbuild"),
      WASM_OPT_BIN: bin("wasm-opt"),
      // SHA-256 rolled up: a report is some thousand bytes.
      CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS: '--cfg sha2_backend_soft="compact"',
    },
  });
  if (status !== 0) fail("the edge did not build; see above");
  strip(join(BUILD, "index_bg.wasm"));
  writeFileSync(STAMP, "");
}

const fresh = existsSync(STAMP) && statSync(STAMP).mtimeMs > Math.max(...SOURCES.map(newest));
if (!fresh) build();

const { limitBytes } = JSON.parse(readFileSync("bench/wasm-size.json", "utf8"));
const size = gzipped();
const kb = (/** @type {number} */ bytes) => `${(bytes / 1000).toFixed(1)} kB`;
if (size > limitBytes) {
  fail(
    `the edge has ${kb(size)} gzipped, more than the ${kb(limitBytes)} of bench/wasm-size.json. Make it smaller, or say in that file why it has to be larger.`,
  );
}
if (!fresh) note(`the edge has ${kb(size)} gzipped, at most ${kb(limitBytes)}`);
