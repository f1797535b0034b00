// From an empty cargo project: the packaged crates, not the workspace, embedded as their README says. Cargo finds them by a patch of
// crates.io, as they are not published; everything else comes from there, in the versions of Cargo.lock.

import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { after, test } from "node:test";
import { RunningCommand, runIn, timed } from "../support/packages.mjs";
import { findFreePort } from "../support/target.mjs";
import { waitUntil } from "../support/wait.mjs";

const directory = mkdtempSync(join(tmpdir(), "heapbeat-crates-"));
const packages = join(directory, "packages");
const project = join(directory, "project");
/** @type {RunningCommand | undefined} */ let application;

after(async () => {
  await application?.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Packs all crates that are published, and returns the folder of each by its name. */
async function packCrates() {
  const metadata = JSON.parse(await runIn(".", ["cargo", "metadata", "--no-deps", "--format-version=1", "--locked"]));
  /** @type {{ name: string, publish: string[] | null }[]} */ const crates = metadata.packages;
  const published = crates.filter(({ publish }) => publish === null).map(({ name }) => `--package=${name}`);
  const flags = ["--no-verify", "--allow-dirty", "--locked", "--quiet", "--target-dir", packages];
  await runIn(".", ["cargo", "package", ...published, ...flags]);
  const archives = readdirSync(join(packages, "package")).filter((name) => name.endsWith(".crate"));
  /** @type {Record<string, string>} */ const folders = {};
  for (const archive of archives) {
    await runIn(packages, ["tar", "--extract", "--gzip", "--file", join("package", archive)]);
    const name = basename(archive, ".crate");
    folders[name.replace(/-\d+\..*$/, "")] = join(packages, name);
  }
  return folders;
}

/** The README's program as an application of its own. @param {Record<string, string>} folders */
function writeProject(folders) {
  const code = /```rust,no_run\n([\s\S]*?)```/.exec(readFileSync(join(folders.heapbeat, "README.md"), "utf8"))?.[1];
  assert.ok(code, "the README of the crate has a program");
  const patches = Object.entries(folders).map(([name, path]) => `${name} = { path = ${JSON.stringify(path)} }`);
  const manifest = [
    '[package]\nname = "embedded"\nversion = "0.0.0"\nedition = "2024"\n',
    '[dependencies]\nheapbeat = "*"\naxum = "*"\ntokio = { version = "*", features = ["full"] }\n',
    `[patch.crates-io]\n${patches.join("\n")}\n`,
    // As in the workspace, so that what is compiled there serves here as far as it is the same.
    '[profile.dev]\ndebug = "line-tables-only"\n[profile.dev.package."*"]\ndebug = false\n',
    "[workspace]\n",
  ];
  mkdirSync(join(project, "src"), { recursive: true });
  writeFileSync(join(project, "Cargo.toml"), manifest.join("\n"));
  writeFileSync(join(project, "src/main.rs"), code);
  for (const file of ["Cargo.lock", "rust-toolchain.toml"]) copyFileSync(file, join(project, file));
}

test("the packaged crates guard an application that has only their README", async () => {
  const folders = await timed("the crates are packed", packCrates());
  assert.ok(folders.heapbeat && folders["heapbeat-cli"], `packed: ${Object.keys(folders)}`);
  writeProject(folders);

  const target = resolve("target");
  const build = runIn(project, ["cargo", "build", "--quiet"], { CARGO_TARGET_DIR: target, CARGO_INCREMENTAL: "0" });
  await timed("the application is compiled", build);

  const port = await findFreePort();
  application = new RunningCommand(project, [join(target, "debug/embedded")], {
    ...{ PATH: process.env.PATH, HOME: directory, PORT: String(port) },
    HEAPBEAT_MEMORY_LIMIT: "256MB",
  });
  const running = application;
  const health = await waitUntil("the first answer", () => {
    running.hasPrinted(/./);
    return fetch(`http://127.0.0.1:${port}/health`).then(
      (response) => response.json(),
      () => undefined,
    );
  });
  assert.equal(health.status, "healthy");
  assert.ok(health.memory.rss > 0 && health.memory.heapUsed > 0, JSON.stringify(health));
  const answer = await fetch(`http://127.0.0.1:${port}/`);
  assert.equal(await answer.text(), "hello");
});
