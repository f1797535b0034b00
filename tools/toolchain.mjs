// Adds Rust's WebAssembly target if it is missing: rustup installs it only where it reads rust-toolchain.toml itself.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fail, step } from "./say.mjs";

const TARGET = "wasm32-unknown-unknown";

const { stdout } = spawnSync("rustc", ["--target", TARGET, "--print", "target-libdir"], { encoding: "utf8" });
const libraries = stdout?.trim();
if (!libraries || !existsSync(libraries)) {
  step(`adding Rust's ${TARGET} target`);
  const { status, error } = spawnSync("rustup", ["target", "add", TARGET], { stdio: "inherit" });
  if (error) fail(`Rust has no ${TARGET} target, and there is no rustup to add it: install it as Rust was installed`);
  if (status !== 0) fail(`rustup could not add the ${TARGET} target; see above`);
}
