// A browser is told of incidents, and the push service in between reads nothing of it: the keys of the standard's own example, the real
// worker against a service that takes only what the standards have it take, and the page with its worker in a real Chromium.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { sealed } from "../../../edge/src/notify/push/seal.js";
import { launchBrowser, openPage } from "../support/browser.mjs";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { generateVapidKeys, PushService } from "../support/push-service.mjs";
import { Target } from "../support/target.mjs";
import { waitUntil } from "../support/wait.mjs";

const TOKEN = "0123456789abcdef0123";
const PATH = "/api/v1/subscriptions";
const KEYS = generateVapidKeys();
const VARS = { ADMIN_TOKEN: TOKEN, SUBSCRIPTIONS: 4, ...KEYS, VAPID_SUBJECT: "mailto:ops@example.com" };

/** @type {PushService} */ let service;
/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
let fine = true;

const watched = () => [
  defineMonitor("api", target.url, { kind: "http", "failure-threshold": 1 }),
  defineMonitor("web", target.url, { kind: "http", "failure-threshold": 1 }),
  defineMonitor("hidden", target.url, { kind: "http", "failure-threshold": 1, public: false }),
];

before(async () => {
  service = await PushService.start(KEYS.VAPID_PUBLIC_KEY);
  target = await Target.start((_, response) => response.writeHead(fine ? 200 : 503).end());
  edge = await Edge.start(watched(), { vars: VARS });
  await edge.tick();
});

after(async () => {
  await edge?.stop();
  await target?.stop();
  await service?.stop();
});

afterEach(async () => {
  fine = true;
  service.response = { status: 201 };
  for (const { url } of await listed()) await ask("DELETE", { url }, { path: "/api/v1/admin/subscriptions" });
  assert.deepEqual(service.violations, []);
});

/** @param {string} method @param {unknown} body @param {{ path?: string, worker?: Edge }} [where] */
async function ask(method, body, { path = PATH, worker = edge } = {}) {
  /** @type {Record<string, string>} */
  const headers = path === PATH ? {} : { authorization: `Bearer ${TOKEN}` };
  const answer = await fetch(`${worker.url}${path}`, { method, headers, body: JSON.stringify(body) });
  return { status: answer.status, detail: answer.status < 300 ? "" : (await answer.json()).detail };
}

/** The list as the owner sees it. */
async function listed() {
  const headers = { authorization: `Bearer ${TOKEN}` };
  return (await (await fetch(`${edge.url}/api/v1/admin/subscriptions`, { headers })).json()).subscriptions;
}

/** An outage of everything, told, and its end. */
async function outage() {
  edge.now += 30 * 60_000;
  await edge.tick();
  fine = false;
  for (let i = 0; i < 2; i += 1) await edge.tick();
  fine = true;
  for (let i = 0; i < 4; i += 1) await edge.tick();
}

