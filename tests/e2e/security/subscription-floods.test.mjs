// Strangers who flood subscriptions: one network, many changes, many slow or hostile addresses. The hub's rows, its probes and the owner's
// alerts do not notice.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { AlertServices, defineChannels } from "../support/alert-services.mjs";
import { Edge } from "../support/edge.mjs";
import { generateVapidKeys, PushService } from "../support/push-service.mjs";
import { defineSubscribedMonitors, listSubscriptions, removeAllSubscriptions } from "../support/subscriptions.mjs";
import { Target } from "../support/target.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";
import { waitUntil } from "../support/wait.mjs";
import { WebhookReceiver } from "../support/webhook-receiver.mjs";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const KEYS = generateVapidKeys();

/** @type {WebhookReceiver} */ let receiver;
/** @type {PushService} */ let push;
/** @type {AlertServices} */ let services;
/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
let isHealthy = true;
let probes = 0;

before(async () => {
  receiver = await WebhookReceiver.start();
  push = await PushService.start(KEYS.VAPID_PUBLIC_KEY);
  services = await AlertServices.start();
  target = await Target.start((_, response) => {
    probes += 1;
    response.writeHead(isHealthy ? 200 : 503).end();
  });
  const vars = { ADMIN_TOKEN, SUBSCRIPTIONS: 40, ...KEYS, VAPID_SUBJECT: "mailto:ops@example.com" };
  edge = await Edge.start(defineSubscribedMonitors(target.url), { vars: { ...vars, ...defineChannels(services.url) } });
  await edge.tick();
});

after(async () => {
  await edge?.stop();
  await Promise.all([target, services, push, receiver].map((it) => it?.stop()));
});

beforeEach(async () => {
  isHealthy = true;
  receiver.hangs = false;
  receiver.response = { status: 200 };
  push.response = { status: 201 };
  await removeAllSubscriptions(edge);
  // Nobody's changes of the test before count any more.
  edge.now += 2 * HOUR;
  await edge.tickTimes(2);
});

/** Sends a change from an address. @param {string} address @param {object} body @param {string} [method] */
async function change(address, body, method = "POST") {
  const headers = { "cf-connecting-ip": address };
  const response = await edge.request("/api/v1/subscriptions", { method, headers, body: JSON.stringify(body) });
  return {
    status: response.status,
    retryAfter: Number(response.headers.get("retry-after")),
    text: await response.text(),
  };
}

test("one network has at most an eighth of the places that others leave", async () => {
  const subscribe = (/** @type {string} */ address, /** @type {string} */ name) =>
    change(address, { url: receiver.urlOf(name) });
  for (let n = 0; n < 5; n += 1) assert.equal((await subscribe(`2001:db8:1:2::${n}`, `/own-${n}`)).status, 204);
  const sixth = await subscribe("2001:db8:1:ffff::1", "/own-5");
  assert.equal(sixth.status, 409);
  assert.match(sixth.text, /as many subscriptions as one may have/);
  assert.equal((await subscribe("2001:db8:2:2::1", "/other")).status, 204, "the next network has places of its own");
  assert.equal((await subscribe("2001:db8:1:2::1", "/own-1")).status, 204, "an address that has one may renew it");
  const leave = (/** @type {string} */ name) => change("203.0.113.1", { url: receiver.urlOf(name) }, "DELETE");
  assert.equal((await leave("/own-0")).status, 204);
  assert.equal((await subscribe("2001:db8:1:2::9", "/own-5")).status, 409, "four of thirty-nine are an eighth");
  assert.equal((await leave("/own-2")).status, 204);
  assert.equal((await subscribe("2001:db8:1:2::9", "/own-5")).status, 204, "there is room again");
});

