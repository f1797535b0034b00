// Webhook subscriptions of strangers: how they prove themselves, what they are sent, and what they cannot do to others.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { AlertServices, defineChannels } from "../support/alert-services.mjs";
import { defineMonitor, Edge } from "../support/edge.mjs";
import {
  defineSubscribedMonitors,
  listSubscriptions,
  removeAllSubscriptions,
  removeSubscription,
  subscribe,
  unsubscribe,
} from "../support/subscriptions.mjs";
import { REFUSED_URL, Target } from "../support/target.mjs";
import { createTempDir } from "../support/temp-dir.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";
import { WebhookReceiver } from "../support/webhook-receiver.mjs";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** @type {WebhookReceiver} */ let receiver;
/** @type {AlertServices} */ let services;
/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
let isHealthy = true;

before(async () => {
  receiver = await WebhookReceiver.start();
  services = await AlertServices.start();
  target = await Target.start((_, response) => response.writeHead(isHealthy ? 200 : 503).end());
  edge = await Edge.start(defineSubscribedMonitors(target.url), {
    vars: { ADMIN_TOKEN, SUBSCRIPTIONS: 3, ...defineChannels(services.url) },
  });
  await edge.tick();
});

after(async () => {
  await edge?.stop();
  await target?.stop();
  await services?.stop();
  await receiver?.stop();
});

afterEach(async () => {
  isHealthy = true;
  receiver.hangs = false;
  receiver.response = { status: 200 };
  receiver.answerChallenge = (challenge) => challenge;
  await removeAllSubscriptions(edge);
  receiver.accepted = {};
  assert.deepEqual(receiver.violations, []);
});

/** Runs through an outage of all monitors, with so many ticks of each kind. @param {number} [ticks] a tick sends ten messages */
async function runOutage(ticks = 2) {
  edge.now += 30 * MINUTE;
  await edge.tick();
  isHealthy = false;
  await edge.tickTimes(ticks);
  isHealthy = true;
  await edge.tickTimes(ticks + 2);
}

test("subscriptions are off unless they are configured correctly", async (t) => {
  const monitors = defineSubscribedMonitors(target.url);
  const unconfigured = await Edge.start(monitors, {});
  t.after(() => unconfigured.stop());
  const misconfigured = await Edge.start(monitors, { vars: { ADMIN_TOKEN, SUBSCRIPTIONS: 41 } });
  t.after(() => misconfigured.stop());
  for (const off of [unconfigured, misconfigured])
    assert.equal((await subscribe(off, { url: receiver.urlOf("/off") })).status, 404);
  assert.equal((await unconfigured.readStatus()).edge.config_problems, 0);
  const response = await misconfigured.requestAsAdmin("GET", "/admin/status");
  const { problems } = /** @type {any} */ (await response.json());
  assert.deepEqual(
    problems.map((/** @type {any} */ it) => it.position),
    ["SUBSCRIPTIONS"],
  );
  assert.ok(!receiver.requests.some(({ path }) => path === "/off"));
});

test("a confirmed subscriber gets public incidents, signed and in order, after the owner's alerts", async () => {
  const url = receiver.urlOf("/all?key=k");
  assert.equal((await subscribe(edge, { url })).status, 204);
  assert.equal((await subscribe(edge, { url: receiver.urlOf("/web"), monitors: ["web"] })).status, 204);
  const [{ body }] = receiver.requests.filter(({ path }) => path === "/all?key=k");
  assert.deepEqual(Object.keys(body), ["event", "page", "challenge", "secret"]);
  assert.deepEqual([body.event, body.page], ["subscribe", edge.url]);
  assert.match(body.secret, /^whsec_[A-Za-z0-9+/]{32}$/);
  await runOutage(4);
  assert.deepEqual(receiver.listEvents("/all?key=k"), ["api opened", "web opened", "api recovered", "web recovered"]);
  assert.deepEqual(receiver.listEvents("/web"), ["web opened", "web recovered"]);
  const [opened] = receiver.accepted["/web"];
  assert.equal(opened.title, "WEB is down: HTTP status 503");
  assert.ok(
    services.accepted.hook.some((message) => message.monitor === "hidden"),
    "the owner is alerted of monitors that are not public",
  );
  assert.ok(!JSON.stringify(receiver.accepted).includes("hidden"));
});

