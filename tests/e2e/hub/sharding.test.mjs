// More monitors than one hub holds: a hundred monitors are spread over three hubs, and the public does not notice.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { renderHealth, Target } from "../support/target.mjs";
import { ADMIN_TOKEN, HEARTBEAT_HEADERS, HEARTBEAT_TOKEN } from "../support/tokens.mjs";
import { waitUntil } from "../support/wait.mjs";

const JOB = { id: "job", kind: "heartbeat", interval: "1h" };
const VARS = { ADMIN_TOKEN, HEARTBEAT_TOKEN };

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
/** A hundred monitors, the job, and the last of the hundred is the one that fails. @type {any[]} */ let monitors = [];
let isLastDown = false;

before(async () => {
  target = await Target.start((request, response) =>
    request.url === "/99" && isLastDown ? response.writeHead(500).end() : response.end(renderHealth()),
  );
  monitors = Array.from({ length: 100 }, (_, i) => defineMonitor(`m${i}`, `${target.url}/${i}`, { kind: "http" }));
  edge = await Edge.start([defineMonitor("fixed", target.url)], { vars: VARS, faultInjection: true });
});

after(async () => {
  await edge?.stop();
  await target?.stop();
});

/** Counts the monitors by their state. @param {{ monitors: { state: string }[] }} status */
function countStates({ monitors }) {
  /** @type {Record<string, number>} */
  const counts = {};
  for (const { state } of monitors) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

test("a list that outgrows its hub is spread over three, and each monitor keeps its history", async () => {
  assert.equal((await edge.applyMonitors(monitors.slice(0, 30))).status, 200);
  await edge.tick();
  assert.deepEqual(countStates(await edge.readStatus()), { up: 31 });
  assert.equal((await edge.readStatus()).edge.hubs, 1);
  const { since } = await edge.readMonitor("m29");

  const applied = await edge.applyMonitors([...monitors, JOB]);
  assert.equal(applied.status, 200, JSON.stringify(applied.body));
  assert.deepEqual([applied.body.added.length, applied.body.unchanged.length], [71, 30]);
  await edge.tick();
  const status = await edge.readStatus();
  assert.deepEqual(countStates(status), { up: 101, unobserved: 1 });
  assert.equal(status.edge.hubs, 3);
  assert.equal(status.edge.subrequests, 31 + 101, "every monitor was probed once a tick");
  assert.equal((await edge.readMonitor("m29")).since, since, "a monitor stays with its hub");
  const list = /** @type {any} */ (await (await edge.requestAsAdmin("GET", "/admin/monitors")).json());
  assert.equal(list.monitors.length, 101);
  const again = await edge.applyMonitors([...monitors, JOB]);
  assert.deepEqual([again.status, again.body.unchanged.length], [200, 101]);
});

test("uptime, incidents, notes and heartbeats reach the hub of their monitor", async () => {
  isLastDown = true;
  await edge.tickTimes(2);
  const uptime = await edge.readJson("/api/v1/monitors/m99/uptime");
  assert.deepEqual([uptime.monitor, uptime.percent < 100], ["m99", true]);
  assert.equal((await edge.readJson("/api/v1/monitors/m0/uptime")).percent, 100);
  const incidents = await edge.readIncidents();
  assert.deepEqual(
    incidents.map((it) => it.monitor),
    ["m99"],
  );
  const [{ id }] = incidents;
  const noted = /** @type {any} */ (
    await (await edge.requestAsAdmin("POST", `/admin/incidents/${id}`, { note: "we know" })).json()
  );
  assert.match(JSON.stringify(noted.timeline), /we know/);
  assert.deepEqual((await edge.readJson(`/api/v1/incidents/${id}`)).timeline, noted.timeline);
  const beat = await edge.request("/api/v1/heartbeats/job", { method: "POST", headers: HEARTBEAT_HEADERS });
  assert.equal(beat.status, 204);
  await edge.tick();
  assert.equal((await edge.readMonitor("job")).state, "up");
  assert.equal((await edge.readStatus()).status, "down");
  assert.equal((await edge.request("/api/v1/monitors/nobody/uptime")).status, 404);
});

test("a maintenance window is known to all hubs and listed once", async () => {
  const window = { id: "w", monitors: ["m98"], from: "2026-01-01T00:00:00Z", to: "2026-01-02T00:00:00Z" };
  const announced = await edge.requestAsAdmin("PUT", "/admin/maintenance", { maintenance: [window] });
  assert.deepEqual(await announced.json(), { applied: true, problems: [] });
  await edge.tick();
  assert.equal((await edge.readMonitor("m98")).state, "maintenance");
  assert.equal((await edge.readStatus()).maintenance.length, 1);
  await edge.requestAsAdmin("PUT", "/admin/maintenance", { maintenance: [] });
});

test("a monitor that is removed and added again continues its history", async () => {
  isLastDown = false;
  const fewer = [...monitors, JOB].filter(({ id }) => id !== "m99" && id !== "m45");
  assert.equal((await edge.applyMonitors(fewer)).status, 200);
  await edge.tick();
  assert.deepEqual([await edge.readMonitor("m99"), (await edge.readStatus()).monitors.length], [undefined, 100]);
  assert.equal((await edge.request("/api/v1/monitors/m99/uptime")).status, 404);
  const more = Array.from({ length: 5 }, (_, i) => defineMonitor(`n${i}`, target.url));
  monitors = [...monitors, JOB, ...more];
  assert.equal((await edge.applyMonitors(monitors)).status, 200);
  await edge.tick();
  assert.equal((await edge.readMonitor("m99")).state, "up");
  const { percent } = await edge.readJson("/api/v1/monitors/m99/uptime");
  assert.ok(percent < 100, `${percent} %: the outage before the removal counts`);
});

test("a hub that fails leaves only its own monitors unobserved, and the page says so", async () => {
  await edge.injectFault("hub-1");
  await edge.tick();
  const status = await edge.readStatus();
  assert.deepEqual([countStates(status).unobserved, status.monitors.length, status.status], [40, 107, "unobserved"]);
  const page = await edge.readText("/");
  assert.equal(page.match(/<article class="(?:card|row)/g)?.length, 107);
  assert.equal(page.match(/<article class="(?:card|row)[^>]*unobserved/g)?.length, 40);
  assert.match(page, /No data for 40 monitors: the hub that checks them does not respond/);
  assert.match(status.notices[0], /^No data for 40 monitors/);
  assert.equal((await edge.request("/api/v1/monitors/m50/uptime")).status, 503);
  assert.equal((await edge.request("/api/v1/monitors/m99/uptime")).status, 200);
});

test("a hub that misses a new list gets it with the next tick", async () => {
  const renamed = monitors.map((it) => ({ ...it, name: `new ${it.id}` }));
  const partly = await edge.applyMonitors(renamed);
  assert.equal(partly.status, 503);
  assert.match(partly.body.detail, /1 of the hubs did not store it \(first: hub-1\)/);
  await edge.clearFault();
  await edge.tick();
  const status = await edge.readStatus();
  const names = status.monitors.map((/** @type {any} */ it) => it.name.startsWith("new "));
  assert.deepEqual([names.filter(Boolean).length, names.length], [106, 107]);
  assert.deepEqual(status.notices, []);
  assert.equal((await edge.applyMonitors(renamed)).status, 200);
});

test("more dependent monitors than one hub holds are refused", async () => {
  const dependent = monitors.map((it, i) => (i < 41 ? { ...it, "depends-on": [`m${i + 1}`] } : it));
  const { status, body } = await edge.applyMonitors(dependent);
  assert.equal(status, 422);
  assert.match(body.problems[0].reason, /^is one of 42 monitors that depend on each other/);
  assert.equal(body.problems[0].position, "monitors[40]");
});

test("an export of several hubs is imported by another edge", async (t) => {
  const source = await Edge.start([], { vars: VARS });
  t.after(() => source.stop());
  const destination = await Edge.start([], { vars: VARS });
  t.after(() => destination.stop());
  const list = Array.from({ length: 60 }, (_, i) => defineMonitor(`m${i}`, target.url));
  assert.equal((await source.applyMonitors(list)).status, 200);
  await source.tickTimes(3);

  const pages = await source.exportPages();
  const headers = pages.map((page) => JSON.parse(page.split("\n")[0]));
  assert.deepEqual(
    headers.map(({ hub }) => hub),
    [0, 1],
  );
  for (const page of pages) await destination.importPage(page);
  await waitUntil("the same status of both", async () => {
    const [before, after] = await Promise.all([source.readStatus(), destination.readStatus()]);
    return JSON.stringify(before.monitors) === JSON.stringify(after.monitors);
  });
  destination.now = source.now;
  await destination.tick();
  assert.deepEqual(countStates(await destination.readStatus()), { up: 60 });
  const again = await destination.applyMonitors(list);
  assert.deepEqual([again.status, again.body.unchanged.length], [200, 60]);
});
