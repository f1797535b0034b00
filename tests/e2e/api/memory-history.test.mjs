// Memory history from the real server's signed reports: proven, continuous, and told by the API as it was.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Server } from "../support/server.mjs";
import { Target } from "../support/target.mjs";
import { waitUntil } from "../support/wait.mjs";

const SECRET = "a secret that both halves hold";

/** @type {Server} */ let server;
/** @type {Edge} */ let edge;
/** @type {Target} */ let cache;
let cached = "";

before(async () => {
  server = await Server.start({ env: { HEAPBEAT_SECRET: SECRET } });
  cache = await Target.start((_, response) => response.end(cached));
  edge = await Edge.start(
    [
      defineMonitor("api", `${server.url}/health`),
      defineMonitor("other", `${server.url}/health`, { secret: "OTHER" }),
      defineMonitor("cache", `${cache.url}/health`, { secret: "GOOD" }),
      defineMonitor("nothing", `${server.url}/health`, { secret: "MISSING" }),
    ],
    { vars: { HEAPBEAT_SECRET: SECRET, GOOD: SECRET, OTHER: "another secret, as long as it" } },
  );
});

after(async () => {
  await edge?.stop();
  await server?.stop();
  await cache?.stop();
});

const memory = async (/** @type {string} */ query) => {
  const answer = await fetch(`${edge.url}/api/v1/monitors/api/memory${query}`);
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
};

test("a signed report tells the limit and the pressure", async () => {
  cached = await (await fetch(`${server.url}/health`)).text();
  const api = await edge.tickAndReadMonitor("api");
  assert.equal(api.state, "up", api.reason);
  assert.ok(api.memory.limit > 0);
  assert.equal(api.memory.pressure, "calm");
});

test("an answer that nobody signed, or with another secret, is not up", async () => {
  const reason = async (/** @type {string} */ id) => {
    const { state, reason } = await edge.readMonitor(id);
    return [state, reason];
  };
  assert.deepEqual(await reason("other"), [
    "down",
    "the server refused our signature: wrong secret, or clocks more than a minute apart",
  ]);
  const [state, why] = await reason("cache");
  assert.equal(state, "down");
  assert.match(why, /not signed: it came from a cache/);
  assert.deepEqual(await reason("nothing"), [
    "unobserved",
    "not probed: the secret it is asked with is not set, or too short",
  ]);
});

test("every sample comes once, over missed ticks and over the hour at which they are put into chunks", async () => {
  // Ticks are a minute apart and the server lives in real time: how many it takes to see a few seconds of it depends on how
  // fast this machine is, so the window is counted from here.
  const since = edge.now - 600_000;
  const samples = async () => (await memory(`?from=${since}&to=${edge.now + 60_000}`)).samples;
  await waitUntil("a few seconds of samples", async () => {
    await edge.tick();
    return (await memory("")).samples.length > 5;
  });
  const before = (await memory("")).samples.length;
  edge.now += 3_600_000;
  await edge.tick();
  const rows = await samples();
  assert.ok(rows.length >= before, `${rows.length} of ${before}`);
  for (const row of rows) {
    assert.equal(row.length, 6);
    assert.ok(row.slice(1).every((/** @type {number} */ figure) => figure % 4096 === 0));
  }
  const coarse = await memory(`?from=${edge.now - 5 * 86_400_000}&to=${edge.now + 60_000}`);
  assert.equal(coarse.resolution, "1m");
  const peak = (/** @type {number[][]} */ rows) => Math.max(...rows.map((row) => row[5]));
  assert.equal(peak(coarse.samples), peak(await samples()), "a minute keeps its peak");
});

test("what cannot be answered is refused with what would be right", async () => {
  const status = async (/** @type {string} */ path) => (await fetch(`${edge.url}/api/v1/monitors/${path}`)).status;
  assert.equal(await status("nobody/memory"), 404);
  assert.equal(await status("api/secrets"), 404);
  assert.equal(await status("api/memory?from=noon"), 400);
  assert.equal(await status("api/memory?from=2000&to=1000"), 400);
  assert.equal(await status("api/uptime?window=1y"), 400);
  const uptime = await (await fetch(`${edge.url}/api/v1/monitors/api/uptime?window=30d`)).json();
  assert.equal(uptime.percent, 100);
  assert.equal(uptime.window_seconds, 30 * 86_400);
});

test("a restart between two good probes is told with how it ended", async () => {
  const { port } = server;
  await server.stop("SIGTERM");
  server = await Server.start({ port, env: { HEAPBEAT_SECRET: SECRET } });
  const api = await edge.tickAndReadMonitor("api");
  assert.equal(api.state, "up", api.reason);
  assert.equal(api.restarts.length, 1);
  assert.ok(api.last_ending.evidence.length > 0, JSON.stringify(api.last_ending));
});

test("a worker that is killed between two probes loses no sample of its last seconds", async () => {
  const worker = Number(readFileSync(`/proc/${server.child.pid}/task/${server.child.pid}/children`, "utf8"));
  const last = () => memory(`?from=${edge.now - 7_200_000}&to=${edge.now + 60_000}`);
  const uptime = async () => (await server.readHealth().catch(() => undefined))?.uptime;
  await waitUntil("its first samples", async () => (await uptime()) >= 2);
  await edge.tick();
  const begun = (await last()).instances.at(-1);
  const asked = await uptime();
  const lived = await waitUntil("some seconds that nobody asks for", async () => {
    const now = await uptime();
    return now >= asked + 5 && now;
  });
  process.kill(worker, "SIGKILL");
  await waitUntil("another worker and its first samples", async () => {
    const now = await uptime();
    return now >= 2 && now < lived;
  });
  await edge.tick();
  const told = await last();
  const [killed, next] = told.instances.slice(-2);
  assert.equal(killed, begun);
  const own = told.samples.filter((/** @type {number[]} */ [at]) => at >= killed && at < next);
  // One a second, of which a busy machine may miss one.
  assert.ok(own.length >= lived - 1, `${own.length} samples of a life of ${lived} s`);
  assert.deepEqual(told.gaps, []);
  assert.equal(new Set(told.samples.map((/** @type {number[]} */ [at]) => at)).size, told.samples.length);
  assert.equal((await edge.readMonitor("api")).last_ending.kind, "crash");
});
