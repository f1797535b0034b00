// The main job: the edge watches a real server and notices its death and its return.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Server } from "../support/server.mjs";
import { waitUntil } from "../support/wait.mjs";

/** @type {Server} */ let server;
/** @type {Edge} */ let edge;

before(async () => {
  server = await Server.start();
  edge = await Edge.start([
    defineMonitor("api", `${server.url}/health`, { "failure-threshold": 3, "success-threshold": 2 }),
  ]);
});

after(async () => {
  await edge?.stop();
  await server?.stop();
});

test("before the first tick the monitor is unobserved", async () => {
  const { state, monitors } = await edge.readStatus();
  assert.equal(monitors[0].state, "unobserved");
  assert.equal(monitors[0].memory, null);
  assert.equal(monitors[0].uptime["24h"].percent, null);
  assert.equal(monitors[0].uptime["24h"].coverage, 0);
  assert.notEqual(state, "up");
});

test("after a tick the memory is what /health answered", async () => {
  // The server takes a new sample every second, so it repeats the tick until its sample is the one before or after it.
  const api = await waitUntil("a tick beside a read of /health", async () => {
    const before = await server.readHealth();
    const api = await edge.tickAndReadMonitor("api");
    const after = await server.readHealth();
    const { rss, heapUsed, heapTotal, external } = api.memory;
    const answers = [before, after].map(({ memory }) => JSON.stringify(memory));
    return answers.includes(JSON.stringify({ rss, heapUsed, heapTotal, external })) ? api : undefined;
  });
  assert.equal(api.state, "up");
  assert.ok(api.memory.rss > 0 && api.latency_ms >= 0);
});

test("memory that the server holds shows at the edge", async () => {
  const held = (await edge.readMonitor("api")).memory.heapUsed + 60;
  await fetch(`${server.url}/demo/leak?mb=64`);
  await waitUntil("the server to report it", async () => (await server.readHealth()).memory.heapUsed >= held);
  const api = await edge.tickAndReadMonitor("api");
  assert.ok(api.memory.heapUsed >= held, `${api.memory.heapUsed} MB`);
});

test("a dead server is down at the third failure", async () => {
  await server.stop("SIGKILL");
  assert.equal((await edge.tickAndReadMonitor("api")).state, "up", "first failure");
  assert.equal((await edge.tickAndReadMonitor("api")).state, "up", "second failure");
  const api = await edge.tickAndReadMonitor("api");
  assert.equal(api.state, "down");
  assert.match(api.reason, /refused|connect/i);
  assert.equal((await edge.readStatus()).status, "down");
});

test("a server that returns is up at the second success, and its restart is counted", async () => {
  const before = (await edge.readMonitor("api")).restarts.length;
  server = await Server.start({ port: server.port });
  assert.equal((await edge.tickAndReadMonitor("api")).state, "down", "first success");
  const api = await edge.tickAndReadMonitor("api");
  assert.equal(api.state, "up");
  assert.equal(api.restarts.length, before + 1);
});
