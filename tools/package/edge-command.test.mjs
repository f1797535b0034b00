// What `heapbeat-edge` writes and prints: secrets that are read back as they are, files of others that stay, and no character that a terminal obeys.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { parseEnv } from "node:util";
import { recognizeBackend } from "../edge/backend.mjs";
import { missingLines } from "../edge/init.mjs";
import { renderSecrets } from "../edge/project.mjs";
import { writeSecretFile } from "../edge/secret-file.mjs";
import { printable, singleLine } from "../log.mjs";

/** A folder of its own. @param {import("node:test").TestContext} t */
function createFolder(t) {
  const folder = mkdtempSync(join(tmpdir(), "heapbeat-edge-command-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs a program of these modules. @param {string} program @param {Record<string, string>} [env] */
const runModule = (program, env) =>
  spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });

/** Runs `heapbeat-edge init` in a folder. @param {string} folder @param {Record<string, string>} [env] */
const runInit = (folder, env) =>
  runModule(
    `import { init } from ${JSON.stringify(resolve("tools/edge/init.mjs"))};
    await init({ directory: ${JSON.stringify(folder)}, root: ${JSON.stringify(resolve("."))}, version: "0.1.0",
      backend: "http://127.0.0.1:1", title: "Shop", name: "shop", install: false });`,
    env,
  );

test("a secret is read back as it is, or refused", () => {
  const secrets = ['a"b', "a\\b", "a\\nb", "a\\", "a'b", "a`b", "a\"'b", "a#b", "$HOME", " a ", "é", "a='b'"];
  for (const secret of secrets) {
    const text = renderSecrets({ HEAPBEAT_SECRET: secret, ADMIN_TOKEN: "x" });
    assert.deepEqual({ ...parseEnv(text) }, { HEAPBEAT_SECRET: secret, ADMIN_TOKEN: "x" }, text);
  }
  for (const secret of ["a\nb", "a\"'`b", "a\u0000b"]) {
    assert.throws(
      () => renderSecrets({ HEAPBEAT_SECRET: secret, ADMIN_TOKEN: "x" }),
      /HEAPBEAT_SECRET has a line break/,
    );
  }
});

test("a file with secrets is new, and its owner's alone", (t) => {
  const folder = createFolder(t);
  const [other, path] = [join(folder, "other"), join(folder, "secret")];
  writeFileSync(other, "other");
  symlinkSync(other, path);
  writeSecretFile(path, "secret");
  assert.deepEqual([readFileSync(other, "utf8"), readFileSync(path, "utf8")], ["other", "secret"]);
  writeFileSync(other, "", { mode: 0o666 });
  writeSecretFile(other, "secret");
  assert.equal(statSync(other).mode & 0o777, 0o600);
});

test("wrangler gets the secrets as they are, and the file ends with the command", (t) => {
  const folder = createFolder(t);
  const { stdout } = runModule(
    `import { readFileSync, statSync } from "node:fs";
    import { lendSecrets } from ${JSON.stringify(resolve("tools/edge/secret-file.mjs"))};
    const path = lendSecrets({ HEAPBEAT_SECRET: "a$HOME\\"" });
    console.log(path, statSync(path).mode & 0o777, readFileSync(path, "utf8"));`,
    { TMPDIR: folder, HEAPBEAT_SECRET: "another one" },
  );
  const [path = "", mode, text] = stdout.trim().split(" ");
  assert.deepEqual([mode, text], [String(0o600), '{"HEAPBEAT_SECRET":"a$HOME\\""}']);
  assert.ok(path.startsWith(folder) && !existsSync(path));
  assert.deepEqual(readdirSync(folder), []);
});

test("init completes the .gitignore that is there, and leaves a folder alone that has more", (t) => {
  assert.equal(missingLines("/node_modules/\n.dev.vars", "node_modules\n.wrangler\n.dev.vars\n"), "\n.wrangler\n");
  assert.equal(missingLines("node_modules\n", "node_modules\n"), "");
  const folder = createFolder(t);
  writeFileSync(join(folder, ".gitignore"), "dist");
  const { status, stderr } = runInit(folder);
  assert.equal(status, 0, stderr);
  assert.match(readFileSync(join(folder, ".gitignore"), "utf8"), /^dist\nnode_modules\n[\s\S]*\.dev\.vars\n$/);

  for (const [file, prepare] of /** @type {const} */ ([
    [".dev.vars.example", (/** @type {string} */ path) => writeFileSync(path, "")],
    ["wrangler.toml", (/** @type {string} */ path) => symlinkSync("/nowhere/else", path)],
    [".gitignore", (/** @type {string} */ path) => symlinkSync("/nowhere/else", path)],
  ])) {
    const taken = createFolder(t);
    prepare(join(taken, file));
    const refused = runInit(taken);
    assert.equal(refused.status, 2);
    assert.match(refused.stderr, new RegExp(`${file.replaceAll(".", "\\.")} exists already`));
    assert.deepEqual(readdirSync(taken), [file], "nothing else is written");
  }
  const empty = createFolder(t);
  const refused = runInit(empty, { HEAPBEAT_SECRET: "a\nb" });
  assert.deepEqual([refused.status, readdirSync(empty)], [2, []]);
  assert.match(refused.stderr, /^heapbeat: HEAPBEAT_SECRET has a line break/);
});

test("what is printed has nothing that a terminal obeys", () => {
  const hostile = "a\u001b[2Jb\u009b31mc\u202ed\r\u0007\u2028e\tf\n👩\u200d🔬";
  assert.equal(printable(hostile), "abc d   e\tf\n👩\u200d🔬");
  assert.equal(singleLine("https://a\n== settings"), "https://a == settings");
});

test("the answer of a backend is read up to a bound", async () => {
  let sent = 0;
  const endless = new ReadableStream({
    pull(controller) {
      sent += 65_536;
      controller.enqueue(new Uint8Array(65_536).fill(32));
    },
  });
  const found = await recognizeBackend(new URL("https://a.example"), () => Promise.resolve(new Response(endless)));
  assert.equal(found.kind, "http");
  assert.ok(sent < 1 << 20, `${sent} bytes`);
});
