// Ticks between the cron's, by real alarms of the real workerd, and the count of what they cost.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Target } from "../support/target.mjs";
import { waitUntil } from "../support/wait.mjs";

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
const asked = { fast: 0, slow: 0 };

before(async () => {
  target = await Target.start((request, response) => {
    asked[request.url === "/fast" ? "fast" : "slow"] += 1;
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

test("alarms tick between the cron's ticks, for those who want it", { timeout: 180_000 }, async () => {
  await edge.tick(0);
  assert.deepEqual(asked, { fast: 1, slow: 1 });
  await waitUntil("three alarms", () => asked.fast >= 4);
  assert.equal(asked.slow, 1, "a minute has not gone by");
  const { edge: counted, monitors } = await edge.readStatus();
  assert.ok(counted.ticks >= 3, JSON.stringify(counted));
  assert.equal(counted.ticks_missed, 0);
  assert.ok(counted.rows_written >= counted.ticks, "a row a tick at least");
  assert.ok(counted.subrequests >= 4, JSON.stringify(counted));
  assert.equal(monitors[0].state, "up");
});

test("a cron tick that falls between alarms, doubled and late, is harmless", { timeout: 180_000 }, async () => {
  const before = await edge.readStatus();
  await Promise.all([edge.tick(0), edge.tick(0)]); // the first tick's instant: booked long ago
  const doubled = await edge.readStatus();
  assert.equal(doubled.monitors[0].since, before.monitors[0].since);
  edge.now += 60_000;
  await Promise.all([edge.tick(0), edge.tick(0)]);
  const seen = asked.fast;
  await waitUntil("the next alarms", () => asked.fast >= seen + 2);
  const { monitors, edge: counted } = await edge.readStatus();
  assert.equal(monitors[0].state, "up");
  assert.equal(monitors[0].reason, null);
  assert.equal(counted.day, "2026-01-01T00:00:00Z");
});

test("a page that is looked at counts as a request of the hub", async () => {
  const { requests } = (await edge.readStatus()).edge;
  for (let i = 0; i < 5; i += 1) await edge.readStatus();
  edge.now += 60_000;
  await edge.tick();
  assert.ok((await edge.readStatus()).edge.requests >= requests + 6);
});
