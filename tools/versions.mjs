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

/** Where built tools are kept: outside the checkout, as they take minutes to build. */
export const toolsRoot = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "heapbeat");

/** A program that cargo builds, in a folder for that version of it. @param {string} crate @param {string} program @param {string} version */
const tool = (crate, program, version) => {
  const root = join(toolsRoot, `${crate}-${version}`);
  return { crate, program, version, root, path: join(root, "bin", program) };
};

/** `worker-build` has the version of `worker`, the command line of wasm-bindgen that of its library. */
export const workerBuild = tool("worker-build", "worker-build", exact("worker"));
export const wasmBindgen = tool("wasm-bindgen-cli", "wasm-bindgen", exact("wasm-bindgen"));
