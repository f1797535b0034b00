// From an empty folder, with Node and no tool of Rust: the packed tarballs of `heapbeat` guard an Express program that leaks, and that of
// `heapbeat-edge` watches it. The time of each step is printed.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import {
  findPackage,
  findProgram,
  leakUntilReplaced,
  makePackages,
  makePath,
  RunningCommand,
  runIn,
  timed,
} from "../support/packages.mjs";
import { commandOf, executableOf, findDescendants } from "../support/process-tree.mjs";
import { findFreePort } from "../support/target.mjs";
import { waitUntil } from "../support/wait.mjs";

const OFFLINE_FIRST = ["--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"];
const LIMIT_MB = 256;

const directory = mkdtempSync(join(tmpdir(), "heapbeat-packages-"));
const shop = join(directory, "shop");
const status = join(directory, "status");
/** @type {string} */ let packages;
/** @type {Record<string, string | undefined>} */ let env;
/** @type {RunningCommand} */ let guarded;
/** @type {RunningCommand | undefined} */ let edge;
/** @type {number} */ let port;
/** @type {number} */ let edgePort;

before(async () => {
  packages = await timed("the packages are made", makePackages(join(directory, "dist")));
  const npm = findProgram("npm").replace(/npm-cli\.js$/, "");
  const programs = { node: process.execPath, npm: join(npm, "npm-cli.js"), npx: join(npm, "npx-cli.js") };
  const PATH = makePath(join(directory, "bin"), programs);
  const { HOME, npm_config_registry, npm_config_cache, NODE_EXTRA_CA_CERTS } = process.env;
  env = { PATH, HOME, npm_config_registry, npm_config_cache, NODE_EXTRA_CA_CERTS, NO_COLOR: "1", CI: "true" };
  port = await findFreePort();
  edgePort = await findFreePort();
  mkdirSync(shop);
});

after(async () => {
  await edge?.stop();
  await guarded?.stop();
  rmSync(directory, { recursive: true, force: true });
});

test("npm installs the program without a script", async () => {
  const scripts = { start: `exec heapbeat run --limit ${LIMIT_MB}MB -- node server.js` };
  writeFileSync(join(shop, "package.json"), JSON.stringify({ name: "shop", private: true, type: "module", scripts }));
  copyFileSync("server/examples/programs/express/server.js", join(shop, "server.js"));
  const tarballs = [/^heapbeat-\d.*\.tgz$/, new RegExp(`^heapbeat-linux-${process.arch}-`)].map((name) =>
    findPackage(packages, name),
  );
  const command = ["npm", "install", "--ignore-scripts", ...OFFLINE_FIRST, ...tarballs, "express@5.3.0", "ws@8.23.0"];
  await timed("npm install heapbeat express", runIn(shop, command, env));
  const version = await runIn(shop, ["npx", "heapbeat", "--version"], env);
  assert.match(version, /^heapbeat \d+\.\d+\.\d+/);
});

test("npm start runs the program under guard, and no process of Node beside it", async () => {
  guarded = new RunningCommand(shop, ["npm", "start"], { ...env, PORT: String(port) });
  const answer = waitUntil("the first answer", async () => {
    guarded.hasPrinted(/./);
    return fetch(`http://127.0.0.1:${port}/`).then(
      (response) => response.ok,
      () => false,
    );
  });
  await timed("npm start, until the first answer", answer);
  const health = await (await fetch(`http://127.0.0.1:${port}/health`)).json();
  assert.ok(health.memory.rss > 0, JSON.stringify(health));
  const node = executableOf(process.pid);
  const nodes = findDescendants(guarded.pid).filter((pid) => executableOf(pid) === node);
  assert.deepEqual(nodes.map(commandOf), ["node server.js"]);
});

test("a leak is replaced without a failed request", async () => {
  await leakUntilReplaced(guarded, port, { rate: 15, path: "/leak?kb=1024" });
});

test("heapbeat-edge init writes a project with secrets that only its owner reads", async () => {
  await runIn(directory, ["tar", "xzf", findPackage(packages, /^heapbeat-edge-.*\.tgz$/)], env);
  const command = ["node", "package/tools/edge/heapbeat-edge.mjs", "init", "status", "--no-install"];
  const answers = ["--backend", `http://127.0.0.1:${port}`, "--title", "Shop status", "--name", "shop-status"];
  const output = await timed("heapbeat-edge init", runIn(directory, [...command, ...answers], env));
  assert.match(output, /is a heapbeat server: \d+ MB/);
  assert.equal(statSync(join(status, ".dev.vars")).mode & 0o777, 0o600);
  const config = readFileSync(join(status, "wrangler.toml"), "utf8");
  assert.match(config, new RegExp(`url = "http://127.0.0.1:${port}/health"`));
  const [, secret] = /^HEAPBEAT_SECRET="(\w{64})"$/m.exec(readFileSync(join(status, ".dev.vars"), "utf8")) ?? [];
  assert.ok(secret);
  assert.ok(!output.includes(secret) && !config.includes(secret));
  // A second run would replace the secrets.
  await assert.rejects(runIn(directory, [...command, ...answers], env), /exists already/);
});

