// A whole day of ticks in seconds, against a target that keeps to a script, checked by sums of the test's own.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { renderHealth, Target } from "../support/target.mjs";

const DAY = 1440;

/** Minutes in which the target fails, and in which no tick comes. */
const outage = (/** @type {number} */ minute) => minute >= 600 && minute < 660;
const missed = (/** @type {number} */ minute) => minute >= 900 && minute < 930;

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
let minute = 0;

before(async () => {
  target = await Target.start((_, response) => {
    if (outage(minute)) response.writeHead(500).end();
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

test("a day with an outage and missed ticks", { timeout: 300_000 }, async () => {
  for (minute = 0; minute <= DAY; minute += 1) {
    if (missed(minute)) edge.now += 60_000;
    else await edge.tick();
  }
  const api = await edge.readMonitor("api");
  const { percent, coverage } = api.uptime["24h"];
  // Sixty of 1,440 minutes were down; of thirty that nobody watched, the last probe before vouches for one and a
  // little more at most.
  const down = 60;
  const unwatched = 30;
  const watched = DAY - unwatched;
  const near = (/** @type {number} */ figure, /** @type {number} */ expected, /** @type {number} */ minutes) =>
    assert.ok(Math.abs(figure - expected) <= (100 * minutes) / DAY, `${figure} instead of ${expected}`);
  near(coverage, (100 * watched) / DAY, 2);
  near(percent, (100 * (watched - down)) / watched, 2);
  assert.equal(api.state, "up");
  assert.equal(api.memory.rss, 100 + (DAY % 60));
});

test("the history is served at the size of a page, not of a day", async () => {
  const page = await (await fetch(edge.url)).text();
  assert.ok(page.length < 200_000, `${page.length} bytes`);
});

test("a late double of an old tick changes nothing", async () => {
  const before = await edge.readStatus();
  edge.now -= 3 * 60_000;
  await edge.tick();
  const after = await edge.readStatus();
  assert.deepEqual(after.monitors, before.monitors);
});
