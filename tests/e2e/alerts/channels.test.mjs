// Alerts, from a failing target to seven services that are strict about their formats, and what happens when those are
// busy, broken, silent, or do not know us.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AlertServices, defineChannels, SERVICE_NAMES } from "../support/alert-services.mjs";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Target } from "../support/target.mjs";

/** @type {AlertServices} */ let services;
/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
let fine = true;

const watched = () => [defineMonitor("api", target.url, { kind: "http", name: "<API> & co", "failure-threshold": 1 })];

before(async () => {
  services = await AlertServices.start();
  target = await Target.start((_, response) => response.writeHead(fine ? 200 : 503).end());
  edge = await Edge.start(watched(), {
    vars: { ...defineChannels(services.url), STATUS_URL: "https://status.example" },
  });
  await edge.tick();
});

after(async () => {
  await edge?.stop();
  await target?.stop();
  await services?.stop();
});

/** How many messages each service took. */
const counts = () => SERVICE_NAMES.map((name) => services.accepted[name].length);
const all = (/** @type {number} */ count) => SERVICE_NAMES.map(() => count);

test("each service takes what begins and what ends, once", async () => {
  fine = false;
  await edge.tick();
  await edge.tick(); // one tick sends five
  assert.deepEqual(counts(), all(1));
  fine = true;
  await edge.tick();
  await edge.tick();
  await edge.tick();
  assert.deepEqual(counts(), all(2));
  const [began, ended] = services.accepted.pagerduty;
  assert.deepEqual([began.event_action, ended.event_action], ["trigger", "resolve"]);
  assert.equal(began.dedup_key, ended.dedup_key);
  assert.match(services.accepted.hook[0].title, /^<API> & co is down: the answer had status 503$/);
  assert.equal(services.accepted.hook[0].link, "https://status.example/monitors/api");
});

test("a service that is busy is asked when it said, and takes each message once and in order", async () => {
  edge.now += 20 * 60_000;
  await edge.tick();
  services.behavior = "busy";
  fine = false;
  await edge.tick();
  await edge.tick();
  const asked = { ...services.requestCounts };
  services.behavior = "work";
  fine = true;
  await edge.tick(); // a minute later, and two were asked for
  await edge.tick(10);
  for (let i = 0; i < 6; i += 1) await edge.tick();
  assert.deepEqual(counts(), all(4));
  for (const name of SERVICE_NAMES) assert.equal(services.requestCounts[name], asked[name] + 2, name);
  assert.deepEqual(
    services.accepted.hook.slice(2).map((message) => message.event),
    ["opened", "recovered"],
  );
});

test("services that fail for two hours, or never answer, lose nothing and double nothing", async () => {
  edge.now += 20 * 60_000;
  await edge.tick();
  services.behavior = "hang";
  fine = false;
  await edge.tick();
  services.behavior = "fail";
  for (let minute = 0; minute < 120; minute += 1) await edge.tick();
  assert.deepEqual(counts(), all(4));
  services.behavior = "work";
  fine = true;
  for (let minute = 0; minute < 40; minute += 1) await edge.tick();
  assert.deepEqual(counts(), all(6));
  const keys = services.accepted.hook.map((message) => message.key);
  assert.equal(new Set(keys).size, keys.length, "every message has a key of its own");
});

test("a secret that is wrong, or missing, is said, and is nowhere to be read", async () => {
  const vars = defineChannels(services.url);
  const before = counts();
  const wrong = { TELEGRAM: "1:bad", NTFY: "tk_bad", EMAIL: "re_bad", PAGERDUTY: "f".repeat(32), SLACK: undefined };
  const bad = { DISCORD: `${services.url}/discord/webhooks/1/bad`, HOOK: `${services.url}/hook/bad` };
  const other = await Edge.start(watched(), { vars: JSON.parse(JSON.stringify({ ...vars, ...wrong, ...bad })) });
  try {
    await other.tick();
    fine = false;
    for (let i = 0; i < 3; i += 1) await other.tick();
    const status = await other.readStatus();
    const said = Object.fromEntries(status.problems.map((/** @type {any} */ it) => [it.position, it.reason]));
    assert.deepEqual(Object.keys(said).sort(), SERVICE_NAMES.map((name) => `ALERTS.${name}`).sort());
    assert.match(said["ALERTS.slack"], /is not set/);
    assert.match(said["ALERTS.telegram"], /status 401; is the secret right/);
    assert.match(said["ALERTS.pagerduty"], /status 400/);
    for (const secret of ["1:bad", "tk_bad", "re_bad", "webhooks/1/bad", "ffffffff"]) {
      assert.ok(!JSON.stringify(status).includes(secret), secret);
    }
    assert.deepEqual(counts(), before);
  } finally {
    fine = true;
    await other.stop();
  }
});

test("an incident is public, with its cause and what happened", async () => {
  const { incidents } = await (await fetch(`${edge.url}/api/v1/incidents`)).json();
  assert.equal(incidents.length, 3);
  const [last] = incidents;
  assert.deepEqual([last.monitor, last.severity, last.cause], ["api", "down", "the answer had status 503"]);
  assert.deepEqual(
    last.timeline.map((/** @type {any} */ moment) => moment.what),
    ["down: the answer had status 503", "all is well"],
  );
  assert.ok(Date.parse(last.opened) < Date.parse(last.closed));
});

test("what waits survives a restart of the worker", async () => {
  const { mkdtemp, rm } = await import("node:fs/promises");
  const state = await mkdtemp("/tmp/heapbeat-alerts-");
  const vars = defineChannels(services.url);
  let worker = await Edge.start(watched(), { stateDir: state, vars });
  try {
    await worker.tick();
    services.behavior = "fail";
    fine = false;
    await worker.tick();
    await worker.tick();
    const { now } = worker;
    await worker.stop();
    const before = counts();
    services.behavior = "work";
    worker = await Edge.start(watched(), { stateDir: state, vars });
    worker.now = now;
    for (let minute = 0; minute < 4; minute += 1) await worker.tick();
    assert.deepEqual(
      counts(),
      before.map((count) => count + 1),
    );
  } finally {
    fine = true;
    services.behavior = "work";
    await worker.stop();
    await rm(state, { recursive: true, force: true });
  }
});