test("strangers change the list at a bounded pace, and the owner at any", async () => {
  const counted = async () => (await edge.readStatus()).edge;
  const rowsBefore = (await counted()).rows_written;
  const statuses = [];
  for (let n = 0; n < 30; n += 1)
    statuses.push((await change("203.0.113.5", { url: receiver.urlOf("/again") })).status);
  assert.deepEqual(statuses, [...Array(20).fill(204), ...Array(10).fill(429)]);
  const refused = await change("203.0.113.5", { url: receiver.urlOf("/again") });
  assert.ok(refused.retryAfter > 0 && refused.retryAfter <= 3600, `${refused.retryAfter}`);
  assert.equal((await change("203.0.113.6", { url: receiver.urlOf("/another") })).status, 204, "another network may");
  await edge.tick();
  const rows = (await counted()).rows_written - rowsBefore;
  assert.ok(rows <= 24, `${rows} rows for 21 changes and a tick`);
  for (let n = 7; n < 100; n += 1)
    for (let again = 0; again < 20; again += 1) {
      const { status } = await change(`203.0.113.${n}`, { url: receiver.urlOf(`/of-${n}`) });
      if (status === 429) n = 100;
      if (status !== 204) break;
    }
  assert.equal((await change("198.51.100.1", { url: receiver.urlOf("/late") })).status, 429, "all networks together");
  await removeAllSubscriptions(edge);
  assert.deepEqual(await listSubscriptions(edge), [], "the owner removes as many as there are");
  edge.now += HOUR;
  await edge.tick();
  assert.equal((await change("198.51.100.1", { url: receiver.urlOf("/late") })).status, 204, "an hour later");
});

test("subscribers that never answer delay neither the owner's alerts nor the next probes", async () => {
  for (let n = 0; n < 12; n += 1)
    assert.equal((await change(`203.0.113.${100 + n}`, { url: receiver.urlOf(`/slow-${n}`) })).status, 204);
  receiver.hangs = true;
  isHealthy = false;
  const alertsBefore = services.accepted.hook?.length ?? 0;
  const began = Date.now();
  const at = edge.now;
  edge.now += 2 * MINUTE;
  const slow = edge.runScheduled("edge", at);
  await waitUntil("the owner's alert", () => (services.accepted.hook?.length ?? 0) > alertsBefore);
  await waitUntil("messages to subscribers", () => receiver.requests.filter(({ body }) => !body.challenge).length >= 6);
  const probesBefore = probes;
  const next = edge.runScheduled("edge", at + MINUTE);
  await waitUntil("the next probes", () => probes >= probesBefore + 3);
  const tookMs = Date.now() - began;
  await Promise.all([slow, next]);
  const wholeMs = Date.now() - began;
  assert.ok(
    tookMs < wholeMs,
    `the next probes came after ${tookMs} ms, the subscribers' time was over after ${wholeMs} ms`,
  );
  const { max_tick_subrequests, active_seconds } = (await edge.readStatus()).edge;
  assert.ok(max_tick_subrequests <= 50, `${max_tick_subrequests}`);
  // Ten messages at a time, six at once, ten seconds each; two ticks.
  assert.ok(active_seconds <= 90, `${active_seconds} s`);
});

test("hostile answers of subscribers and push services are followed nowhere, and end the subscription", async () => {
  const names = ["/redirect-1", "/too-large", "/retry"];
  for (const [n, name] of names.entries())
    if (name !== "/redirect-1")
      assert.equal((await change(`203.0.113.${200 + n}`, { url: receiver.urlOf(name) })).status, 204);
  assert.equal((await change("203.0.113.199", { url: receiver.urlOf("/redirect-1") })).status, 403);
  for (let n = 0; n < 3; n += 1)
    assert.equal((await change(`203.0.113.${210 + n}`, push.subscribeBrowser(`b${n}`))).status, 204);
  const hostile = [
    { status: 413 },
    { status: 307, retryAfter: "0" },
    { status: 429, retryAfter: "999999999999999999999" },
    { status: 503, retryAfter: "Fri, 31 Dec 9999 23:59:59 GMT" },
    { status: 500, retryAfter: "-1" },
  ];
  let asked = receiver.requests.length + push.requestCount;
  for (const response of hostile) {
    [receiver.response, push.response] = [response, response];
    isHealthy = !isHealthy;
    edge.now += 20 * MINUTE;
    await edge.tickTimes(3);
    const now = receiver.requests.length + push.requestCount;
    assert.ok(now - asked <= 3 * 10, `${now - asked} requests to subscribers in three ticks`);
    asked = now;
  }
  assert.ok(!receiver.requests.some(({ path }) => path === "/redirected"));
  assert.equal((await listSubscriptions(edge)).length, 5, "not before three days");
  [receiver.response, push.response] = [{ status: 413 }, { status: 413 }];
  for (let hour = 0; hour < 2; hour += 1) {
    edge.now += 2 * DAY;
    isHealthy = !isHealthy;
    await edge.tickTimes(8);
  }
  assert.deepEqual(await listSubscriptions(edge), [], "whoever accepts nothing for three days is removed");
});
