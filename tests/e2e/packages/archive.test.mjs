// The archive with the program, unpacked into an empty folder: the commands that guard nothing do their work on every system. The release runs
// this file on macOS and Windows as well, where nothing is installed but Node; so it imports nothing else.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import { findPackage, makePackages, runIn } from "../support/packages.mjs";

/** What the targets of a system end with. @type {Record<string, string>} */
const SYSTEMS = { linux: "unknown-linux-(musl|gnu)", darwin: "apple-darwin", win32: "pc-windows-gnu" };

/** What they begin with. ARCHIVE_ARCH names another machine that this system can be. @type {Record<string, string>} */
const MACHINES = { x64: "x86_64", arm64: "aarch64" };

const directory = mkdtempSync(join(tmpdir(), "heapbeat-archive-"));
/** @type {string} */ let program;

before(async () => {
  const packages = await makePackages(join(directory, "dist"));
  const machine = MACHINES[process.env.ARCHIVE_ARCH ?? process.arch];
  const system = SYSTEMS[process.platform];
  const archive = findPackage(packages, new RegExp(`^heapbeat-v.*-${machine}-${system}\\.tar\\.gz$`));
  await runIn(packages, ["tar", "-xzf", basename(archive), "-C", directory]);
  const name = process.platform === "win32" ? "heapbeat.exe" : "heapbeat";
  program = join(directory, basename(archive, ".tar.gz"), name);
});

after(() => rmSync(directory, { recursive: true, force: true }));

/**
 * Runs the program in the folder, and returns its exit code and what it prints.
 * @param {string[]} args @param {Record<string, string>} [env]
 */
async function run(args, env = {}) {
  const { HEAPBEAT_SECRET: _, PORT: __, ...inherited } = process.env;
  const child = spawn(program, args, { cwd: directory, env: { ...inherited, ...env }, stdio: "pipe" });
  child.stdin.end();
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text) => (output.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (output.stderr += text));
  const [code] = await once(child, "close");
  return { code, ...output };
}

/**
 * Starts a server that answers JSON, and returns its address.
 * @param {import("node:test").TestContext} t @param {(request: string) => unknown} answer
 */
async function serve(t, answer) {
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(answer(`${request.method} ${request.url}`)));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}`;
}

/** @param {string} name @param {string} text */
function writeIn(name, text) {
  mkdirSync(join(directory, name, ".."), { recursive: true });
  writeFileSync(join(directory, name), text);
}

test("the help lists the commands that this system has", async () => {
  const { code, stdout } = await run(["--help"]);
  assert.equal(code, 0);
  for (const command of ["check-memory", "init", "doctor", "forecast", "apply", "alerts", "convert"]) {
    assert.match(stdout, new RegExp(`^  ${command} `, "m"));
  }
  assert.equal(/^ {2}run /m.test(stdout), process.platform === "linux");
});

test("a command that needs Linux says so", { skip: process.platform === "linux" }, async () => {
  for (const args of [["run", "--", "node", "server.js"], ["serve"], ["recycle", "--help"]]) {
    const { code, stderr } = await run(args);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`^heapbeat: \`${args[0]}\` needs Linux, and this is `));
  }
});

test("check-memory measures a process", async () => {
  const args = ["check-memory", "--pid", String(process.pid), "--once", "--limit", "100GB", "--state", "state.csv"];
  for (const measurement of [1, 2]) {
    const { code, stdout, stderr } = await run([...args, "--json"]);
    assert.equal(code, 0, stderr);
    const { sample, system, uptime } = JSON.parse(stdout);
    // It counts the processes that this one has started as well.
    const { rss } = process.memoryUsage();
    assert.ok(sample.rss > rss / 4 && sample.rss < rss * 20, `${sample.rss} of ${rss}`);
    assert.ok(system.cpu_seconds > 0 && uptime < 24 * 3600, stdout);
    const lines = readFileSync(join(directory, "state.csv"), "utf8").trim().split("\n");
    assert.equal(lines.length, 1 + measurement);
  }
  const missing = await run(["check-memory", "--pid", "999999999", "--once"]);
  assert.deepEqual(
    [missing.code, missing.stderr.trim()],
    [3, "heapbeat: there is no process 999999999 on this machine"],
  );
});

test("check-memory and doctor ask a server", async (t) => {
  const memory = { rss: 240, heapUsed: 100, heapTotal: 120, external: 20 };
  const url = await serve(t, () => ({ status: "healthy", memory, uptime: 5 }));
  const { code, stdout, stderr } = await run(["check-memory", "--url", url, "--once", "--json", "--limit", "512MB"]);
  assert.equal(code, 0, stderr);
  assert.equal(JSON.parse(stdout).sample.rss, 240 * 2 ** 20);
  const doctor = await run(["doctor", "--url", url]);
  assert.match(doctor.stdout, /answers: 240\.0 MB resident/);
  assert.equal((await run(["check-memory", "--url", url, "--reachable"])).code, 0);
});

test("apply sends a file of monitors", async (t) => {
  /** @type {string[]} */
  const requests = [];
  const url = await serve(t, (request) => {
    requests.push(request);
    return { applied: true, added: ["api"], changed: [], removed: [], unchanged: [], problems: [] };
  });
  writeIn("monitors.toml", '[[monitors]]\nid = "api"\nkind = "http"\nurl = "https://api.example.com"\n');
  const { code, stdout, stderr } = await run(["apply", "monitors.toml", "--url", url], {
    HEAPBEAT_ADMIN_TOKEN: "t".repeat(40),
  });
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "+ api\nApplied: 1 added, 0 changed, 0 removed, 0 unchanged.\n");
  assert.deepEqual(requests, ["PUT /api/v1/admin/monitors"]);
});

test("forecast, convert and init read files", async () => {
  const lines = Array.from({ length: 2000 }, (_, at) => `${1_764_500_000 + at * 10},${1e8 + at * 150_000}\n`);
  writeIn("leak.csv", lines.join(""));
  const forecast = await run(["forecast", "--limit", "512MB", "--json", "leak.csv"]);
  assert.equal(forecast.code, 1, forecast.stdout + forecast.stderr);
  assert.equal(JSON.parse(forecast.stdout).verdict, "leaking");

  writeIn(
    "gatus/config.yaml",
    'endpoints:\n  - name: api\n    url: https://api.example.com\n    conditions: ["[STATUS] == 200"]\n',
  );
  const converted = await run(["convert", "--from", "gatus", "gatus"]);
  assert.equal(converted.code, 0, converted.stderr);
  assert.match(converted.stdout, /^url = "https:\/\/api\.example\.com"$/m);

  writeIn("project/package.json", '{"scripts":{"start":"node server.js"},"dependencies":{"express":"5"}}\n');
  const init = await run(["init", "project"]);
  assert.equal(init.code, 0, init.stderr);
  const { scripts } = JSON.parse(readFileSync(join(directory, "project/package.json"), "utf8"));
  assert.equal(scripts.start, "exec heapbeat run -- node server.js");
});
