// Web push: messages are encrypted as in the standard's own example, and sent to a push service that checks the standards. The
// browser's side is in browser-notifications.test.mjs.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { sealed } from "../../../edge/src/notify/push/seal.js";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { generateVapidKeys, PushService } from "../support/push-service.mjs";
import {
  defineSubscribedMonitors,
  listSubscriptions,
  removeAllSubscriptions,
  subscribe,
  unsubscribe,
} from "../support/subscriptions.mjs";
import { REFUSED_URL, Target } from "../support/target.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";

const MINUTE = 60_000;
const KEYS = generateVapidKeys();
const VARS = { ADMIN_TOKEN, SUBSCRIPTIONS: 4, ...KEYS, VAPID_SUBJECT: "mailto:ops@example.com" };

/** @type {PushService} */ let service;
/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
let isHealthy = true;

before(async () => {
  service = await PushService.start(KEYS.VAPID_PUBLIC_KEY);
  target = await Target.start((_, response) => response.writeHead(isHealthy ? 200 : 503).end());
  edge = await Edge.start(defineSubscribedMonitors(target.url), { vars: VARS });
  await edge.tick();
});

after(async () => {
  await edge?.stop();
  await target?.stop();
  await service?.stop();
});

afterEach(async () => {
  isHealthy = true;
  service.response = { status: 201 };
  await removeAllSubscriptions(edge);
  assert.deepEqual(service.violations, []);
});

/** Runs through an outage of all monitors, until every message is sent. */
async function runOutage() {
  edge.now += 30 * MINUTE;
  await edge.tick();
  isHealthy = false;
  await edge.tickTimes(2);
  isHealthy = true;
  await edge.tickTimes(4);
}

test("a message is encrypted as in the example of RFC 8291, appendix A", async () => {
  const point = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8";
  const bytes = Buffer.from(point, "base64url");
  const [x, y] = [bytes.subarray(1, 33), bytes.subarray(33)].map((half) => half.toString("base64url"));
  const curve = { name: "ECDH", namedCurve: "P-256" };
  const importKey = (/** @type {object} */ more, /** @type {KeyUsage[]} */ uses) =>
    crypto.subtle.importKey("jwk", { kty: "EC", crv: "P-256", x, y, ...more }, curve, true, uses);
  const pair = {
    publicKey: await importKey({}, []),
    privateKey: await importKey({ d: "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw" }, ["deriveBits"]),
  };
  const body = await sealed(
    "When I grow up, I want to be a watermelon",
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    "BTBZMqHH6r4Tts7J_aSIgg",
    pair,
    Buffer.from("DGv6ra1nlYgDCS1FRnbzlw", "base64url"),
  );
  assert.equal(
    Buffer.from(body).toString("base64url"),
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN",
  );
});

test("a browser gets public incidents, encrypted, with one topic for each incident", async () => {
  assert.equal((await subscribe(edge, service.subscribeBrowser("all"))).status, 204);
  assert.equal((await subscribe(edge, { ...service.subscribeBrowser("web"), monitors: ["web"] })).status, 204);
  assert.deepEqual(
    (await listSubscriptions(edge)).map((/** @type {any} */ it) => [it.url, it.monitors, it.push]),
    [
      [`${service.url}/push/all`, [], true],
      [`${service.url}/push/web`, ["web"], true],
    ],
  );
  await runOutage();
  const events = ["subscribe", "api opened", "web opened", "api recovered", "web recovered"];
  assert.deepEqual(service.listEvents("all"), events);
  assert.deepEqual(service.listEvents("web"), ["subscribe", "web opened", "web recovered"]);
  const [first, opened] = service.messages["/push/web"];
  assert.deepEqual(first, { event: "subscribe", page: edge.url });
  assert.equal(opened.title, "WEB is down: HTTP status 503");
  assert.ok(!JSON.stringify(service.messages).includes("hidden"));
  const [subscribed, ...topics] = service.topics["/push/web"];
  assert.equal(subscribed, "subscribe");
  assert.equal(new Set(topics).size, 1, "the recovery replaces the message about the outage");
  assert.equal(new Set(service.topics["/push/all"]).size, 3);
  assert.ok(service.tokens.size <= 2, `${service.tokens.size} tokens: at most one of the front and one of the hub`);
});

test("a browser whose push service rejects the first message is not stored", async () => {
  for (const status of [400, 403, 404, 410, 429, 500]) {
    service.response = { status };
    const { detail, ...answer } = await subscribe(edge, service.subscribeBrowser(`no-${status}`));
    assert.deepEqual(answer, { status: 403 }, `${status}`);
    assert.equal(detail, "The address did not confirm the request.");
  }
  service.response = { status: 201 };
  const { keys } = service.subscribeBrowser("x");
  assert.equal((await subscribe(edge, { url: `${service.url}/push/nobody`, keys })).status, 403);
  assert.equal((await subscribe(edge, { url: `${REFUSED_URL}push`, keys })).status, 403);
  // This point is not on the curve.
  const invalidKeys = { ...keys, p256dh: `B${"A".repeat(86)}` };
  assert.equal((await subscribe(edge, { url: `${service.url}/push/x`, keys: invalidKeys })).status, 403);
  assert.deepEqual(await listSubscriptions(edge), []);
});

