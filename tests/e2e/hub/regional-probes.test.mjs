// Monitors that are also probed from other regions: the majority decides, and each region is shown.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { renderHealth, Target } from "../support/target.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
/** The number of next requests that fail. Which region sends them does not matter: here all come from the same place. */
let failuresLeft = 0;
let requests = 0;
let requestsWithKey = 0;

before(async () => {
  target = await Target.start((request, response) => {
    requests += 1;
    requestsWithKey += request.headers["x-key"] === "the key" ? 1 : 0;
    failuresLeft -= 1;
    response.statusCode = failuresLeft >= 0 ? 503 : 200;
    response.end(renderHealth());
  });
  edge = await Edge.start([defineMonitor("fixed", `${target.url}/health`, { regions: ["weur", "oc"] })], {
    vars: { ADMIN_TOKEN, MONITOR_KEY: "the key" },
    faultInjection: true,
  });
});

after(async () => {
  await edge?.stop();
  await target?.stop();
});

/** Runs a tick in which so many of the three requests fail, and reads the monitor. @param {number} failures */
async function tickWithFailures(failures) {
  failuresLeft = failures;
  requests = 0;
  return edge.tickAndReadMonitor("fixed");
}

const listStates = (/** @type {any} */ monitor) => monitor.regions.map((/** @type {any} */ region) => region.state);

test("every region probes on every tick, and its result is published", async () => {
  const monitor = await tickWithFailures(0);
  assert.equal(requests, 3);
  assert.equal(monitor.state, "up");
  assert.deepEqual(
    monitor.regions.map((/** @type {any} */ { region, state, reason }) => [region, state, reason]),
    [
      ["weur", "up", null],
      ["oc", "up", null],
    ],
  );
  assert.ok(monitor.regions.every((/** @type {any} */ { latency_ms }) => latency_ms >= 0));
});

test("one failure of three degrades the monitor, and two are an outage", async () => {
  const oneFailed = await tickWithFailures(1);
  assert.equal(oneFailed.state, "degraded");
  assert.equal(oneFailed.reason, "HTTP status 503");
  const twoFailed = await tickWithFailures(2);
  assert.equal(twoFailed.state, "down");
  // One of three requests succeeded, so at least one of the two regions failed.
  assert.ok(listStates(twoFailed).includes("down"));
  assert.equal((await tickWithFailures(3)).state, "down");
  assert.deepEqual(listStates(await tickWithFailures(3)), ["down", "down"]);
  assert.equal((await tickWithFailures(0)).state, "up");
});

test("a region that does not answer has no vote", async () => {
  await edge.injectFault("region-oc");
  const monitor = await tickWithFailures(0);
  assert.equal(requests, 2);
  assert.equal(monitor.state, "up");
  assert.deepEqual(listStates(monitor), ["up", "unobserved"]);
  assert.equal((await tickWithFailures(2)).state, "down");
  await edge.clearFault();
  assert.deepEqual(listStates(await tickWithFailures(0)), ["up", "up"]);
});

test("the page shows each region in the language of the reader", async () => {
  await tickWithFailures(3);
  const page = await edge.readText("/monitors/fixed?lang=de");
  assert.match(page, /Status nach Region/);
  assert.match(page, /Westeuropa/);
  assert.match(page, /Ozeanien/);
  await tickWithFailures(0);
});

test("the regions probe an applied monitor as configured, with the secrets of its headers", async () => {
  const applied = {
    ...defineMonitor("applied", `${target.url}/other`, { regions: ["weur", "enam"] }),
    kind: "http",
    headers: { "x-key": { secret: "MONITOR_KEY" } },
    conditions: ["[STATUS] == 200", "[BODY].status == healthy"],
  };
  const { status, body } = await edge.applyMonitors([applied]);
  assert.equal(status, 200, JSON.stringify(body));
  requestsWithKey = 0;
  failuresLeft = 0;
  requests = 0;
  const monitor = await edge.tickAndReadMonitor("applied");
  assert.equal(monitor.state, "up", monitor.reason);
  assert.equal(requestsWithKey, 3);
  assert.equal(requests, 6);
  assert.deepEqual(
    monitor.regions.map((/** @type {any} */ { region, state }) => [region, state]),
    [
      ["weur", "up"],
      ["enam", "up"],
    ],
  );
});

test("an unknown region is refused, and the known ones are named", async () => {
  const { status, body } = await edge.applyMonitors([defineMonitor("bad", `${target.url}/`, { regions: ["europe"] })]);
  assert.equal(status, 422);
  assert.match(body.problems[0].reason, /unknown region `europe`; the regions are wnam, enam/);
});
