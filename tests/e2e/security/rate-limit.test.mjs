// How often one address may ask: readers, the owner and jobs each by themselves, and what is guessed counts for more.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Target } from "../support/target.mjs";
import { waitUntil } from "../support/wait.mjs";

const TOKEN = "0123456789abcdef0123";
const LIMIT = 40;

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;

const watched = () => [
  defineMonitor("api", target.url, { kind: "http" }),
  { id: "job", name: "Job", kind: "heartbeat", interval: "1h" },
];

before(async () => {
  target = await Target.start((_, response) => response.end());
  edge = await Edge.start(watched(), { rateLimit: LIMIT, vars: { ADMIN_TOKEN: TOKEN, SUBSCRIPTIONS: 5 } });
  await edge.tick();
});

after(async () => {
  await edge?.stop();
  await target?.stop();
});

/** @param {string} address @param {string} path @param {{ method?: string, token?: string, worker?: Edge }} [how] */
const ask = (address, path, { method = "GET", token, worker = edge } = {}) =>
  fetch(`${worker.url}${path}`, {
    method,
    headers: { "cf-connecting-ip": address, ...(token && { authorization: `Bearer ${token}` }) },
  });

/** The counter's minutes are the clock's: what is counted in a row begins where enough of one is left. */
async function withinOneMinute() {
  await waitUntil("the next minute", () => Date.now() % 60_000 < 45_000);
}

/** The statuses of so many requests, one after the other, how often each. @param {number} count @param {() => Promise<Response>} request */
async function statuses(count, request) {
  /** @type {Record<number, number>} */ const seen = {};
  for (let i = 0; i < count; i += 1) {
    const { status } = await request();
    seen[status] = (seen[status] ?? 0) + 1;
  }
  return seen;
}

test("over the limit it is 429, a problem document that says when to come back", async () => {
  await withinOneMinute();
  const seen = await statuses(LIMIT + 5, () => ask("203.0.113.1", "/api/v1/status"));
  assert.deepEqual(seen, { 200: LIMIT, 429: 5 });
  const answer = await ask("203.0.113.1", "/");
  assert.equal(answer.status, 429, "pages are counted with the API");
  assert.match(answer.headers.get("content-type") ?? "", /^application\/problem\+json/);
  assert.equal(answer.headers.get("retry-after"), "60");
  assert.equal(answer.headers.get("cache-control"), "no-store");
  assert.equal(answer.headers.get("access-control-allow-origin"), "*");
  const { status, detail } = /** @type {any} */ (await answer.json());
  assert.deepEqual([status, detail.includes("203.0.113")], [429, false], detail);
  assert.equal((await ask("203.0.113.2", "/api/v1/status")).status, 200, "others are not concerned");
  assert.equal((await ask("203.0.113.1", "/nothing")).status, 404, "what asks nobody is not counted");
});

test("a reader's burst costs the hub nothing, the owner and the jobs their turn neither", async () => {
  await withinOneMinute();
  const reader = () => ask("203.0.113.3", "/api/v1/status");
  assert.equal((await statuses(LIMIT, reader))[200], LIMIT);
  const asked = async () => {
    await edge.tick();
    const { requests } = (await edge.readStatus()).edge;
    return requests;
  };
  const before = await asked();
  assert.deepEqual(await statuses(50, reader), { 429: 50 });
  const spent = (await asked()) - before;
  assert.ok(spent < 10, `${spent} requests to the hub`);
  const ping = { method: "POST", token: TOKEN };
  assert.equal((await ask("203.0.113.3", "/api/v1/heartbeats/job", ping)).status, 204);
  assert.equal((await ask("203.0.113.3", "/api/v1/admin/status", { token: TOKEN })).status, 200);
});

test("who guesses tokens has a tenth of the tries, and then not even the right one helps", async () => {
  await withinOneMinute();
  const guess = () => ask("203.0.113.4", "/api/v1/admin/status", { token: "wrong-token-0123456789" });
  assert.deepEqual(await statuses(LIMIT / 10 + 3, guess), { 401: LIMIT / 10, 429: 3 });
  assert.equal((await ask("203.0.113.4", "/api/v1/admin/status", { token: TOKEN })).status, 429);
  assert.equal((await ask("203.0.113.5", "/api/v1/admin/status", { token: TOKEN })).status, 200);
  assert.equal((await ask("203.0.113.4", "/api/v1/status")).status, 200, "it may read");
  const ping = { method: "POST", token: TOKEN };
  assert.equal((await ask("203.0.113.4", "/api/v1/heartbeats/job", ping)).status, 204, "its jobs are heard");
});

test("who asks that an address be told has a tenth of the tries, and one host is not asked often for anybody", async () => {
  await withinOneMinute();
  const subscribe = (/** @type {string} */ address, /** @type {unknown} */ body) =>
    fetch(`${edge.url}/api/v1/subscriptions`, {
      method: "POST",
      headers: { "cf-connecting-ip": address },
      body: JSON.stringify(body),
    });
  assert.deepEqual(await statuses(LIMIT / 10 + 2, () => subscribe("203.0.113.6", {})), { 400: LIMIT / 10, 429: 2 });
  const victim = { url: `${target.url}/victim` };
  assert.deepEqual(await statuses(1, () => subscribe("203.0.113.7", victim)), { 403: 1 });
  assert.deepEqual(await statuses(1, () => subscribe("203.0.113.8", victim)), { 429: 1 });
});

test("all addresses of one IPv6 customer count as one", async () => {
  await withinOneMinute();
  let last = 0;
  const seen = await statuses(LIMIT + 3, () => {
    last += 1;
    return ask(`2001:db8:1:2::${last.toString(16)}`, "/api/v1/status");
  });
  assert.deepEqual(seen, { 200: LIMIT, 429: 3 });
  assert.equal((await ask("2001:db8:1:3::1", "/api/v1/status")).status, 200);
});

test("without the counter, or with one that fails, everything passes", async () => {
  for (const vars of [{}, { LIMIT: "no counter" }]) {
    const other = await Edge.start(watched(), { vars });
    try {
      await other.tick();
      const seen = await statuses(60, () => ask("203.0.113.1", "/api/v1/status", { worker: other }));
      assert.deepEqual(seen, { 200: 60 });
    } finally {
      await other.stop();
    }
  }
});

test("with one that hangs, everything passes after a second", async () => {
  await withinOneMinute();
  const other = await Edge.start(watched(), { faultInjection: true, rateLimit: 5 });
  try {
    await other.tick();
    const read = () => ask("203.0.113.9", "/api/v1/status", { worker: other });
    assert.deepEqual(await statuses(7, read), { 200: 5, 429: 2 });
    await other.injectFault("limit");
    assert.deepEqual(await statuses(2, read), { 200: 2 });
    await other.clearFault();
    assert.deepEqual(await statuses(2, read), { 429: 2 });
  } finally {
    await other.stop();
  }
});
