// Alert channels: a failing target alerts seven services that are strict about their formats, also while these are busy, broken
// or silent, or while a secret is wrong.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { AlertServices, defineChannels, SERVICE_NAMES } from "../support/alert-services.mjs";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Target } from "../support/target.mjs";
import { createTempDir } from "../support/temp-dir.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";

const MINUTE = 60_000;

/** @type {AlertServices} */ let services;
/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
let isHealthy = true;

const defineMonitors = () => [
  defineMonitor("api", target.url, { kind: "http", name: "<API> & co", "failure-threshold": 1 }),
];

before(async () => {
  services = await AlertServices.start();
  target = await Target.start((_, response) => response.writeHead(isHealthy ? 200 : 503).end());
  edge = await Edge.start(defineMonitors(), {
    vars: { ...defineChannels(services.url), STATUS_URL: "https://status.example", ADMIN_TOKEN },
  });
  await edge.tick();
});

after(async () => {
  await edge?.stop();
  await target?.stop();
  await services?.stop();
});

afterEach(() => {
  isHealthy = true;
  services.behavior = "work";
});

/** Counts the messages that each service accepted. */
const countAccepted = () => SERVICE_NAMES.map((name) => services.accepted[name].length);
const forAll = (/** @type {number} */ count) => SERVICE_NAMES.map(() => count);

test("each service accepts one message when an outage begins and one when it ends", async () => {
  isHealthy = false;
  await edge.tickTimes(2); // a tick sends five alerts
  assert.deepEqual(countAccepted(), forAll(1));
  isHealthy = true;
  await edge.tickTimes(3);
  assert.deepEqual(countAccepted(), forAll(2));
  const [opened, recovered] = services.accepted.pagerduty;
  assert.deepEqual([opened.event_action, recovered.event_action], ["trigger", "resolve"]);
  assert.equal(opened.dedup_key, recovered.dedup_key);
  assert.match(services.accepted.hook[0].title, /^<API> & co is down: HTTP status 503$/);
  assert.equal(services.accepted.hook[0].link, "https://status.example/monitors/api");
});

test("a busy service is retried after its Retry-After and is told what came and went meanwhile, once", async () => {
  edge.now += 20 * MINUTE;
  await edge.tick();
  services.behavior = "busy";
  isHealthy = false;
  await edge.tickTimes(2);
  const requestsBefore = { ...services.requestCounts };
  services.behavior = "work";
  isHealthy = true;
  await edge.tick(); // one minute later, while Retry-After said two
  await edge.tick(10);
  await edge.tickTimes(6);
  assert.deepEqual(countAccepted(), forAll(3));
  for (const name of SERVICE_NAMES) assert.equal(services.requestCounts[name], requestsBefore[name] + 1, name);
  assert.deepEqual(
    services.accepted.hook.slice(2).map((message) => message.event),
    ["past"],
  );
  assert.equal(services.accepted.pagerduty[2].event_action, "resolve");
});

test("services that hang or fail for two hours get what is so afterwards", async () => {
  edge.now += 20 * MINUTE;
  await edge.tick();
  services.behavior = "hang";
  isHealthy = false;
  await edge.tick();
  services.behavior = "fail";
  await edge.tickTimes(120);
  assert.deepEqual(countAccepted(), forAll(3));
  const { problems } = /** @type {any} */ (await (await edge.requestAsAdmin("GET", "/admin/status")).json());
  assert.equal(problems.length, SERVICE_NAMES.length);
  assert.match(problems[0].reason, /^the service has not accepted alerts since .*: status 500$/);
  assert.equal((await edge.readStatus()).edge.failing_channels, SERVICE_NAMES.length);
  services.behavior = "work";
  await edge.tickTimes(20);
  assert.deepEqual(countAccepted(), forAll(4));
  isHealthy = true;
  await edge.tickTimes(5);
  assert.deepEqual(countAccepted(), forAll(5));
  assert.equal((await edge.readStatus()).edge.failing_channels, 0);
  const keys = services.accepted.hook.map((message) => message.key);
  assert.equal(new Set(keys).size, keys.length, "every message has its own key");
});

