// The edge watches an unmodified Node program behind `heapbeat run`, as it watches an application that embeds heapbeat: memory history
// with the heap of the runtime, a restart between two probes, and the cause of a crash with its evidence, on the page as well.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { GuardedProgram } from "../support/guarded-program.mjs";
import { SECRET } from "../support/signed-server.mjs";
import { waitUntil } from "../support/wait.mjs";

/** Answers with its process id; `/grow` fills the heap until V8 gives up; `/slow` never answers. */
const PROGRAM = `
const kept = [];
require("node:http").createServer((request, response) => {
  if (request.url === "/slow") return;
  if (request.url === "/grow") for (;;) kept.push(Array.from({ length: 1000 }, (_, number) => ({ number })));
  response.end(String(process.pid));
}).listen(process.env.PORT);
`;

const directory = mkdtempSync(join(tmpdir(), "heapbeat-e2e-"));
/** @type {GuardedProgram} */ let guarded;
/** @type {Edge} */ let edge;

before(async () => {
  writeFileSync(join(directory, "server.js"), PROGRAM);
  guarded = await GuardedProgram.start(["node", "server.js"], {
    cwd: directory,
    // V8 gives up before the guard would replace the program.
    options: ["--limit", "900MB"],
    env: { HEAPBEAT_SECRET: SECRET, NODE_OPTIONS: "--max-old-space-size=64", HEAPBEAT_DRAIN_WINDOW: "0s" },
  });
  const monitor = defineMonitor("program", `${guarded.url}/health`, { "failure-threshold": 3 });
  edge = await Edge.start([monitor], { vars: { HEAPBEAT_SECRET: SECRET } });
});

after(async () => {
  await edge?.stop();
  await guarded?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const readPid = async () => (await fetch(guarded.url)).text();

/** Waits until another process of the program answers. @param {string} pid */
const waitForSuccessor = (pid) =>
  waitUntil("the next instance", async () => {
    const answer = await readPid().catch(() => pid);
    return /^\d+$/.test(answer) && answer !== pid;
  });

test("the edge has the heap of the runtime and a history of samples", async () => {
  const program = await waitUntil("samples with a heap", async () => {
    const monitor = await edge.tickAndReadMonitor("program");
    return monitor.memory?.heapUsed > 0 ? monitor : undefined;
  });
  assert.equal(program.state, "up", program.reason);
  assert.equal(program.memory.limit, 900);
  assert.equal(program.memory.pressure, "calm");
  assert.ok(program.memory.heapTotal >= program.memory.heapUsed);
  const { samples } = await waitUntil("a few samples", async () => {
    await edge.tick();
    const memory = await edge.readJson(`/api/v1/monitors/program/memory?from=${edge.now - 3_600_000}&to=${edge.now}`);
    return memory.samples.length > 3 ? memory : undefined;
  });
  assert.ok(samples.some((/** @type {number[]} */ row) => row.slice(1).every((figure) => figure > 0)));
});

test("a restart between two probes is counted, with its cause", async () => {
  const before = await edge.tickAndReadMonitor("program");
  const pid = await readPid();
  const slow = fetch(`${guarded.url}/slow`, { method: "POST" }).then(
    (response) => response.status,
    () => 0,
  );
  await waitUntil("the request in flight", () => readPid().then(() => true));
  process.kill(Number(pid), "SIGKILL");
  await waitForSuccessor(pid);
  assert.equal(await slow, 502, "a POST is not repeated");
  const program = await edge.tickAndReadMonitor("program");
  assert.equal(program.state, "up", program.reason);
  assert.equal(program.restarts.length, before.restarts.length + 1);
  assert.equal(program.last_exit.kind, "crash");
  const { evidence_statements: statements } = program.last_exit;
  const interrupted = statements.find((/** @type {any} */ statement) => statement.code === "requests-in-flight");
  assert.ok(interrupted?.params.requests >= 1, JSON.stringify(statements));
  assert.ok(!JSON.stringify(program).includes("/slow"), "routes are not public");
  assert.ok(
    program.last_exit.evidence.some((/** @type {string} */ text) => text.includes("SIGKILL")),
    JSON.stringify(program.last_exit),
  );
});

test("a heap that ran out of memory is the cause, and on the page", async () => {
  const pid = await readPid();
  await fetch(`${guarded.url}/grow`).catch(() => undefined);
  await waitForSuccessor(pid);
  const program = await edge.tickAndReadMonitor("program");
  assert.equal(program.last_exit.kind, "out_of_memory", JSON.stringify(program.last_exit));
  assert.ok(program.last_exit.evidence.some((/** @type {string} */ text) => /heap/i.test(text)));
  const page = await edge.readText("/monitors/program");
  assert.match(page, /Last exit .*out of memory: ended by its runtime.*JavaScript heap out of memory/);
  assert.match(await edge.readText("/monitors/program?lang=de"), /Letztes Ende|Speicher/);
});

test("strangers get the public body only", async () => {
  const health = await (await fetch(`${guarded.url}/health`)).text();
  assert.match(
    health,
    /^\{"status":"healthy","memory":\{"rss":\d+,"heapUsed":\d+,"heapTotal":\d+,"external":\d+\},"uptime":\d+\}$/,
  );
  for (const path of ["/metrics", "/exits", "/debug/heap"]) {
    assert.equal((await fetch(guarded.url + path)).status, 401, path);
  }
  const forged = await fetch(`${guarded.url}/health`, { headers: { "heapbeat-signature": "v1,1,00,00" } });
  assert.equal(forged.status, 401);
});
