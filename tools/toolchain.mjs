// Sets up what the wasm build needs beside cargo: the wasm target, worker-build and wasm-bindgen.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fail, note, step } from "./say.mjs";
import { toolsRoot, wasmBindgen, workerBuild } from "./versions.mjs";

const TARGET = "wasm32-unknown-unknown";

/** They run for a second a build: what counts is how soon they are there. */
const SOON = {
  CARGO_PROFILE_RELEASE_OPT_LEVEL: "1",
  CARGO_PROFILE_RELEASE_LTO: "off",
  CARGO_PROFILE_RELEASE_CODEGEN_UNITS: "16",
  CARGO_PROFILE_RELEASE_DEBUG: "0",
};

/** @param {string} command @param {string[]} args */
const output = (command, args) => spawnSync(command, args, { encoding: "utf8" }).stdout?.trim() ?? "";

function target() {
  const libraries = output("rustc", ["--target", TARGET, "--print", "target-libdir"]);
  if (libraries && existsSync(libraries)) return;
  step(`adding Rust's ${TARGET} target`);
  const { status, error } = spawnSync("rustup", ["target", "add", TARGET], { stdio: "inherit" });
  if (error)
    fail(`Rust has no ${TARGET} target and there is no rustup to add it: install it as your Rust was installed`);
  if (status !== 0) fail(`rustup could not add the ${TARGET} target`);
}

/** Builds one of them below `building`. @param {typeof workerBuild} tool @param {string} building @param {string[]} how */
function install({ crate, program, version }, building, how) {
  const root = join(building, crate);
  const compiled = join(building, "target");
  const args = [
    "install",
    `${crate}@${version}`,
    "--bin",
    program,
    "--root",
    root,
    "--target-dir",
    compiled,
    "--no-track",
  ];
  const { status } = spawnSync("cargo", [...args, ...how], {
    stdio: "inherit",
    // The checkout's own settings for cargo have no say in how tools are built.
    cwd: building,
    env: { ...process.env, ...SOON },
  });
  return status === 0 ? root : undefined;
}

/**
 * Builds what is missing. Each is kept as soon as it is there, so that trouble with one does not cost the other; and each is
 * built beside its place and renamed, so that a build that was interrupted leaves nothing that looks finished.
 * @param {(typeof workerBuild)[]} tools
 */
function binaries(tools) {
  const missing = tools.filter(({ path }) => !existsSync(path));
  if (missing.length === 0) return;
  step(`building ${missing.map(({ crate, version }) => `${crate} ${version}`).join(" and ")}`);
  note(`once per machine, a few minutes on two cores; kept in ${toolsRoot}`);
  mkdirSync(toolsRoot, { recursive: true });
  const building = mkdtempSync(join(toolsRoot, ".building-"));
  try {
    for (const tool of missing) keep(tool, building);
  } finally {
    rmSync(building, { recursive: true, force: true });
  }
}

/** @param {typeof workerBuild} tool @param {string} building */
function keep(tool, building) {
  let root = install(tool, building, ["--locked"]);
  if (!root) {
    // A registry may lack, or have withdrawn, a version that its authors locked.
    note(
      `${tool.crate} does not build with the versions that its authors locked; trying with the newest compatible ones`,
    );
    root = install(tool, building, []);
  }
  if (!root) throw new Error(`cargo could not build ${tool.crate} ${tool.version}; see above`);
  try {
    renameSync(root, tool.root);
  } catch (error) {
    // Another `make` was faster.
    if (!existsSync(tool.path)) throw error;
  }
}

target();
try {
  binaries([workerBuild, wasmBindgen]);
} catch (error) {
  // Not inside: leaving the process there would leave half a build behind.
  fail(error instanceof Error ? error.message : String(error));
}
