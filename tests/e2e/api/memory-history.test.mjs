// Memory history from the signed reports of the real server: verified, without gaps, and served by the API as it was.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Server } from "../support/server.mjs";
import { SECRET } from "../support/signed-server.mjs";
import { Target } from "../support/target.mjs";
import { waitUntil } from "../support/wait.mjs";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** @type {Server} */ let server;
/** @type {Edge} */ let edge;
/** Answers what the server once answered without a signature. @type {Target} */ let cache;
let cachedBody = "";

before(async () => {
  server = await Server.start({ env: { HEAPBEAT_SECRET: SECRET } });
  cache = await Target.start((_, response) => response.end(cachedBody));
  edge = await Edge.start(
    [
      defineMonitor("api", `${server.url}/health`),
      defineMonitor("other", `${server.url}/health`, { secret: "OTHER" }),
      defineMonitor("cache", `${cache.url}/health`, { secret: "GOOD" }),
      defineMonitor("no-secret", `${server.url}/health`, { secret: "MISSING" }),
    ],
    { vars: { HEAPBEAT_SECRET: SECRET, GOOD: SECRET, OTHER: "another secret, as long as it" } },
  );
});

after(async () => {
  await edge?.stop();
  await server?.stop();
  await cache?.stop();
});

/** Reads the memory of the last `hours` and of the minute to come. @param {number} hours */
const readMemory = (hours) =>
  edge.readJson(`/api/v1/monitors/api/memory?from=${edge.now - hours * HOUR}&to=${edge.now + MINUTE}`);

test("a signed report adds the memory limit and the pressure", async () => {
  cachedBody = await (await fetch(`${server.url}/health`)).text();
  const api = await edge.tickAndReadMonitor("api");
  assert.equal(api.state, "up", api.reason);
  assert.ok(api.memory.limit > 0);
  assert.equal(api.memory.pressure, "calm");
});

test("a response that is unsigned or signed with another secret is not up", async () => {
  const readReason = async (/** @type {string} */ id) => {
    const { state, reason } = await edge.readMonitor(id);
    return [state, reason];
  };
  assert.deepEqual(await readReason("other"), [
    "down",
    "signature rejected by the server: wrong secret, or clocks more than 60 s apart",
  ]);
  const [state, reason] = await readReason("cache");
  assert.equal(state, "down");
  assert.match(reason, /not signed: it came from a cache/);
  assert.deepEqual(await readReason("no-secret"), [
    "unobserved",
    "not checked: the check is not configured completely",
  ]);
});

test("samples arrive once, across missed ticks and across the hour in which they are compacted", async () => {
  // Ticks are a minute apart for the edge, while the server lives in real time. How many ticks it takes to collect a few
  // samples depends on the machine, so the window begins here.
  const from = edge.now - 10 * MINUTE;
  const readSamples = async () => {
    const { samples } = await edge.readJson(`/api/v1/monitors/api/memory?from=${from}&to=${edge.now + MINUTE}`);
    return samples;
  };
  const before = await waitUntil("a few samples", async () => {
    await edge.tick();
    const { length } = await readSamples();
    return length > 5 ? length : undefined;
  });
  edge.now += HOUR;
  await edge.tick();
  const rows = await readSamples();
  assert.ok(rows.length >= before, `${rows.length} of ${before}`);
  for (const row of rows) {
    assert.equal(row.length, 6);
    assert.ok(row.slice(1).every((/** @type {number} */ figure) => figure % 4096 === 0));
  }
  const coarse = await readMemory(5 * 24);
  assert.equal(coarse.resolution, "1m");
  const findPeak = (/** @type {number[][]} */ rows) => Math.max(...rows.map((row) => row[5]));
  assert.equal(findPeak(coarse.samples), findPeak(rows), "a minute keeps its peak");
});

test("invalid queries and unknown monitors are refused", async () => {
  const readStatus = async (/** @type {string} */ path) => (await edge.request(`/api/v1/monitors/${path}`)).status;
  assert.equal(await readStatus("nobody/memory"), 404);
  assert.equal(await readStatus("api/secrets"), 404);
  assert.equal(await readStatus("api/memory?from=noon"), 400);
  assert.equal(await readStatus("api/memory?from=2000&to=1000"), 400);
  assert.equal(await readStatus("api/uptime?window=1y"), 400);
  const uptime = await edge.readJson("/api/v1/monitors/api/uptime?window=30d");
  assert.equal(uptime.percent, 100);
  assert.equal(uptime.window_seconds, 30 * 86_400);
});

test("a restart between two successful probes is reported with its evidence", async () => {
  const { port } = server;
  await server.stop("SIGTERM");
  server = await Server.start({ port, env: { HEAPBEAT_SECRET: SECRET } });
  const api = await edge.tickAndReadMonitor("api");
  assert.equal(api.state, "up", api.reason);
  assert.equal(api.restarts.length, 1);
  assert.ok(api.last_exit.evidence.length > 0, JSON.stringify(api.last_exit));
});

test("a worker that is killed between two probes loses none of its last samples", async () => {
  const worker = Number(readFileSync(`/proc/${server.child.pid}/task/${server.child.pid}/children`, "utf8"));
  // The server answers with its newest sample, so its uptime says up to when there are samples.
  const readUptime = async () => (await server.readHealth().catch(() => undefined))?.uptime;
  const waitForUptime = (/** @type {number} */ seconds) =>
    waitUntil(`an uptime of ${seconds} s`, async () => {
      const uptime = await readUptime();
      return uptime >= seconds ? uptime : undefined;
    });
  const probedAt = await waitForUptime(2);
  await edge.tick();
  const started = (await readMemory(2)).instances.at(-1);
  const lastUptime = await waitForUptime(probedAt + 5);
  process.kill(worker, "SIGKILL");
  await waitUntil("the first samples of the next worker", async () => {
    const uptime = await readUptime();
    return uptime >= 2 && uptime < lastUptime;
  });
  await edge.tick();
  const { instances, samples, gaps } = await readMemory(2);
  const [killed, next] = instances.slice(-2);
  assert.equal(killed, started);
  const times = samples.map((/** @type {number[]} */ [at]) => at);
  const lastSample = times.filter((/** @type {number} */ at) => at >= killed && at < next).at(-1);
  assert.ok(lastSample - killed >= (lastUptime - 1) * 1000, `${lastSample - killed} ms of ${lastUptime} s`);
  assert.deepEqual(gaps, []);
  assert.equal(new Set(times).size, times.length);
  assert.equal((await edge.readMonitor("api")).last_exit.kind, "crash");
});
