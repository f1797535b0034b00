// Every monitor is asked, whatever the others need of a tick; and what is not asked is said everywhere.

import assert from "node:assert/strict";
import { test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { readBody, Target } from "../support/target.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";
import { waitUntil } from "../support/wait.mjs";

const COUNT = 40;

/** Starts an edge with forty monitors of one target. @param {import("node:test").TestContext} t @param {import("node:http").RequestListener} respond @param {object} [more] */
async function startFullHub(t, respond, more = {}) {
  const target = await Target.start(respond);
  t.after(() => target.stop());
  const monitors = Array.from({ length: COUNT }, (_, number) =>
    defineMonitor(`m${number}`, `${target.url}/${number}`, { kind: "http", ...more }),
  );
  const edge = await Edge.start(monitors);
  t.after(() => edge.stop());
  return edge;
}

/** Waits until every monitor has a result of the last tick or later, and returns the status. @param {Edge} edge */
function waitUntilAllChecked(edge) {
  const since = new Date(edge.now - 60_000).toISOString().slice(0, 19);
  return waitUntil("a result of every monitor", async () => {
    const status = await edge.readStatus();
    const isChecked = (/** @type {any} */ it) => it.checked !== null && it.checked.slice(0, 19) >= since;
    return status.monitors.every(isChecked) ? status : undefined;
  });
}

test("forty monitors that redirect once are all asked in every minute", async (t) => {
  const edge = await startFullHub(t, (request, response) => {
    if (request.url?.startsWith("/ok")) return void response.end("ok");
    response.writeHead(302, { location: `/ok${request.url}` }).end();
  });
  for (let minute = 0; minute < 3; minute += 1) {
    await edge.tick();
    const { monitors, notices, status, edge: counters } = await waitUntilAllChecked(edge);
    assert.deepEqual([status, notices], ["up", []], `minute ${minute}`);
    assert.ok(monitors.every((/** @type {any} */ it) => it.state === "up" && !it.unwatched));
    assert.ok(counters.max_tick_subrequests <= 50, `${counters.max_tick_subrequests} requests`);
  }
});

test("in an outage of everything with retries, every monitor is observed", async (t) => {
  let isOut = false;
  const respond = (/** @type {any} */ _, /** @type {import("node:http").ServerResponse} */ response) =>
    void response.writeHead(isOut ? 503 : 200).end();
  const edge = await startFullHub(t, respond, { retries: 3, "failure-threshold": 2 });
  await edge.tick();
  await waitUntilAllChecked(edge);
  isOut = true;
  for (let minute = 0; minute < 2; minute += 1) {
    await edge.tick();
    await waitUntilAllChecked(edge);
  }
  const { monitors } = await edge.readStatus();
  const down = monitors.filter((/** @type {any} */ it) => it.state === "down");
  assert.equal(down.length, COUNT, `${down.length} are down`);
});

test("a monitor that cannot be asked is named with its reason, and all is not up", async (t) => {
  const target = await Target.start((_, response) => void response.end("ok"));
  t.after(() => target.stop());
  const edge = await Edge.start([
    defineMonitor("well", target.url, { kind: "http" }),
    defineMonitor("no-secret", target.url, { kind: "http", headers: { authorization: { secret: "NOT_THERE" } } }),
  ]);
  t.after(() => edge.stop());
  await edge.tickTimes(4);
  assert.equal((await edge.readStatus()).status, "up", "for three of its intervals");
  await edge.tick();
  const { status, notices, notice_statements, monitors } = await edge.readStatus();
  assert.equal(status, "unobserved");
  assert.match(notices[0], /^No data for 1 monitors since 2026-01-01T00:00:00Z: their checks are not configured/);
  assert.equal(notice_statements[0].code, "unwatched-configuration");
  assert.deepEqual(
    monitors.map((/** @type {any} */ it) => [it.id, it.unwatched, it.checked]),
    [
      ["well", false, "2026-01-01T00:04:00Z"],
      ["no-secret", true, null],
    ],
  );
  assert.match(await edge.readText("/"), /No data for 1 monitor since/);
  assert.match(await edge.readText("/?lang=de-DE"), /Keine Daten zu 1 Dienst seit/);
  const metrics = await edge.readText("/metrics");
  assert.match(metrics, /heapbeat_monitor_unwatched\{monitor="no-secret"\} 1/);
  assert.match(metrics, /heapbeat_monitor_unwatched\{monitor="well"\} 0/);
});

test("the owner is alerted to monitors that are not checked, once, and once more when they are", async (t) => {
  /** @type {any[]} */ const alerts = [];
  const target = await Target.start(async (request, response) => {
    if (request.url === "/hook") alerts.push(JSON.parse(await readBody(request)));
    response.end("ok");
  });
  t.after(() => target.stop());
  const headers = { authorization: { secret: "MONITOR_LATER" } };
  const entry = (/** @type {any} */ more) => ({ kind: "http", url: target.url, ...more });
  const monitors = [entry({ id: "well" }), entry({ id: "one", headers }), entry({ id: "two", headers })];
  const ALERTS = [{ id: "hook", kind: "webhook", secret: "HOOK" }];
  const edge = await Edge.start([], { vars: { ADMIN_TOKEN, ALERTS, HOOK: `${target.url}/hook` } });
  t.after(() => edge.stop());
  await edge.requestAsAdmin("PUT", "/admin/monitors", { monitors });
  await edge.tickTimes(10);
  assert.equal(alerts.length, 0, "for ten minutes");
  await edge.tickTimes(3);
  assert.deepEqual(
    alerts.map(({ event, title, incident, monitor }) => [event, title, incident, monitor]),
    [["unwatched", "2 monitors are not checked: one, two", "unwatched:one:1767225600", null]],
  );
  assert.match(alerts[0].text, /^- one: not checked: a secret is missing or too short; no result since /m);
  // The owner leaves the secret out.
  await edge.requestAsAdmin("PUT", "/admin/monitors", { monitors: monitors.map(({ id }) => entry({ id })) });
  await edge.tickTimes(2);
  assert.deepEqual(
    alerts.slice(1).map(({ event, title, incident }) => [event, title, incident]),
    [["watched", "2 monitors are checked again: one, two", "unwatched:one:1767225600"]],
  );
});
