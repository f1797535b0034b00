// The admin API: announcing maintenance windows, and commenting, acknowledging and resolving incidents.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AlertServices, defineChannels } from "../support/alert-services.mjs";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Target } from "../support/target.mjs";
import { ADMIN_TOKEN, authorize } from "../support/tokens.mjs";

const MINUTE = 60_000;
const WRONG_TOKEN = "wrong-token-0123456789";

/** @type {AlertServices} */ let services;
/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
let isHealthy = true;

before(async () => {
  services = await AlertServices.start();
  target = await Target.start((_, response) => response.writeHead(isHealthy ? 200 : 503).end());
  const monitors = ["api", "db"].map((id) => defineMonitor(id, target.url, { kind: "http" }));
  edge = await Edge.start(monitors, { vars: { ...defineChannels(services.url), ADMIN_TOKEN } });
  await edge.tick();
});

after(async () => {
  await edge?.stop();
  await target?.stop();
  await services?.stop();
});

/** Sends a request to the admin API. @param {string} method @param {string} path @param {unknown} body @param {string} [token] */
async function requestAdmin(method, path, body, token = ADMIN_TOKEN) {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const response = await edge.request(`/api/v1/admin${path}`, { method, headers: authorize(token), body: text });
  return { status: response.status, body: /** @type {any} */ (await response.json()) };
}

test("a maintenance window is published, and failures within it are no outage", async () => {
  const at = (/** @type {number} */ minutes) => `${new Date(edge.now + minutes * MINUTE).toISOString().slice(0, 16)}Z`;
  const window = { id: "move", title: "We <move>", from: at(2), to: at(5), monitors: ["api"] };
  assert.equal((await requestAdmin("PUT", "/maintenance", { maintenance: [window] }, WRONG_TOKEN)).status, 401);
  const invalid = { maintenance: [{ ...window, monitors: ["web"], too: 1 }] };
  const refused = await requestAdmin("PUT", "/maintenance", invalid);
  assert.equal(refused.status, 422);
  assert.equal(refused.body.problems[0].position, "maintenance[0].too");
  assert.equal((await requestAdmin("PUT", "/maintenance", { maintenance: [window] })).body.applied, true);
  assert.deepEqual((await requestAdmin("GET", "/maintenance", undefined)).body, { maintenance: [window] });
  const { maintenance } = await edge.readStatus();
  assert.deepEqual([maintenance[0].title, maintenance[0].monitors], ["We <move>", ["api"]]);

  const states = [];
  const acceptedBefore = services.accepted.hook.length;
  for (let minute = 0; minute < 6; minute += 1) {
    isHealthy = !(minute === 3 || minute === 4);
    states.push((await edge.tickAndReadMonitor("api")).state);
  }
  assert.deepEqual(states, ["up", "up", "maintenance", "maintenance", "maintenance", "up"]);
  const alerted = new Set(services.accepted.hook.slice(acceptedBefore).map((message) => message.monitor));
  assert.deepEqual([...alerted], ["db"], "the monitor without maintenance is alerted");
  assert.deepEqual((await edge.readStatus()).maintenance, []);
});

test("an incident is commented, acknowledged and resolved by hand, and then stays quiet", async () => {
  edge.now += 30 * MINUTE;
  isHealthy = true;
  await edge.tick();
  isHealthy = false;
  await edge.tick();
  const incidents = await edge.readIncidents();
  const { id } = incidents.find((it) => it.monitor === "api" && it.closed === null);
  assert.equal((await requestAdmin("POST", `/incidents/${id}`, { note: "x" }, WRONG_TOKEN)).status, 401);
  assert.equal((await requestAdmin("POST", "/incidents/api-1", { note: "x" })).status, 404);
  assert.equal((await requestAdmin("POST", `/incidents/${id}`, { shut: true })).status, 400);
  const noted = await requestAdmin("POST", `/incidents/${id}`, { note: "it is <the disk>", acknowledge: true });
  assert.equal(noted.status, 200);
  assert.equal(noted.body.acknowledged, true);
  await edge.tickTimes(4); // a tick sends five alerts
  const acceptedBefore = services.accepted.pagerduty.length;
  assert.notEqual((await requestAdmin("POST", `/incidents/${id}`, { resolve: true })).body.closed, null);
  assert.equal((await requestAdmin("POST", `/incidents/${id}`, { resolve: true })).status, 409);
  await edge.tickTimes(4); // the outage goes on
  const sent = services.accepted.pagerduty.slice(acceptedBefore).filter((it) => it.dedup_key.startsWith("api"));
  assert.deepEqual(
    sent.map((message) => message.event_action),
    ["resolve"],
  );
  const incident = await edge.readJson(`/api/v1/incidents/${id}`);
  assert.deepEqual(incident.recording, []);
  const events = incident.timeline.map((/** @type {any} */ event) => event.message);
  assert.ok(events.includes("note: it is <the disk>") && events.includes("resolved manually"), events);
  assert.equal((await edge.request("/api/v1/incidents/web-1767225600")).status, 404);
});

test("a monitor that sends no report has no versions and no crashes", async () => {
  const { versions, compared } = await edge.readJson("/api/v1/monitors/api/versions");
  assert.deepEqual([versions, compared], [[], null]);
  assert.equal((await edge.readJson("/api/v1/monitors/api/uptime?window=1h")).crashes, 0);
});
