// The main job: a real server, a real worker that watches it, and what it makes of the server's death.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Server } from "../support/server.mjs";

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

test("before the first tick nothing is claimed", async () => {
  const { state, monitors } = await edge.readStatus();
  assert.equal(monitors[0].state, "unobserved");
  assert.equal(monitors[0].memory, null);
  assert.equal(monitors[0].uptime["24h"].percent, null);
  assert.equal(monitors[0].uptime["24h"].coverage, 0);
  assert.notEqual(state, "up");
});

test("after a tick the memory is what /health said", async () => {
  // A sampler publishes once a second, so the answer seen by the edge is one of those around the tick.
  const before = await server.readHealth();
  const api = await edge.tickAndReadMonitor("api");
  const after = await server.readHealth();
  assert.equal(api.state, "up");
  const { rss, heapUsed, heapTotal, external } = api.memory;
  const seen = [before, after].map((health) => JSON.stringify(health.memory));
  assert.ok(
    seen.includes(JSON.stringify({ rss, heapUsed, heapTotal, external })),
    `${JSON.stringify(api.memory)} of ${seen}`,
  );
  assert.ok(rss > 0 && api.latency_ms >= 0);
});

test("held memory shows", async () => {
  await fetch(`${server.url}/demo/leak?mb=64`);
  const held = (await edge.readMonitor("api")).memory.heapUsed + 60;
  const deadline = Date.now() + 10_000;
  while ((await server.readHealth()).memory.heapUsed < held) assert.ok(Date.now() < deadline, "the server never told");
  const api = await edge.tickAndReadMonitor("api");
  assert.ok(api.memory.heapUsed >= held, `${api.memory.heapUsed} MB`);
});

test("a dead server is down at just the third failure", async () => {
  await server.stop("SIGKILL");
  assert.equal((await edge.tickAndReadMonitor("api")).state, "up", "first failure");
  assert.equal((await edge.tickAndReadMonitor("api")).state, "up", "second failure");
  const api = await edge.tickAndReadMonitor("api");
  assert.equal(api.state, "down");
  assert.match(api.reason, /refused|connect/i);
  assert.equal((await edge.readStatus()).status, "down");
});

test("back again it is up at the second success, and the restart is seen", async () => {
  const before = (await edge.readMonitor("api")).restarts.length;
  server = await Server.start({ port: server.port });
  assert.equal((await edge.tickAndReadMonitor("api")).state, "down", "first success");
  const api = await edge.tickAndReadMonitor("api");
  assert.equal(api.state, "up");
  assert.equal(api.restarts.length, before + 1);
});
