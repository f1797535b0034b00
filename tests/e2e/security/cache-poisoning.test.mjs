// Attacks on cached responses: what one reader sends must not change what the next one gets, and a flood must not evict what
// others need when the hub fails.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { sendRaw } from "../support/raw-http.mjs";
import { Target } from "../support/target.mjs";
import { waitUntil } from "../support/wait.mjs";

/** @type {Target} */ let target;
/** Responses stay in its cache for a minute. @type {Edge} */ let cachingEdge;
/** Responses stay in its cache for a second. @type {Edge} */ let failingEdge;

before(async () => {
  target = await Target.startHealthy();
  const monitors = [defineMonitor("api", target.url)];
  cachingEdge = await Edge.start(monitors, { vars: { CACHE_TTL: "60s" } });
  await cachingEdge.tick();
  failingEdge = await Edge.start(monitors, { faultInjection: true, vars: { CACHE_TTL: "1s" } });
  await failingEdge.tick();
});

after(async () => {
  await cachingEdge?.stop();
  await failingEdge?.stop();
  await target?.stop();
});

const UNKNOWN_PATHS = ["/nothing", "/monitors/nobody"];
const PATHS = [
  ...["/", "/monitors/api", "/preview.svg", "/feed.atom", "/feed.rss", "/calendar.ics", "/metrics"],
  ...["/api/v1/status", "/api/v1/incidents", "/api/v1/monitors/api/uptime", "/badge/api.svg", "/badge/api.json"],
  ...UNKNOWN_PATHS,
];

/** Headers that caches ignore, or on which a response may depend only if it says so. */
const POISON = {
  "X-Forwarded-Host": "evil.example",
  "X-Host": "evil.example",
  Forwarded: "host=evil.example;proto=http",
  "X-Forwarded-Proto": "http",
  "X-Forwarded-Prefix": "/evil",
  "X-Original-URL": "/api/v1/admin/status",
  "X-Rewrite-URL": "/api/v1/admin/status",
  "X-HTTP-Method-Override": "DELETE",
  "Accept-Language": "de",
  Accept: "application/openmetrics-text",
  Cookie: "lang=de; theme=dark; session=evil",
  "User-Agent": "evil",
  Origin: "https://evil.example",
  Referer: "https://evil.example/?lang=de",
  Range: "bytes=0-9",
  "If-None-Match": "*",
  "If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT",
  Authorization: "Bearer evil",
  "Accept-Encoding": "evil",
  "CF-IPCountry": "DE",
  Prefer: "evil",
};

/** Selects what a shared cache would keep of a response, without its age. @param {import("../support/raw-http.mjs").RawResponse} response */
function selectCached({ status, headers, body }) {
  const kept = new Map(headers);
  for (const name of ["age", "date"]) kept.delete(name);
  return { status, headers: Object.fromEntries(kept), body };
}

for (const path of PATHS) {
  test(`headers, hosts and queries of one reader do not change ${path} for the next`, async () => {
    const read = async (/** @type {Parameters<typeof sendRaw>[2]} */ more = {}) =>
      selectCached(await sendRaw(cachingEdge.url, path, more));
    for (const [name, value] of Object.entries(POISON)) {
      const poisoned = await read({ headers: [`${name}: ${value}`] });
      const plain = await read();
      assert.doesNotMatch(JSON.stringify(plain), /evil/, name);
      assert.doesNotMatch(JSON.stringify(poisoned), /evil/, name);
      if (poisoned.status === 304) continue;
      const vary = (plain.headers.vary ?? "").toLowerCase().split(/, ?/);
      if (!vary.includes(name.toLowerCase())) assert.deepEqual(poisoned, plain, name);
      assert.equal(
        poisoned.headers.vary,
        plain.headers.vary,
        `${name}: both responses name the headers they depend on`,
      );
    }
    const otherHost = await read({ host: "evil.example" });
    assert.equal(otherHost.status, UNKNOWN_PATHS.includes(path) ? 404 : 200);
    assert.doesNotMatch((await read()).body, /evil/, "the host");
    const query = await sendRaw(cachingEdge.url, `${path}?utm_source=evil&lang=evil`);
    assert.doesNotMatch(query.body, /evil/, "the query");
    assert.doesNotMatch((await read()).body, /evil/, "the query");
  });
}

test("an error of one reader is not served to the next", async () => {
  const invalid = [
    "/?%ff",
    "/api/v1/status?x=1",
    "/api/v1/status?x=1&x=1",
    "/badge/api.svg?style=evil",
    "/metrics?evil",
  ];
  for (const path of invalid) {
    const [plainPath] = path.split("?");
    await sendRaw(cachingEdge.url, path);
    await sendRaw(cachingEdge.url, plainPath, { method: "DELETE" });
    await sendRaw(cachingEdge.url, plainPath, { headers: ["Authorization: x"], method: "POST" });
    const plain = await sendRaw(cachingEdge.url, plainPath);
    assert.equal(plain.status, 200, path);
    assert.match(plain.headers.get("cache-control") ?? "", /^public/, path);
  }
  for (const path of [...UNKNOWN_PATHS, "/api/v1/status?x=1", "/api/v1/admin/status"]) {
    assert.equal((await sendRaw(cachingEdge.url, path)).headers.get("cache-control"), "no-store", path);
  }
});

/** Sends two hundred requests, a hundred at a time: three times what the cache holds. @param {(n: number) => string} path */
async function flood(path) {
  for (let from = 0; from < 200; from += 100) {
    const requests = Array.from({ length: 100 }, (_, n) => failingEdge.readText(path(from + n)));
    await Promise.all(requests);
  }
}

/** Families of paths that are all different. @type {Record<string, (n: number) => string>} */
const FLOODS = {
  "page ranges": (n) => `/monitors/api?from=${n + 1}&to=${n + 2}`,
  "API ranges": (n) => `/api/v1/monitors/api/memory?from=${n + 1}&to=${n + 2}`,
  "uptime windows": (n) => `/api/v1/monitors/api/uptime?window=${n + 1}s`,
  "incident pages": (n) => `/api/v1/incidents?before=api-${n}`,
  "unknown monitors": (n) => `/monitors/nobody-${n}`,
  "badges of unknown monitors": (n) => `/badge/nobody-${n}.svg`,
  "unknown incidents": (n) => `/incidents/api-${n}`,
};

for (const [name, path] of Object.entries(FLOODS)) {
  for (const when of ["before the hub fails", "while the hub fails"]) {
    test(`a flood of ${name} ${when} does not evict the page and the status`, async (t) => {
      t.after(() => failingEdge.clearFault());
      for (const path of ["/", "/api/v1/status"]) assert.equal((await failingEdge.request(path)).status, 200, path);
      if (when === "before the hub fails") await flood(path);
      await failingEdge.injectFault("hub-0");
      if (when === "while the hub fails") await flood(path);
      for (const path of ["/", "/api/v1/status"]) {
        // After a second the cached response stands in for the hub, and its age says so.
        const status = await waitUntil(`an old response at ${path}`, async () => {
          const { status, headers } = await failingEdge.request(path);
          return status === 200 && Number(headers.get("age")) < 1 ? undefined : status;
        });
        assert.equal(status, 200, path);
      }
    });
  }
}