test("a wrong or missing secret is reported as a problem, without the secret", async (t) => {
  const acceptedBefore = countAccepted();
  const wrong = {
    ...{ TELEGRAM: "1:bad", NTFY: "tk_bad", EMAIL: "re_bad", PAGERDUTY: "f".repeat(32), SLACK: undefined },
    ...{ DISCORD: `${services.url}/discord/webhooks/1/bad`, HOOK: `${services.url}/hook/bad` },
  };
  const vars = JSON.parse(JSON.stringify({ ...defineChannels(services.url), ...wrong, ADMIN_TOKEN }));
  const misconfigured = await Edge.start(defineMonitors(), { vars });
  t.after(() => misconfigured.stop());
  await misconfigured.tick();
  isHealthy = false;
  await misconfigured.tickTimes(3);
  const response = await misconfigured.requestAsAdmin("GET", "/admin/status");
  const status = /** @type {any} */ (await response.json());
  const reasons = Object.fromEntries(status.problems.map((/** @type {any} */ it) => [it.position, it.reason]));
  assert.deepEqual(Object.keys(reasons).sort(), SERVICE_NAMES.map((name) => `ALERTS.${name}`).sort());
  assert.match(reasons["ALERTS.slack"], /has no secret `SLACK`/);
  assert.match(reasons["ALERTS.telegram"], /refused alerts since .*: status 401; is the secret right/);
  assert.match(reasons["ALERTS.pagerduty"], /status 400/);
  for (const secret of ["1:bad", "tk_bad", "re_bad", "webhooks/1/bad", "ffffffff"]) {
    assert.ok(!JSON.stringify(status).includes(secret), secret);
  }
  assert.deepEqual(countAccepted(), acceptedBefore);
});

test("a secret that is no address is a problem from the first tick, and costs no request", async (t) => {
  const requestsBefore = { ...services.requestCounts };
  const vars = { ...defineChannels(services.url), HOOK: "not an address", ADMIN_TOKEN };
  const misconfigured = await Edge.start(defineMonitors(), { vars });
  t.after(() => misconfigured.stop());
  await misconfigured.tick();
  const response = await misconfigured.requestAsAdmin("GET", "/admin/status");
  const { problems } = /** @type {any} */ (await response.json());
  assert.deepEqual(
    problems.map((/** @type {any} */ it) => it.position),
    ["ALERTS.hook"],
  );
  assert.match(problems[0].reason, /the secret `HOOK` should be an address/);
  isHealthy = false;
  await misconfigured.tickTimes(3);
  assert.equal(services.requestCounts.hook, requestsBefore.hook);
});

test("a test sends a marked message through each channel and says what came back", async (t) => {
  const acceptedBefore = countAccepted();
  const requestTest = (/** @type {Edge} */ it) => it.requestAsAdmin("POST", "/alerts/test");
  assert.equal((await edge.request("/api/v1/alerts/test", { method: "POST" })).status, 401);
  const { channels } = /** @type {any} */ (await (await requestTest(edge)).json());
  assert.deepEqual(
    channels.map((/** @type {any} */ it) => [it.channel, it.accepted, it.result]),
    SERVICE_NAMES.map((name) => [name, true, "accepted"]),
  );
  assert.deepEqual(
    countAccepted(),
    acceptedBefore.map((count) => count + 1),
  );
  assert.equal(services.accepted.hook.at(-1).event, "test");
  assert.match(services.accepted.hook.at(-1).title, /^Test of the alert channel hook: nothing is wrong$/);
  const vars = { ...defineChannels(services.url), SLACK: `${services.url}/slack/bad`, EMAIL: "", ADMIN_TOKEN };
  const misconfigured = await Edge.start(defineMonitors(), { vars });
  t.after(() => misconfigured.stop());
  const results = /** @type {any} */ (await (await requestTest(misconfigured)).json()).channels;
  const find = (/** @type {string} */ name) => results.find((/** @type {any} */ it) => it.channel === name);
  assert.deepEqual(
    [find("slack").accepted, find("slack").result, find("slack").reply],
    [false, "the service refused the message: status 404", "no_service"],
  );
  assert.equal(find("email").result, "the Worker does not have its secret");
  assert.ok(!JSON.stringify(results).includes("slack/bad"));
});

test("each outage is a public incident with its cause and timeline", async () => {
  const incidents = await edge.readIncidents();
  assert.equal(incidents.length, 3);
  const [last] = incidents;
  assert.deepEqual([last.monitor, last.severity, last.cause], ["api", "down", "HTTP status 503"]);
  assert.deepEqual(
    last.timeline.map((/** @type {any} */ event) => event.message),
    ["HTTP status 503", "all checks pass again"],
  );
  assert.ok(Date.parse(last.opened) < Date.parse(last.closed));
});

test("pending alerts survive a restart of the worker", async (t) => {
  const options = { stateDir: await createTempDir(t), vars: defineChannels(services.url) };
  const firstEdge = await Edge.start(defineMonitors(), options);
  await firstEdge.tick();
  services.behavior = "fail";
  isHealthy = false;
  await firstEdge.tickTimes(2);
  await firstEdge.stop();
  const acceptedBefore = countAccepted();
  services.behavior = "work";
  const secondEdge = await Edge.start(defineMonitors(), options);
  t.after(() => secondEdge.stop());
  secondEdge.now = firstEdge.now;
  await secondEdge.tickTimes(4);
  assert.deepEqual(
    countAccepted(),
    acceptedBefore.map((count) => count + 1),
  );
});