test("an address that does not answer the challenge is not stored", async () => {
  const answers = {
    wrong: () => "f".repeat(32),
    empty: () => "",
    more: (/** @type {string} */ challenge) => `${challenge} and more`,
    endless: (/** @type {string} */ challenge) => challenge + " ".repeat(100_000),
  };
  const details = new Set();
  for (const [name, answer] of Object.entries(answers)) {
    receiver.answerChallenge = answer;
    const { status, detail } = await subscribe(edge, { url: receiver.urlOf(`/${name}`) });
    assert.equal(status, 403, name);
    details.add(detail);
  }
  receiver.answerChallenge = (challenge) => challenge;
  const redirected = await subscribe(edge, { url: receiver.urlOf("/redirect") });
  const refused = await subscribe(edge, { url: REFUSED_URL });
  receiver.hangs = true;
  const silent = await subscribe(edge, { url: receiver.urlOf("/silent") });
  assert.deepEqual([redirected.status, refused.status, silent.status], [403, 403, 403]);
  for (const { detail } of [redirected, refused, silent]) details.add(detail);
  assert.equal(details.size, 1, "the answer does not reveal what is at the address");
  assert.ok(!receiver.requests.some(({ path }) => path === "/redirected"), "redirects are not followed");
  assert.deepEqual(await listSubscriptions(edge), []);
});

test("an invalid subscription is refused before any request is sent", async () => {
  const requestsBefore = receiver.requests.length;
  const url = receiver.urlOf("/x");
  const cases = [
    [{}, /^body: missing field `url`/],
    ["text", /^body: invalid type: string "text", expected an object with `url`/],
    [{ url: 5 }, /^url: invalid type: integer `5`, expected a string/],
    [{ url, more: 1 }, /^more: unknown field `more`, expected one of `url`, `monitors`, `keys`/],
    [{ url, monitors: "api" }, /^monitors: invalid type: string "api", expected a sequence/],
    [{ url, monitors: Array.from({ length: 21 }, (_, i) => `m${i}`) }, /^monitors: 21 ids; at most 20/],
    [{ url, monitors: ['api","name":"API'] }, /^monitors\[0\]: /],
    [{ url: "no address" }, /^url: /],
    [{ url: "ftp://example.com/" }, /^url: /],
    [{ url: "https://user:word@example.com/" }, /^url: /],
    [{ url, monitors: ["api", "nothing"] }, /^monitors: `nothing` is not a public monitor\.$/],
    [{ url, monitors: ["hidden"] }, /^monitors: `hidden` is not a public monitor\.$/],
  ];
  for (const [body, expected] of cases) {
    const { status, detail } = await subscribe(edge, body);
    assert.equal(status, 400, JSON.stringify(body));
    assert.match(detail, /** @type {RegExp} */ (expected), JSON.stringify(body));
  }
  assert.equal((await subscribe(edge, { url: "x".repeat(5000) })).status, 413);
  assert.equal((await edge.request("/api/v1/subscriptions")).status, 405);
  assert.equal(receiver.requests.length, requestsBefore);
});

test("private addresses and plain http are refused", async (t) => {
  const strict = await Edge.start([], { vars: { SUBSCRIPTIONS: 3, ALLOW_PRIVATE_TARGETS: "false" } });
  t.after(() => strict.stop());
  for (const url of [
    receiver.urlOf("/x"),
    "https://127.0.0.1/",
    "https://0x7f.1/",
    "https://[::1]/",
    "https://10.0.0.1/",
    "https://169.254.169.254/latest/meta-data",
    "https://localhost/",
    "https://router.local/",
    "https://[::ffff:192.168.0.1]/",
    "http://example.com/",
  ]) {
    const { status, detail } = await subscribe(strict, { url });
    assert.deepEqual([status, detail.startsWith("url: ")], [400, true], url);
  }
});

