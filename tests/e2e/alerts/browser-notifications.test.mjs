// Web push in a real Chromium: the page subscribes, and its service worker shows notifications.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchBrowser, openPage } from "../support/browser.mjs";
import { Edge } from "../support/edge.mjs";
import { generateVapidKeys, PushService } from "../support/push-service.mjs";
import { defineSubscribedMonitors, listSubscriptions } from "../support/subscriptions.mjs";
import { Target } from "../support/target.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";
import { waitUntil } from "../support/wait.mjs";

const MINUTE = 60_000;
const KEYS = generateVapidKeys();

/** @type {import("playwright-core").Browser} */ let browser;
/** @type {PushService} */ let service;
/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
let isHealthy = true;

before(async () => {
  browser = await launchBrowser();
  service = await PushService.start(KEYS.VAPID_PUBLIC_KEY);
  target = await Target.start((_, response) => response.writeHead(isHealthy ? 200 : 503).end());
  edge = await Edge.start(defineSubscribedMonitors(target.url), {
    vars: { ADMIN_TOKEN, SUBSCRIPTIONS: 4, ...KEYS, VAPID_SUBJECT: "mailto:ops@example.com" },
  });
  await edge.tick();
});

after(async () => {
  await browser?.close();
  await edge?.stop();
  await target?.stop();
  await service?.stop();
});

/** Runs through an outage of all monitors, until every message is sent. */
async function runOutage() {
  edge.now += 30 * MINUTE;
  isHealthy = false;
  await edge.tickTimes(2);
  isHealthy = true;
  await edge.tickTimes(4);
}

test("the page in Chromium subscribes, shows notifications, opens the monitor and unsubscribes", async (t) => {
  const subscription = service.subscribeBrowser("chromium");
  const { page, errors, close } = await openPage(browser, edge.url, { locale: "de-DE" });
  t.after(close);
  // There is no vendor's push service here, so the test replaces its half of the push API. Everything else is the page's own.
  await page.evaluate((/** @type {any} */ { url, keys }) => {
    const own = { endpoint: url, expirationTime: null, keys };
    const { key } = /** @type {any} */ (document.querySelector("[data-push]")).dataset;
    const bytes = Uint8Array.from(atob(key.replaceAll("-", "+").replaceAll("_", "/")), (it) => it.charCodeAt(0));
    /** @type {any} */ let current;
    const manager = /** @type {any} */ (PushManager.prototype);
    manager.getSubscription = async () => current;
    manager.subscribe = async (/** @type {any} */ options) => {
      if (options.applicationServerKey !== key || !options.userVisibleOnly) throw new Error("wrong options");
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
  assert.equal(await button.textContent(), "Benachrichtigungen aktivieren");
  await button.click();
  await page.getByText("Benachrichtigungen deaktivieren").waitFor();
  assert.deepEqual(service.listEvents("chromium"), ["subscribe"]);
  assert.equal((await listSubscriptions(edge)).length, 1);

  // Some browsers allow push only to a page that is installed on the home screen.
  const manifest = await (await page.context().newCDPSession(page)).send("Page.getAppManifest");
  assert.deepEqual([manifest.errors, JSON.parse(manifest.data ?? "{}").display], [[], "standalone"]);

  // The debugger delivers to the service worker what the push service received.
  const session = await page.context().newCDPSession(page);
  await session.send("ServiceWorker.enable");
  const registration = await new Promise((resolve) => {
    session.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => {
      if (registrations.length > 0) resolve(registrations[0].registrationId);
    });
    void session.send("ServiceWorker.disable").then(() => session.send("ServiceWorker.enable"));
  });
  // A headless Chromium has no notifications, so the worker keeps what it would show.
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
  const readShown = () => worker.evaluate(() => /** @type {any} */ (self).shown);
  await runOutage();
  const messages = service.messages["/push/chromium"];
  for (const message of messages) {
    const data = JSON.stringify(message);
    await session.send("ServiceWorker.deliverPushMessage", { origin: edge.url, registrationId: registration, data });
  }
  await waitUntil("all notifications", async () => (await readShown()).length === messages.length);
  const notifications = await readShown();
  assert.deepEqual(
    notifications.map((/** @type {any} */ it) => [it.title, it.data]),
    [
      ["Benachrichtigungen sind in diesem Browser aktiviert", "/"],
      ["API is down: HTTP status 503", "/monitors/api"],
      ["WEB is down: HTTP status 503", "/monitors/web"],
      ["API has recovered", "/monitors/api"],
      ["WEB has recovered", "/monitors/web"],
    ],
  );
  assert.equal(notifications[0].body, new URL(edge.url).host);
  assert.deepEqual(
    [notifications[1].tag, notifications[2].tag],
    [notifications[3].tag, notifications[4].tag],
    "one notification for each incident",
  );
  const opened = await worker.evaluate(async () => {
    const inside = /** @type {any} */ (self);
    const event = new Event("notificationclick");
    const notification = { close: () => {}, data: inside.shown[1].data };
    inside.dispatchEvent(Object.assign(event, { notification, waitUntil: () => {} }));
    return inside.opened;
  });
  assert.deepEqual(opened, ["/monitors/api"]);
  await button.click();
  await page.getByText("Benachrichtigungen aktivieren").waitFor();
  assert.deepEqual(await listSubscriptions(edge), []);
  assert.deepEqual(errors, []);
});
