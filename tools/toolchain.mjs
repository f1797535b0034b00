// Adds Rust's WebAssembly target if it is missing: rustup installs it only together with a toolchain.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { captureCommand } from "./process.mjs";

/** Throws if the target cannot be added. @param {string} target */
export async function addRustTarget(target) {
  const { stdout } = spawnSync("rustc", ["--target", target, "--print", "target-libdir"], { encoding: "utf8" });
  const libraries = stdout?.trim();
  if (libraries && existsSync(libraries)) return;
  if (spawnSync("rustup", ["--version"]).error) {
    throw new Error(
      `Rust has no ${target} target and rustup is missing: install the target the way Rust was installed`,
    );
  }
  let output = "";
  try {
    await captureCommand(["rustup", "target", "add", target], {
      onOutput: (text) => {
        output += text;
      },
    });
  } catch (error) {
    throw new Error(`${output.trim()}\n${/** @type {Error} */ (error).message}`);
  }
}