test("the number of subscriptions is limited, and an address counts once", async () => {
  for (const name of ["/one", "/two", "/three"])
    assert.equal((await subscribe(edge, { url: receiver.urlOf(name) })).status, 204);
  const full = await subscribe(edge, { url: receiver.urlOf("/four") });
  assert.deepEqual([full.status, /limit of subscriptions/.test(full.detail)], [409, true]);
  const secretBefore = receiver.secrets["/two"];
  assert.equal((await subscribe(edge, { url: receiver.urlOf("/two"), monitors: ["web"] })).status, 204);
  assert.notEqual(receiver.secrets["/two"], secretBefore, "subscribing again replaces the secret");
  const all = await listSubscriptions(edge);
  assert.deepEqual(
    all.map((/** @type {any} */ it) => [new URL(it.url).pathname, it.monitors]),
    [
      ["/one", []],
      ["/three", []],
      ["/two", ["web"]],
    ],
  );
  assert.ok(!JSON.stringify(all).includes("whsec_"));
  assert.equal((await removeSubscription(edge, all[0].url)).status, 204);
  assert.equal((await subscribe(edge, { url: receiver.urlOf("/four") })).status, 204, "there is room again");
});

test("an address unsubscribes by the challenge, and nobody else can unsubscribe it", async () => {
  const url = receiver.urlOf("/leaves");
  assert.equal((await subscribe(edge, { url })).status, 204);
  receiver.answerChallenge = () => "no";
  assert.equal((await unsubscribe(edge, { url })).status, 403);
  assert.equal((await listSubscriptions(edge)).length, 1);
  receiver.answerChallenge = (challenge) => challenge;
  assert.equal((await unsubscribe(edge, { url })).status, 204);
  const { body } = /** @type {any} */ (receiver.requests.at(-1));
  assert.deepEqual([body.event, body.secret], ["unsubscribe", null]);
  assert.deepEqual(await listSubscriptions(edge), []);
  assert.equal((await unsubscribe(edge, { url })).status, 204, "unsubscribing twice is no error");
  await runOutage();
  assert.deepEqual(receiver.listEvents("/leaves"), []);
});

test("a failing or busy subscriber is told once what came and went, and the owner's alerts do not wait", async () => {
  assert.equal((await subscribe(edge, { url: receiver.urlOf("/slow"), monitors: ["api"] })).status, 204);
  edge.now += 30 * MINUTE;
  await edge.tick();
  const alertsBefore = services.accepted.hook.length;
  receiver.response = { status: 500 };
  isHealthy = false;
  await edge.tick();
  receiver.response = { status: 429, retryAfter: "120" };
  await edge.tick();
  const requestsBefore = receiver.requests.length;
  receiver.response = { status: 200 };
  isHealthy = true;
  await edge.tick();
  assert.equal(receiver.requests.length, requestsBefore, "Retry-After said two minutes");
  await edge.tickTimes(6);
  assert.deepEqual(receiver.listEvents("/slow"), ["api past"]);
  assert.ok(services.accepted.hook.length > alertsBefore);
  const { problems } = await edge.readStatus();
  assert.deepEqual(problems, [], "problems of subscribers are not published");
});

test("a subscriber that is gone, or fails for three days, is removed", async () => {
  assert.equal((await subscribe(edge, { url: receiver.urlOf("/gone") })).status, 204);
  receiver.response = { status: 410 };
  await runOutage();
  assert.deepEqual(await listSubscriptions(edge), []);
  assert.deepEqual(receiver.listEvents("/gone"), []);

  assert.equal((await subscribe(edge, { url: receiver.urlOf("/dead") })).status, 204);
  receiver.response = { status: 500 };
  isHealthy = false;
  await edge.tickTimes(3);
  edge.now += 2 * DAY;
  await edge.tickTimes(2);
  assert.equal((await listSubscriptions(edge)).length, 1, "not yet");
  edge.now += DAY + HOUR;
  await edge.tickTimes(2);
  assert.deepEqual(await listSubscriptions(edge), []);
});

