// Sets up what the wasm build needs beside cargo: the wasm target, worker-build and wasm-bindgen.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fail, note, step } from "./say.mjs";
import { toolsRoot, versions } from "./versions.mjs";

const TARGET = "wasm32-unknown-unknown";

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

function binaries() {
  if (existsSync(join(toolsRoot, "bin", "worker-build"))) return;
  step(`building worker-build ${versions.workerBuild} and wasm-bindgen ${versions.wasmBindgen}`);
  note(`once per machine, three to five minutes on two cores; kept in ${toolsRoot}`);
  mkdirSync(dirname(toolsRoot), { recursive: true });
  // Built beside and renamed: a build that was interrupted leaves nothing that looks finished.
  const building = mkdtempSync(`${toolsRoot}.building-`);
  const crates = [`worker-build@${versions.workerBuild}`, `wasm-bindgen-cli@${versions.wasmBindgen}`];
  const { status } = spawnSync("cargo", ["install", ...crates, "--locked", "--root", building], {
    stdio: "inherit",
    // The checkout's own settings for cargo have no say in how tools are built.
    cwd: dirname(toolsRoot),
  });
  if (status !== 0) {
    rmSync(building, { recursive: true, force: true });
    fail("cargo could not build them; see above");
  }
  try {
    renameSync(building, toolsRoot);
  } catch (error) {
    // Another `make` was faster.
    rmSync(building, { recursive: true, force: true });
    if (!existsSync(join(toolsRoot, "bin", "worker-build"))) throw error;
  }
}

target();
binaries();
