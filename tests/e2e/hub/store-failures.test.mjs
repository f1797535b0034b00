// A store that takes no writes for a while: nothing is told that is not stored, and nothing is lost or told twice after it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { renderHealth, Target } from "../support/target.mjs";

/** @type {Target} */ let target;
/** @type {Target} */ let pager;
/** @type {Edge} */ let edge;
let healthy = true;
let asked = 0;
/** @type {any[]} */ const alerts = [];

before(async () => {
  target = await Target.start((_, response) => {
    asked += 1;
    response.statusCode = healthy ? 200 : 503;
    response.end(renderHealth());
  });
  pager = await Target.start(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    alerts.push(JSON.parse(body));
    response.end();
  });
  edge = await Edge.start([defineMonitor("api", `${target.url}/health`)], {
    vars: { ALERTS: [{ id: "ops", kind: "webhook", secret: "PAGER" }], PAGER: pager.url },
    faultInjection: true,
  });
});

after(async () => {
  await edge?.stop();
  await target?.stop();
  await pager?.stop();
});

/** Whether each of so many ticks asked the target. @param {number} count */
async function ticks(count) {
  const which = [];
  for (let tick = 0; tick < count; tick += 1) {
    asked = 0;
    await edge.tick();
    which.push(asked);
  }
  return which;
}

test("what cannot be stored is not told", async () => {
  await ticks(2);
  assert.equal((await edge.readMonitor("api")).state, "up");
  const stored = (await edge.readStatus()).updated;
  healthy = false;
  await edge.injectFault("store");
  await ticks(1);
  const status = await edge.readStatus();
  assert.equal(status.updated, stored);
  assert.equal(status.monitors[0].state, "up", "as the last stored tick found it");
  assert.deepEqual(alerts, []);
});

test("a store that goes on failing is tried less and less often", async () => {
  assert.deepEqual(await ticks(9), [1, 0, 1, 0, 0, 1, 0, 0, 0]);
  assert.deepEqual(alerts, []);
});

test("once it takes writes again, what happened is booked and told once", async () => {
  await edge.clearFault();
  assert.deepEqual(await ticks(3), [0, 1, 1]);
  const api = await edge.readMonitor("api");
  assert.equal(api.state, "down");
  const { incidents } = await (await fetch(`${edge.url}/api/v1/incidents`)).json();
  assert.equal(incidents.length, 1);
  assert.equal(alerts.length, 1);
  // Nobody stored anything in between: that time was not observed.
  assert.ok(api.uptime["24h"].coverage < 1, `${api.uptime["24h"].coverage} % of a day`);
  healthy = true;
  await ticks(1);
  assert.equal((await edge.readMonitor("api")).state, "up");
  assert.equal(alerts.length, 2);
});
