// A day of ticks against a target that follows a script. The expected figures are computed from the script.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { renderHealth, Target } from "../support/target.mjs";

const MINUTE = 60_000;
const DAY_MINUTES = 1440;

const isOutage = (/** @type {number} */ minute) => minute >= 600 && minute < 660;
const isTickMissing = (/** @type {number} */ minute) => minute >= 900 && minute < 930;

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
let minute = 0;

before(async () => {
  target = await Target.start((_, response) => {
    if (isOutage(minute)) response.writeHead(500).end();
    else response.end(renderHealth({ rss: 100 + (minute % 60), uptime: minute * 60 }));
  });
  edge = await Edge.start([
    defineMonitor("api", `${target.url}/health`, { "failure-threshold": 1, "success-threshold": 1 }),
  ]);
});

after(async () => {
  await edge?.stop();
  await target?.stop();
});

test("uptime and coverage of a day reflect its outage and its missing ticks", async () => {
  for (minute = 0; minute <= DAY_MINUTES; minute += 1) {
    if (isTickMissing(minute)) edge.now += MINUTE;
    else await edge.tick();
  }
  const lastTickAt = Date.now();
  const api = await edge.readMonitor("api");
  // The window ends now, and the edge's clock goes on from its last tick.
  const elapsedMinutes = (Date.now() - lastTickAt) / MINUTE;
  const assertNear = (/** @type {number} */ actual, /** @type {number} */ expected) => {
    const tolerance = (100 * (2 + elapsedMinutes)) / DAY_MINUTES;
    assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} instead of ${expected}`);
  };
  // A probe counts for a minute and a half, so the missing ticks leave a little less than half an hour unobserved.
  const [downMinutes, unobservedMinutes] = [60, 30];
  const observedMinutes = DAY_MINUTES - unobservedMinutes;
  const { percent, coverage } = api.uptime["24h"];
  assertNear(coverage, (100 * observedMinutes) / DAY_MINUTES);
  assertNear(percent, (100 * (observedMinutes - downMinutes)) / observedMinutes);
  assert.equal(api.state, "up");
  assert.equal(api.memory.rss, 100 + (DAY_MINUTES % 60));
});

test("the page stays below 200 kB after a day of ticks", async () => {
  const page = await edge.readText("/");
  assert.ok(page.length < 200_000, `${page.length} bytes`);
});

test("a late duplicate of an old tick does not move the stored time of the last tick", async () => {
  const before = await edge.readStatus();
  edge.now -= 3 * MINUTE;
  await edge.tick();
  const after = await edge.readStatus();
  assert.equal(after.updated, before.updated);
  const withoutUptime = (/** @type {any} */ status) =>
    status.monitors.map((/** @type {any} */ { uptime, ...rest }) => rest);
  assert.deepEqual(withoutUptime(after), withoutUptime(before));
});
