// What an edge has told outlives it: after a restart nothing is told anew, and after an import into an edge that runs no end is lost.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { readBody, Target } from "../support/target.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";

const MINUTE = 60_000;
const DAY = 1440;

/** @type {Target} */ let target;
/** @type {Target} */ let service;
/** The events that the service accepted. @type {string[]} */ let events = [];
let isHealthy = true;

before(async () => {
  target = await Target.start((_, response) => response.writeHead(isHealthy ? 200 : 503).end());
  service = await Target.start(async (request, response) => {
    const { monitor, event } = JSON.parse(await readBody(request));
    events.push(`${monitor} ${event}`);
    response.end();
  });
});

after(async () => {
  await target?.stop();
  await service?.stop();
});

/** @param {string} [stateDir] @param {unknown[]} [channels] */
function startEdge(stateDir, channels = [{ id: "hook", kind: "webhook", secret: "HOOK" }]) {
  const vars = { ADMIN_TOKEN, HOOK: service.url, ALERTS: channels };
  return Edge.start([defineMonitor("api", target.url, { kind: "http" })], { vars, ...(stateDir && { stateDir }) });
}

test("an incident that somebody resolved is not told anew by an edge that starts days later while it lasts", async (t) => {
  const stateDir = mkdtempSync(join(tmpdir(), "heapbeat-stored-"));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  [events, isHealthy] = [[], false];
  let edge = await startEdge(stateDir);
  t.after(() => edge.stop());
  await edge.tickTimes(2);
  const [{ id }] = await edge.readIncidents();
  assert.equal((await edge.requestAsAdmin("POST", `/admin/incidents/${id}`, { resolve: true })).status, 200);
  await edge.tick(2 * DAY);
  assert.deepEqual(events, ["api opened", "api ended"]);
  const { now } = edge;
  await edge.stop();
  edge = await startEdge(stateDir);
  edge.now = now;
  await edge.tickTimes(3);
  assert.deepEqual(events, ["api opened", "api ended"]);
  assert.equal((await edge.readIncidents()).length, 1);
});

test("an import that supersedes an incident which was told ends it in words", async (t) => {
  [events, isHealthy] = [[], false];
  const [running, source] = await Promise.all([startEdge(), startEdge(undefined, [])]);
  t.after(() => Promise.all([running.stop(), source.stop()]));
  await running.tickTimes(2);
  assert.deepEqual(events, ["api opened"]);
  // The other edge, which tells nobody, saw all well then, and has a later incident.
  source.now = running.now + 30 * MINUTE;
  isHealthy = true;
  await source.tick();
  isHealthy = false;
  await source.tick();
  running.now = source.now;
  for (const page of await source.exportPages()) await running.importPage(page);
  await running.tickTimes(2);
  assert.deepEqual(events, ["api opened", "api ended", "api opened"]);
  const incidents = await running.readIncidents();
  assert.equal(incidents.filter((it) => it.closed === null).length, 1);
});
