// A store that rejects writes for a while: nothing is published or alerted that is not stored, and afterwards nothing is lost or
// sent twice.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { readBody, renderHealth, Target } from "../support/target.mjs";

/** @type {Target} */ let target;
/** @type {Target} */ let webhook;
/** @type {Edge} */ let edge;
let isHealthy = true;
let probes = 0;
/** @type {any[]} */ const alerts = [];

before(async () => {
  target = await Target.start((_, response) => {
    probes += 1;
    response.statusCode = isHealthy ? 200 : 503;
    response.end(renderHealth());
  });
  webhook = await Target.start(async (request, response) => {
    alerts.push(JSON.parse(await readBody(request)));
    response.end();
  });
  edge = await Edge.start([defineMonitor("api", `${target.url}/health`)], {
    vars: { ALERTS: [{ id: "ops", kind: "webhook", secret: "WEBHOOK" }], WEBHOOK: webhook.url },
    faultInjection: true,
  });
});

after(async () => {
  await edge?.stop();
  await target?.stop();
  await webhook?.stop();
});

/** Runs ticks and lists how often each of them probed the target. @param {number} count */
async function tickAndCountProbes(count) {
  const counts = [];
  for (let tick = 0; tick < count; tick += 1) {
    probes = 0;
    await edge.tick();
    counts.push(probes);
  }
  return counts;
}

test("an outage that cannot be stored is neither published nor alerted", async () => {
  await edge.tickTimes(2);
  assert.equal((await edge.readMonitor("api")).state, "up");
  const storedAt = (await edge.readStatus()).updated;
  isHealthy = false;
  await edge.injectFault("store");
  await edge.tick();
  const status = await edge.readStatus();
  assert.equal(status.updated, storedAt);
  assert.equal(status.monitors[0].state, "up", "the state of the last stored tick");
  assert.deepEqual(alerts, []);
});

test("the hub probes less and less often while its store fails", async () => {
  assert.deepEqual(await tickAndCountProbes(9), [1, 0, 1, 0, 0, 1, 0, 0, 0]);
  assert.deepEqual(alerts, []);
});

test("the outage is stored and alerted once when the store works again", async () => {
  await edge.clearFault();
  assert.deepEqual(await tickAndCountProbes(3), [0, 1, 1]);
  const api = await edge.readMonitor("api");
  assert.equal(api.state, "down");
  assert.equal((await edge.readIncidents()).length, 1);
  assert.equal(alerts.length, 1);
  assert.ok(api.uptime["24h"].coverage < 50, `${api.uptime["24h"].coverage} %: time that was not stored is unobserved`);
  isHealthy = true;
  await edge.tick();
  assert.equal((await edge.readMonitor("api")).state, "up");
  assert.equal(alerts.length, 2);
});
