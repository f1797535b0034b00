// The rate limit for each address: readers, the admin and jobs are counted separately, and guessing costs more.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Target } from "../support/target.mjs";
import { ADMIN_TOKEN, authorize } from "../support/tokens.mjs";

const MINUTE = 60_000;
const LIMIT = 40;
const GUESSES = LIMIT / 10;

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
let lastHost = 0;

const defineMonitors = () => [
  defineMonitor("api", target.url, { kind: "http" }),
  { id: "job", name: "Job", kind: "heartbeat", interval: "1h" },
];

before(async () => {
  target = await Target.start((_, response) => response.end());
  edge = await Edge.start(defineMonitors(), { rateLimit: LIMIT, vars: { ADMIN_TOKEN, SUBSCRIPTIONS: 5 } });
  await edge.tick();
});

after(async () => {
  await edge?.stop();
  await target?.stop();
});

/** An address that has not sent a request yet. */
function chooseAddress() {
  lastHost += 1;
  return `203.0.${lastHost >> 8}.${lastHost & 255}`;
}

/** Sends a request from an address. @param {string} address @param {string} path @param {RequestInit} [init] @param {Edge} [to] */
const requestFrom = (address, path, init = {}, to = edge) =>
  to.request(path, { ...init, headers: { ...init.headers, "cf-connecting-ip": address } });

/** Sends `count` requests one after the other and counts their statuses. @param {number} count @param {() => Promise<Response>} send */
async function countStatuses(count, send) {
  /** @type {Record<number, number>} */ const counts = {};
  for (let i = 0; i < count; i += 1) {
    const { status } = await send();
    counts[status] = (counts[status] ?? 0) + 1;
  }
  return counts;
}

/**
 * Runs checks within one minute of the rate limiter, which counts by the minutes of the clock. It repeats them, with addresses
 * that have not been counted yet, when a new minute began in between.
 * @param {() => Promise<void>} runChecks
 */
async function withinOneMinute(runChecks) {
  const currentMinute = () => Math.floor(Date.now() / MINUTE);
  for (;;) {
    const minute = currentMinute();
    try {
      await runChecks();
      return;
    } catch (error) {
      if (currentMinute() === minute) throw error;
    }
  }
}

test("a request over the limit is answered with 429, a problem document and Retry-After", () =>
  withinOneMinute(async () => {
    const reader = chooseAddress();
    const counts = await countStatuses(LIMIT + 5, () => requestFrom(reader, "/api/v1/status"));
    assert.deepEqual(counts, { 200: LIMIT, 429: 5 });
    const response = await requestFrom(reader, "/");
    assert.equal(response.status, 429, "pages and the API are counted together");
    assert.match(response.headers.get("content-type") ?? "", /^application\/problem\+json/);
    assert.equal(response.headers.get("retry-after"), "60");
    assert.equal(response.headers.get("cache-control"), "no-store");
    assert.equal(response.headers.get("access-control-allow-origin"), "*");
    const { status, detail } = /** @type {any} */ (await response.json());
    assert.deepEqual([status, detail.includes("203.0")], [429, false], detail);
    assert.equal((await requestFrom(chooseAddress(), "/api/v1/status")).status, 200, "other addresses are not limited");
    assert.equal((await requestFrom(reader, "/nothing")).status, 404, "paths that reach no hub are not counted");
  }));

test("a burst of a reader costs the hub nothing and does not limit the admin or the jobs of that address", () =>
  withinOneMinute(async () => {
    const address = chooseAddress();
    const read = () => requestFrom(address, "/api/v1/status");
    assert.equal((await countStatuses(LIMIT, read))[200], LIMIT);
    const countHubRequests = async () => {
      await edge.tick(); // a tick stores the counters
      return (await edge.readStatus()).edge.requests;
    };
    const before = await countHubRequests();
    assert.deepEqual(await countStatuses(50, read), { 429: 50 });
    const spent = (await countHubRequests()) - before;
    assert.ok(spent < 10, `${spent} requests to the hub`);
    const headers = authorize(ADMIN_TOKEN);
    const beat = await requestFrom(address, "/api/v1/heartbeats/job", { method: "POST", headers });
    assert.equal(beat.status, 204);
    assert.equal((await requestFrom(address, "/api/v1/admin/status", { headers })).status, 200);
  }));

