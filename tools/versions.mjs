// The versions that have to go together, read from where cargo reads them.

import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { parse } from "smol-toml";

/** @type {any} */
const manifest = parse(readFileSync("Cargo.toml", "utf8"));

/** @param {string} name */
function exact(name) {
  const entry = manifest.workspace.dependencies[name];
  const version = typeof entry === "string" ? entry : entry.version;
  if (!version.startsWith("=")) throw new Error(`Cargo.toml: ${name} has to be pinned with =, it is ${version}`);
  return version.slice(1);
}

/** `worker-build` has the version of `worker`, the command line of wasm-bindgen that of its library. */
export const versions = { workerBuild: exact("worker"), wasmBindgen: exact("wasm-bindgen") };

const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");

/** Where the two are kept: outside the checkout, as they take minutes to build, and one folder a pair of versions. */
export const toolsRoot = join(
  cache,
  "heapbeat",
  `worker-build-${versions.workerBuild}-wasm-bindgen-${versions.wasmBindgen}`,
);