test("an invalid subscription is refused before any request is sent", async () => {
  const { url, keys } = service.subscribeBrowser("y");
  const requestsBefore = service.requestCount;
  for (const body of [
    { url, keys: {} },
    { url, keys: null },
    { url, keys: [] },
    { url, keys: { p256dh: keys.p256dh } },
    { url, keys: { ...keys, p256dh: keys.auth } },
    { url, keys: { ...keys, auth: `${keys.auth} x` } },
    { url, keys: { ...keys, auth: keys.p256dh } },
    { keys },
    { url: "no address", keys },
    { url, keys, monitors: ["nothing"] },
    { url, keys, monitors: ["hidden"] },
    { url, keys, more: 1 },
  ]) {
    assert.equal((await subscribe(edge, body)).status, 400, JSON.stringify(body));
  }
  assert.equal(service.requestCount, requestsBefore);
});

test("only known push services are accepted, and none without valid VAPID keys", async (t) => {
  const { keys } = service.subscribeBrowser("z");
  const strict = await Edge.start([], { vars: { ...VARS, ALLOW_PRIVATE_TARGETS: "false" } });
  t.after(() => strict.stop());
  for (const url of [
    `${service.url}/push/z`,
    "https://example.com/push",
    "https://fcm.googleapis.com.example.com/x",
    "http://fcm.googleapis.com/x",
    "https://user@fcm.googleapis.com/x",
    "https://push.apple.com/x",
  ]) {
    const { status, detail } = await subscribe(strict, { url, keys });
    assert.deepEqual([status, /push service/.test(detail)], [400, true], url);
  }
  const none = await Edge.start([], { vars: { SUBSCRIPTIONS: 3 } });
  t.after(() => none.stop());
  const { status, detail } = await subscribe(none, { url: `${service.url}/push/z`, keys });
  assert.deepEqual([status, /^keys: /.test(detail)], [400, true]);
  assert.ok(!(await (await fetch(none.url)).text()).includes("data-push"));
  for (const [name, value] of Object.entries({ VAPID_PUBLIC_KEY: "x", VAPID_PRIVATE_KEY: "", VAPID_SUBJECT: "me" })) {
    const misconfigured = await Edge.start(defineSubscribedMonitors(target.url), { vars: { ...VARS, [name]: value } });
    t.after(() => misconfigured.stop());
    const response = await misconfigured.requestAsAdmin("GET", "/admin/status");
    const { problems } = /** @type {any} */ (await response.json());
    assert.deepEqual(
      problems.map((/** @type {any} */ it) => it.position),
      [name],
    );
    assert.ok(!JSON.stringify(problems).includes(KEYS.VAPID_PRIVATE_KEY));
  }
});

test("a browser unsubscribes with its keys, and its address alone is not enough", async () => {
  const one = service.subscribeBrowser("leaves");
  assert.equal((await subscribe(edge, one)).status, 204);
  const { keys } = service.subscribeBrowser("other");
  assert.equal(
    (await unsubscribe(edge, { url: one.url, keys })).status,
    204,
    "the answer does not reveal whether it was subscribed",
  );
  assert.equal((await unsubscribe(edge, { url: one.url })).status, 403, "a push service answers no challenge");
  assert.equal((await listSubscriptions(edge)).length, 1);
  service.violations = []; // the challenge is not a push message
  assert.equal((await unsubscribe(edge, one)).status, 204);
  assert.deepEqual(await listSubscriptions(edge), []);
  assert.equal((await unsubscribe(edge, one)).status, 204, "unsubscribing twice is no error");
});

test("an expired subscription is removed, and a busy push service is told what came and went", async () => {
  for (const status of [404, 410]) {
    service.response = { status: 201 };
    assert.equal((await subscribe(edge, service.subscribeBrowser(`gone-${status}`))).status, 204);
    service.response = { status };
    await runOutage();
    assert.deepEqual(await listSubscriptions(edge), [], `${status}`);
  }
  service.response = { status: 201 };
  assert.equal((await subscribe(edge, { ...service.subscribeBrowser("busy"), monitors: ["api"] })).status, 204);
  edge.now += 30 * MINUTE;
  await edge.tick();
  service.response = { status: 429, retryAfter: "120" };
  isHealthy = false;
  await edge.tick();
  const requestsBefore = service.requestCount;
  service.response = { status: 201 };
  isHealthy = true;
  await edge.tick();
  assert.equal(service.requestCount, requestsBefore, "Retry-After said two minutes");
  await edge.tickTimes(6);
  assert.deepEqual(service.listEvents("busy"), ["subscribe", "api past"]);
});

test("the longest message fits, whatever the names contain", async (t) => {
  const name = '"\\'.repeat(40);
  const list = Array.from({ length: 20 }, (_, i) =>
    defineMonitor(`m${i}`, target.url, { kind: "http", "failure-threshold": 1, name }),
  );
  const manyMonitors = await Edge.start(list, { vars: VARS });
  t.after(() => manyMonitors.stop());
  await manyMonitors.tick();
  assert.equal((await subscribe(manyMonitors, service.subscribeBrowser("long"))).status, 204);
  manyMonitors.now += 30 * MINUTE;
  await manyMonitors.tick();
  isHealthy = false;
  await manyMonitors.tick();
  await manyMonitors.tick();
  const [, message] = service.messages["/push/long"];
  assert.match(message.title, /^20 monitors are affected: /);
  assert.ok(message.text.length > 1000, message.text);
});