test("failing subscribers cost the hub few rows and stay within its subrequests", async () => {
  for (const name of ["/a", "/b", "/c"])
    assert.equal((await subscribe(edge, { url: receiver.urlOf(name) })).status, 204);
  receiver.response = { status: 500 };
  await runOutage();
  await edge.tickTimes(12); // until the owner's alerts are sent
  const before = (await edge.readStatus()).edge;
  await edge.tickTimes(60);
  const after = (await edge.readStatus()).edge;
  // One row a tick and one an hour for the latencies; failing subscribers write none.
  assert.ok(after.rows_written - before.rows_written <= 66, `${after.rows_written - before.rows_written} rows`);
  assert.ok(after.max_tick_subrequests <= 50);
});

test("subscriptions and their pending messages survive a restart of the worker, and are exported", async (t) => {
  const options = { stateDir: await createTempDir(t), vars: { ADMIN_TOKEN, SUBSCRIPTIONS: 1 } };
  const firstEdge = await Edge.start(defineSubscribedMonitors(target.url), options);
  await firstEdge.tick();
  assert.equal((await subscribe(firstEdge, { url: receiver.urlOf("/kept"), monitors: ["api"] })).status, 204);
  receiver.response = { status: 500 };
  isHealthy = false;
  await firstEdge.tick();
  await firstEdge.stop();
  receiver.response = { status: 200 };
  const secondEdge = await Edge.start(defineSubscribedMonitors(target.url), options);
  t.after(() => secondEdge.stop());
  secondEdge.now = firstEdge.now;
  await secondEdge.tick();
  assert.deepEqual(receiver.listEvents("/kept"), ["api opened"]);
  const [page] = await secondEdge.exportPages({ subscriptions: true });
  const row = page.split("\n").find((line) => line.includes('"subscriptions"')) ?? "";
  assert.ok(row.includes(receiver.urlOf("/kept")) && row.includes(receiver.secrets["/kept"]), row);
});

test("every hub sends its own incidents, learns of a subscription that it missed, and removes for all hubs", async (t) => {
  const monitors = Array.from({ length: 60 }, (_, i) =>
    defineMonitor(`m${i}`, target.url, { kind: "http", "failure-threshold": 1 }),
  );
  const twoHubs = await Edge.start([], { faultInjection: true, vars: { ADMIN_TOKEN, SUBSCRIPTIONS: 5 } });
  t.after(() => twoHubs.stop());
  assert.equal((await twoHubs.applyMonitors(monitors)).status, 200);
  await twoHubs.tick();
  assert.equal((await twoHubs.readStatus()).edge.hubs, 2);
  const { result } = await twoHubs.requestHub(0, { Monitor: { monitor: "m59" } });
  assert.deepEqual(result, { Err: { OtherHub: 1 } }, "this monitor is in the other hub");
  await twoHubs.injectFault("hub-1");
  assert.equal((await subscribe(twoHubs, { url: receiver.urlOf("/m59"), monitors: ["m59"] })).status, 204);
  await twoHubs.tick();
  await twoHubs.clearFault();
  await twoHubs.tick(); // the hub learns of the subscription
  await twoHubs.injectFault("hub-0");
  assert.equal((await subscribe(twoHubs, { url: receiver.urlOf("/no") })).status, 503);
  await twoHubs.clearFault();
  assert.deepEqual(
    (await listSubscriptions(twoHubs)).map((it) => it.monitors),
    [["m59"]],
  );
  isHealthy = false;
  await twoHubs.tick();
  assert.deepEqual(receiver.listEvents("/m59"), ["m59 opened"]);
  receiver.response = { status: 410 };
  isHealthy = true;
  await twoHubs.tickTimes(4);
  assert.deepEqual(await listSubscriptions(twoHubs), []);
});