test("the message of the standard's example (RFC 8291, appendix A)", async () => {
  const point = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8";
  const bytes = Buffer.from(point, "base64url");
  const [x, y] = [bytes.subarray(1, 33), bytes.subarray(33)].map((half) => half.toString("base64url"));
  const curve = { name: "ECDH", namedCurve: "P-256" };
  const read = (/** @type {object} */ more, /** @type {KeyUsage[]} */ uses) =>
    crypto.subtle.importKey("jwk", { kty: "EC", crv: "P-256", x, y, ...more }, curve, true, uses);
  const pair = {
    publicKey: await read({}, []),
    privateKey: await read({ d: "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw" }, ["deriveBits"]),
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

test("a browser is told what the page shows, sealed, and one incident is one topic", async () => {
  assert.equal((await ask("POST", service.subscribeBrowser("all"))).status, 204);
  assert.equal((await ask("POST", { ...service.subscribeBrowser("web"), monitors: ["web"] })).status, 204);
  assert.deepEqual(
    (await listed()).map((/** @type {any} */ it) => [it.url, it.monitors, it.push]),
    [
      [`${service.url}/push/all`, [], true],
      [`${service.url}/push/web`, ["web"], true],
    ],
  );
  await outage();
  const all = ["subscribe", "api opened", "web opened", "api recovered", "web recovered"];
  assert.deepEqual(service.listEvents("all"), all);
  assert.deepEqual(service.listEvents("web"), ["subscribe", "web opened", "web recovered"]);
  const [first, opened] = service.messages["/push/web"];
  assert.deepEqual(first, { event: "subscribe", page: edge.url });
  assert.equal(opened.title, "WEB is down: the answer had status 503");
  assert.ok(!JSON.stringify(service.messages).includes("hidden"));
  const [subscribed, ...topics] = service.topics["/push/web"];
  assert.equal(subscribed, "subscribe");
  assert.equal(new Set(topics).size, 1, "that it is over takes the place of that it began");
  assert.equal(new Set(service.topics["/push/all"]).size, 3);
  assert.ok(service.tokens.size <= 2, `${service.tokens.size} tokens: the front has its own, and the hub`);
});

test("nothing is stored of a browser whose service does not take a message", async () => {
  for (const status of [400, 403, 404, 410, 429, 500]) {
    service.response = { status };
    const { detail, ...answer } = await ask("POST", service.subscribeBrowser(`no-${status}`));
    assert.deepEqual(answer, { status: 403 }, `${status}`);
    assert.equal(detail, "the address did not answer as one that wants this");
  }
  service.response = { status: 201 };
  const { keys } = service.subscribeBrowser("x");
  assert.equal((await ask("POST", { url: `${service.url}/push/nobody`, keys })).status, 403);
  assert.equal((await ask("POST", { url: "http://127.0.0.1:1/push", keys })).status, 403);
  // A point that is not on the curve.
  const bent = { ...keys, p256dh: `B${"A".repeat(86)}` };
  assert.equal((await ask("POST", { url: `${service.url}/push/x`, keys: bent })).status, 403);
  assert.deepEqual(await listed(), []);
});

test("what cannot be asked for is refused before anybody is asked", async () => {
  const { url, keys } = service.subscribeBrowser("y");
  const before = service.requestCount;
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
    assert.equal((await ask("POST", body)).status, 400, JSON.stringify(body));
  }
  assert.equal(service.requestCount, before);
});

test("only the push services of browsers are asked, and none where there are no keys, or bad ones", async (t) => {
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
    const { status, detail } = await ask("POST", { url, keys }, { worker: strict });
    assert.deepEqual([status, /push service/.test(detail)], [400, true], url);
  }
  const none = await Edge.start([], { vars: { SUBSCRIPTIONS: 3 } });
  t.after(() => none.stop());
  const { status, detail } = await ask("POST", { url: `${service.url}/push/z`, keys }, { worker: none });
  assert.deepEqual([status, /^keys: /.test(detail)], [400, true]);
  assert.ok(!(await (await fetch(none.url)).text()).includes("data-push"));
  for (const [name, value] of Object.entries({ VAPID_PUBLIC_KEY: "x", VAPID_PRIVATE_KEY: "", VAPID_SUBJECT: "me" })) {
    const odd = await Edge.start(watched(), { vars: { ...VARS, [name]: value } });
    t.after(() => odd.stop());
    const { problems } = await odd.readStatus();
    assert.deepEqual(
      problems.map((/** @type {any} */ it) => it.position),
      [name],
    );
    assert.ok(!JSON.stringify(problems).includes(KEYS.VAPID_PRIVATE_KEY));
  }
});

test("the browser itself ends it, with its keys, and nobody who only knows the address", async () => {
  const one = service.subscribeBrowser("leaves");
  assert.equal((await ask("POST", one)).status, 204);
  const { keys } = service.subscribeBrowser("other");
  assert.equal((await ask("DELETE", { url: one.url, keys })).status, 204, "nobody learns whether it was there");
  assert.equal((await ask("DELETE", { url: one.url })).status, 403, "it answers no challenge");
  assert.equal((await listed()).length, 1);
  service.violations = []; // the challenge, which is no message
  assert.equal((await ask("DELETE", one)).status, 204);
  assert.deepEqual(await listed(), []);
  assert.equal((await ask("DELETE", one)).status, 204, "saying it again does no harm");
});

test("one that is gone is taken out, and one that is busy is told later, in order", async () => {
  for (const status of [404, 410]) {
    service.response = { status: 201 };
    assert.equal((await ask("POST", service.subscribeBrowser(`gone-${status}`))).status, 204);
    service.response = { status };
    await outage();
    assert.deepEqual(await listed(), [], `${status}`);
  }
  service.response = { status: 201 };
  assert.equal((await ask("POST", { ...service.subscribeBrowser("busy"), monitors: ["api"] })).status, 204);
  edge.now += 30 * 60_000;
  await edge.tick();
  service.response = { status: 429, retryAfter: "120" };
  fine = false;
  await edge.tick();
  const { requestCount } = service;
  service.response = { status: 201 };
  fine = true;
  await edge.tick();
  assert.equal(service.requestCount, requestCount, "two minutes were asked for");
  for (let i = 0; i < 6; i += 1) await edge.tick();
  assert.deepEqual(service.listEvents("busy"), ["subscribe", "api opened", "api recovered"]);
});

test("the longest message fits, whatever stands in the names", async (t) => {
  const name = '"\\'.repeat(40);
  const list = Array.from({ length: 20 }, (_, i) =>
    defineMonitor(`m${i}`, target.url, { kind: "http", "failure-threshold": 1, name }),
  );
  const worker = await Edge.start(list, { vars: VARS });
  t.after(() => worker.stop());
  await worker.tick();
  assert.equal((await ask("POST", service.subscribeBrowser("long"), { worker })).status, 204);
  worker.now += 30 * 60_000;
  await worker.tick();
  fine = false;
  await worker.tick();
  await worker.tick();
  const [, message] = service.messages["/push/long"];
  assert.match(message.title, /^20 monitors have trouble: /);
  assert.ok(message.text.length > 1000, message.text);
});

test("the page in Chromium: it asks, shows what it is told, leads to the monitor, and ends it", async (t) => {
  const browser = await launchBrowser();
  t.after(() => browser.close());
  const subscription = service.subscribeBrowser("chromium");
  const { page, errors, close } = await openPage(browser, edge.url, { locale: "de-DE" });
  t.after(close);
  // The vendor's half of it is not to be had here; everything else is the page's own.
  await page.evaluate((/** @type {any} */ { url, keys }) => {
    const own = { endpoint: url, expirationTime: null, keys };
    const { key } = /** @type {any} */ (document.querySelector("[data-push]")).dataset;
    const bytes = Uint8Array.from(atob(key.replaceAll("-", "+").replaceAll("_", "/")), (it) => it.charCodeAt(0));
    /** @type {any} */ let current;
    const manager = /** @type {any} */ (PushManager.prototype);
    manager.getSubscription = async () => current;
    manager.subscribe = async (/** @type {any} */ options) => {
      if (options.applicationServerKey !== key || !options.userVisibleOnly) throw new Error("asked for wrongly");
      current = { options: { applicationServerKey: bytes.buffer }, toJSON: () => own };
      current.unsubscribe = async () => {
        current = undefined;
        return true;
      };
      return current;
    };
  }, subscription);
  const button = page.locator("[data-push]");
  await button.waitFor();
  assert.equal(await button.textContent(), "In diesem Browser benachrichtigen");
  await button.click();
  await page.getByText("Nicht mehr benachrichtigen").waitFor();
  assert.deepEqual(service.listEvents("chromium"), ["subscribe"]);
  assert.equal((await listed()).length, 1);

  // Where a page has to stand on the home screen first, it can.
  const manifest = await (await page.context().newCDPSession(page)).send("Page.getAppManifest");
  assert.deepEqual([manifest.errors, JSON.parse(manifest.data ?? "{}").display], [[], "standalone"]);

  // What the service was told is handed to the worker in the browser, as the vendor's would be.
  const session = await page.context().newCDPSession(page);
  await session.send("ServiceWorker.enable");
  const registration = await new Promise((found) => {
    session.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => {
      if (registrations.length > 0) found(registrations[0].registrationId);
    });
    void session.send("ServiceWorker.disable").then(() => session.send("ServiceWorker.enable"));
  });
  // A Chromium without a head has no notifications: what would be shown is kept instead.
  const [worker] = page.context().serviceWorkers();
  await worker.evaluate(() => {
    const inside = /** @type {any} */ (self);
    inside.shown = [];
    inside.opened = [];
    inside.registration.showNotification = async (/** @type {string} */ title, /** @type {object} */ options) => {
      inside.shown.push({ title, ...options });
    };
    inside.clients.openWindow = async (/** @type {string} */ path) => inside.opened.push(path);
  });
  const shown = () => worker.evaluate(() => /** @type {any} */ (self).shown);
  await outage();
  const messages = service.messages["/push/chromium"];
  for (const told of messages) {
    const data = JSON.stringify(told);
    await session.send("ServiceWorker.deliverPushMessage", { origin: edge.url, registrationId: registration, data });
  }
  await waitUntil("all of them", async () => (await shown()).length === messages.length);
  const notes = await shown();
  assert.deepEqual(
    notes.map((/** @type {any} */ it) => [it.title, it.data]),
    [
      ["Störungen werden von nun an hier gemeldet", "/"],
      ["API is down: the answer had status 503", "/monitors/api"],
      ["WEB is down: the answer had status 503", "/monitors/web"],
      ["API has recovered", "/monitors/api"],
      ["WEB has recovered", "/monitors/web"],
    ],
  );
  assert.equal(notes[0].body, new URL(edge.url).host);
  assert.deepEqual([notes[1].tag, notes[2].tag], [notes[3].tag, notes[4].tag], "one notification an incident");
  const opened = await worker.evaluate(async () => {
    const inside = /** @type {any} */ (self);
    const event = new Event("notificationclick");
    const notification = { close: () => {}, data: inside.shown[1].data };
    inside.dispatchEvent(Object.assign(event, { notification, waitUntil: () => {} }));
    return inside.opened;
  });
  assert.deepEqual(opened, ["/monitors/api"]);
  await button.click();
  await page.getByText("In diesem Browser benachrichtigen").waitFor();
  assert.deepEqual(await listed(), []);
  assert.deepEqual(errors, []);
});