test("init asks at a terminal, and again after an answer that is wrong", async (t) => {
  // `script` gives the command a terminal.
  const command = "node package/tools/edge/heapbeat-edge.mjs init asked --no-install";
  const args = ["--quiet", "--return", "--command", command, "/dev/null"];
  const child = spawn(findProgram("script"), args, { cwd: directory, env });
  t.after(() => child.kill("SIGKILL"));
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
  const exit = once(child, "exit");
  for (const [question, answer] of [
    ["Address of your backend:", "ftp://x"],
    ["is no address", ""],
    ["is missing", "backend.invalid"],
    ["Title of the page: [backend.invalid status]", "Shop"],
    ["Name of the Worker: [heapbeat]", "My Worker!"],
    ["is no name of a Worker", "shop-status"],
  ]) {
    await waitUntil(question, () => {
      assert.equal(child.exitCode, null, output);
      const at = output.indexOf(question);
      // The prompt is written after the problem.
      return at >= 0 && /[:\]] $/.test(stripVTControlCharacters(output.slice(at)));
    });
    child.stdin.write(`${answer}\n`);
  }
  const [code] = await exit;
  assert.equal(code, 0, output);
  assert.match(output, /backend\.invalid\/health does not answer .*; check the address/);
  const config = readFileSync(join(directory, "asked/wrangler.toml"), "utf8");
  assert.match(config, /^name = "shop-status"$/m);
  assert.match(config, /^title = "Shop"$/m);
  assert.match(config, /^url = "https:\/\/backend\.invalid\/health"$/m);
});

test("the packed edge watches the program from a local workerd", async () => {
  const secret = /HEAPBEAT_SECRET="(\w+)"/.exec(readFileSync(join(status, ".dev.vars"), "utf8"))?.[1];
  // Until now the program had no secret; with it, the edge reads every sample. A stop reaches it through npm, and leaves nothing behind.
  await guarded.stop();
  const restarted = { ...env, PORT: String(port), HEAPBEAT_SECRET: secret };
  guarded = new RunningCommand(shop, ["npm", "start"], restarted);
  const tarball = findPackage(packages, /^heapbeat-edge-.*\.tgz$/);
  await timed(
    "npm install heapbeat-edge",
    runIn(status, ["npm", "install", "--ignore-scripts", ...OFFLINE_FIRST, tarball], env),
  );
  edge = new RunningCommand(status, ["node_modules/.bin/heapbeat-edge", "dev"], {
    ...env,
    EDGE_PORT: String(edgePort),
    TICK: "5s",
  });
  const watched = waitUntil("a signed report at the edge", async () => {
    edge?.hasPrinted(/./);
    const response = await fetch(`http://127.0.0.1:${edgePort}/api/v1/status`).catch(() => undefined);
    const body = response?.ok ? /** @type {any} */ (await response.json()) : undefined;
    const monitor = body?.monitors[0];
    return monitor?.state === "up" && monitor.memory?.limit ? monitor : undefined;
  });
  const monitor = await timed("heapbeat-edge dev, until the first signed report", watched);
  assert.equal(monitor.memory.limit, LIMIT_MB);
  assert.ok(monitor.memory.heapUsed > 0);
  const page = await (await fetch(`http://127.0.0.1:${edgePort}/`)).text();
  assert.match(page, /Shop status/);
});

test("heapbeat-edge deploy refuses an address that Cloudflare cannot reach", async () => {
  const deployed = runIn(status, ["node_modules/.bin/heapbeat-edge", "deploy", "--yes"], env);
  await assert.rejects(deployed, /wrangler\.toml:\d+: MONITORS\[0\]\.url: `127\.0\.0\.1` is a private address/);
});

test("heapbeat-edge deploy refuses without a terminal, after the dry run and the check of the settings", async () => {
  const config = join(status, "wrangler.toml");
  writeFileSync(config, readFileSync(config, "utf8").replace(`http://127.0.0.1:${port}`, "https://api.invalid"));
  const deployed = runIn(status, ["node_modules/.bin/heapbeat-edge", "deploy"], env);
  await assert.rejects(deployed, (/** @type {Error} */ { message }) => {
    assert.match(message, /env\.HUB/);
    assert.match(message, /ADMIN_TOKEN, HEAPBEAT_SECRET, from \.dev\.vars/);
    assert.match(message, /nothing was deployed: without a terminal/);
    return true;
  });
});
