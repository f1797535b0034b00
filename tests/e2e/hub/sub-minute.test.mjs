// Monitors with an interval below a minute: real alarms of the real workerd run between the cron ticks, and their cost is
// counted.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Target } from "../support/target.mjs";
import { waitUntil } from "../support/wait.mjs";

const MINUTE = 60_000;

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
const probes = { fast: 0, slow: 0 };

before(async () => {
  target = await Target.start((request, response) => {
    probes[request.url === "/fast" ? "fast" : "slow"] += 1;
    response.end("ok");
  });
  edge = await Edge.start([
    defineMonitor("fast", `${target.url}/fast`, { kind: "http", interval: "5s" }),
    defineMonitor("slow", `${target.url}/slow`, { kind: "http", interval: "60s" }),
  ]);
});

after(async () => {
  await edge?.stop();
  await target?.stop();
});

test("alarms probe a fast monitor between cron ticks, and a slow one no more often than its interval", async () => {
  const startedAt = Date.now();
  await edge.tick(0);
  assert.deepEqual(probes, { fast: 1, slow: 1 });
  await waitUntil("three alarms", () => probes.fast >= 4);
  const elapsedMinutes = Math.floor((Date.now() - startedAt) / MINUTE);
  assert.ok(probes.slow <= 1 + elapsedMinutes, `${probes.slow} probes in ${elapsedMinutes} min`);
  const { edge: counters, monitors } = await edge.readStatus();
  assert.ok(counters.ticks >= 3, JSON.stringify(counters));
  assert.equal(counters.ticks_missed, 0);
  assert.ok(counters.rows_written >= counters.ticks, "every tick writes a row");
  assert.ok(counters.subrequests >= 4, JSON.stringify(counters));
  assert.equal(monitors[0].state, "up");
});

test("cron ticks between alarms, duplicated and late, do no harm", async () => {
  const before = await edge.readStatus();
  await Promise.all([edge.tick(0), edge.tick(0)]); // at the time of the first tick, which was stored long ago
  const duplicated = await edge.readStatus();
  assert.equal(duplicated.monitors[0].since, before.monitors[0].since);
  edge.now += MINUTE;
  await Promise.all([edge.tick(0), edge.tick(0)]);
  const probesBefore = probes.fast;
  await waitUntil("the next alarms", () => probes.fast >= probesBefore + 2);
  const { monitors, edge: counters } = await edge.readStatus();
  assert.equal(monitors[0].state, "up");
  assert.equal(monitors[0].reason, null);
  assert.equal(counters.day, "2026-01-01T00:00:00Z");
});

test("reading the status counts as a request of the hub", async () => {
  const { requests } = (await edge.readStatus()).edge;
  for (let i = 0; i < 5; i += 1) await edge.readStatus();
  edge.now += MINUTE;
  await edge.tick();
  assert.ok((await edge.readStatus()).edge.requests >= requests + 6);
});
