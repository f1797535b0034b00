// What a person reads who has not everything that `make run` needs.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { findFreePort } from "../support/target.mjs";
import { createTempDir } from "../support/temp-dir.mjs";

/**
 * Returns a directory with links to all programs of this machine but some.
 * @param {import("node:test").TestContext} t @param {string[]} missing
 */
async function linkPrograms(t, missing) {
  const directory = await createTempDir(t);
  const names = new Set(missing);
  for (const path of (process.env.PATH ?? "").split(delimiter).filter((path) => !path.includes("node_modules"))) {
    for (const name of listDirectory(path)) {
      if (names.has(name)) continue;
      names.add(name);
      symlinkSync(join(path, name), join(directory, name));
    }
  }
  return directory;
}

/** @param {string} path */
function listDirectory(path) {
  try {
    return readdirSync(path);
  } catch {
    // PATH may name what does not exist.
    return [];
  }
}

/** Runs `make run`; returns what it prints on standard error. @param {Record<string, string>} env */
async function readErrors(env) {
  const ports = { PORT: String(await findFreePort()), EDGE_PORT: String(await findFreePort()) };
  const { status, stderr } = spawnSync("make", ["run"], {
    encoding: "utf8",
    env: { ...process.env, ...ports, ...env, NO_COLOR: "1" },
  });
  assert.notEqual(status, 0);
  return stderr;
}

/** @param {string} stderr @param {RegExp} message */
function assertOneLine(stderr, message) {
  const lines = stderr.split("\n").filter((line) => line && !/^make(\[\d+\])?:/.test(line));
  assert.equal(lines.length, 1, stderr);
  assert.match(lines[0], message);
}

const CASES = [
  {
    name: "Rust",
    missing: ["cargo", "rustc", "rustup"],
    message: /^heapbeat: cargo is missing: install Rust from https/,
  },
  {
    name: "Node",
    missing: ["node", "nodejs", "npm", "npx"],
    message: /^heapbeat: Node is missing: install Node 18 or later/,
  },
  { name: "npm", missing: ["npm"], message: /^heapbeat: npm is missing: install it with Node/ },
  { name: "a C compiler", missing: ["cc"], message: /^heapbeat: a C compiler \(cc\) is missing: install gcc or clang/ },
];
for (const { name, missing, message } of CASES) {
  test(`without ${name} one line says what to install`, async (t) => {
    assertOneLine(await readErrors({ PATH: await linkPrograms(t, missing) }), message);
  });
}

test("an old Node is named with its version", async (t) => {
  const directory = await linkPrograms(t, ["node"]);
  writeFileSync(
    join(directory, "old.cjs"),
    'Object.defineProperty(process, "version", { value: "v16.20.2" });\n' +
      'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "16.20.2" } });\n',
  );
  const script = `#!/bin/sh\nexec "${process.execPath}" --require "${directory}/old.cjs" "$@"\n`;
  writeFileSync(join(directory, "node"), script, { mode: 0o755 });
  assertOneLine(
    await readErrors({ PATH: directory }),
    /^heapbeat: Node is v16\.20\.2, too old: install Node 18 or later/,
  );
});

test("without crates and network one line says so", async (t) => {
  const CARGO_HOME = await createTempDir(t);
  const CARGO_HTTP_PROXY = `http://127.0.0.1:${await findFreePort()}`;
  const stderr = await readErrors({ CARGO_HOME, CARGO_HTTP_PROXY, CARGO_NET_RETRY: "0" });
  assertOneLine(stderr, /^heapbeat: cargo could not download crates: check the network connection/);
});