test("guessing tokens is limited to a tenth, and then the right token is refused as well", () =>
  withinOneMinute(async () => {
    const address = chooseAddress();
    const readAdminStatus = (/** @type {string} */ from, /** @type {string} */ token) =>
      requestFrom(from, "/api/v1/admin/status", { headers: authorize(token) });
    const guess = () => readAdminStatus(address, "wrong-token-0123456789");
    assert.deepEqual(await countStatuses(GUESSES + 3, guess), { 401: GUESSES, 429: 3 });
    assert.equal((await readAdminStatus(address, ADMIN_TOKEN)).status, 429);
    assert.equal((await readAdminStatus(chooseAddress(), ADMIN_TOKEN)).status, 200);
    assert.equal((await requestFrom(address, "/api/v1/status")).status, 200, "reading is counted separately");
    const beat = { method: "POST", headers: authorize(ADMIN_TOKEN) };
    assert.equal((await requestFrom(address, "/api/v1/heartbeats/job", beat)).status, 204, "so are heartbeats");
  }));

test("subscribing is limited to a tenth, and one host is challenged rarely, also for different addresses", () =>
  withinOneMinute(async () => {
    const subscribeFrom = (/** @type {string} */ address, /** @type {unknown} */ body) =>
      requestFrom(address, "/api/v1/subscriptions", { method: "POST", body: JSON.stringify(body) });
    const address = chooseAddress();
    const counts = await countStatuses(GUESSES + 2, () => subscribeFrom(address, {}));
    assert.deepEqual(counts, { 400: GUESSES, 429: 2 });
    // The limit is by host, so every attempt takes its own. Nobody listens there.
    const url = `http://127.9.0.${lastHost & 255}:9/victim`;
    assert.equal((await subscribeFrom(chooseAddress(), { url })).status, 403);
    assert.equal((await subscribeFrom(chooseAddress(), { url })).status, 429);
  }));

test("all addresses of one IPv6 customer count as one", () =>
  withinOneMinute(async () => {
    lastHost += 1;
    const network = `2001:db8:${lastHost}`;
    let host = 0;
    const counts = await countStatuses(LIMIT + 3, () => {
      host += 1;
      return requestFrom(`${network}:2::${host.toString(16)}`, "/api/v1/status");
    });
    assert.deepEqual(counts, { 200: LIMIT, 429: 3 });
    assert.equal((await requestFrom(`${network}:3::1`, "/api/v1/status")).status, 200);
  }));

test("nothing is limited without a rate limiter or with one that fails", async (t) => {
  for (const vars of [{}, { LIMIT: "not a rate limiter" }]) {
    const unlimited = await Edge.start(defineMonitors(), { vars });
    t.after(() => unlimited.stop());
    await unlimited.tick();
    const address = chooseAddress();
    const counts = await countStatuses(60, () => requestFrom(address, "/api/v1/status", {}, unlimited));
    assert.deepEqual(counts, { 200: 60 });
  }
});

test("nothing is limited while the rate limiter hangs", async (t) => {
  const limited = await Edge.start(defineMonitors(), { faultInjection: true, rateLimit: 5 });
  t.after(() => limited.stop());
  await limited.tick();
  await withinOneMinute(async () => {
    const address = chooseAddress();
    const read = () => requestFrom(address, "/api/v1/status", {}, limited);
    await limited.clearFault();
    assert.deepEqual(await countStatuses(7, read), { 200: 5, 429: 2 });
    await limited.injectFault("limit");
    assert.deepEqual(await countStatuses(2, read), { 200: 2 });
    await limited.clearFault();
    assert.deepEqual(await countStatuses(2, read), { 429: 2 });
  });
});
