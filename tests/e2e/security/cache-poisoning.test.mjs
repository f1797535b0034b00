// Attacks on what is kept: an answer that one reader had made must not be the next one's, unless they asked the same, and
// nobody can push out of the shelf what others need when the hub fails.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { sendRaw } from "../support/raw-http.mjs";
import { renderHealth, Target } from "../support/target.mjs";
import { waitUntil } from "../support/wait.mjs";

/** @type {Target} */ let target;

before(async () => {
  target = await Target.start((_, response) => response.end(renderHealth()));
});

after(() => target?.stop());

const PATHS = [
  ...["/", "/monitors/api", "/preview.svg", "/feed.atom", "/feed.rss", "/calendar.ics", "/metrics"],
  ...["/api/v1/status", "/api/v1/incidents", "/api/v1/monitors/api/uptime", "/badge/api.svg", "/badge/api.json"],
  ...["/nothing", "/monitors/nobody"],
];

/** Headers that caches do not look at, or that an answer may only depend on if it says so. */
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

test("what one reader sends is not what the next one gets", async () => {
  // Every answer stands on the shelf for a minute.
  const edge = await Edge.start([defineMonitor("api", target.url)], { vars: { ANSWERS_KEPT: "60s" } });
  try {
    await edge.tick();
    for (const path of PATHS) {
      /** What a shared cache would keep, without how old it is. @param {import("../support/raw-http.mjs").RawResponse} told */
      const kept = ({ status, headers, body }) => {
        const all = new Map(headers);
        for (const name of ["age", "date"]) all.delete(name);
        return { status, headers: Object.fromEntries(all), body };
      };
      for (const [name, value] of Object.entries(POISON)) {
        // The attacker is the first to ask on a fresh shelf once, and one of many later.
        const poisoned = kept(await sendRaw(edge.url, path, { headers: [`${name}: ${value}`] }));
        const plain = kept(await sendRaw(edge.url, path));
        assert.doesNotMatch(JSON.stringify(plain), /evil/, `${name} on ${path}`);
        assert.doesNotMatch(JSON.stringify(poisoned), /evil/, `${name} on ${path}`);
        if (poisoned.status === 304) continue;
        // Where a header decides, a cache is told.
        const told = (plain.headers.vary ?? "").toLowerCase().split(/, ?/);
        const decides = told.includes(name.toLowerCase());
        if (!decides) assert.deepEqual(poisoned, plain, `${name} on ${path}`);
        assert.equal(poisoned.headers.vary, plain.headers.vary, `${name} on ${path}: it says so in both`);
      }
      const keyed = kept(await sendRaw(edge.url, path, { host: "evil.example" }));
      assert.equal(keyed.status === 200, path !== "/nothing" && path !== "/monitors/nobody");
      assert.doesNotMatch((await sendRaw(edge.url, path)).body, /evil/, `the host on ${path}`);
      const query = await sendRaw(edge.url, `${path}?utm_source=evil&lang=evil`);
      assert.doesNotMatch(query.body, /evil/, `a query on ${path}`);
      assert.doesNotMatch((await sendRaw(edge.url, path)).body, /evil/, `a query on ${path}`);
    }
  } finally {
    await edge.stop();
  }
});

test("an error is nobody else's answer", async () => {
  const edge = await Edge.start([defineMonitor("api", target.url)], { vars: { ANSWERS_KEPT: "60s" } });
  try {
    await edge.tick();
    const wrong = [
      "/?%ff",
      "/api/v1/status?x=1",
      "/api/v1/status?x=1&x=1",
      "/badge/api.svg?style=evil",
      "/metrics?evil",
    ];
    for (const path of wrong) {
      await sendRaw(edge.url, path);
      await sendRaw(edge.url, path.split("?")[0], { method: "DELETE" });
      await sendRaw(edge.url, path.split("?")[0], { headers: ["Authorization: x"], method: "POST" });
      const plain = await sendRaw(edge.url, path.split("?")[0]);
      assert.equal(plain.status, 200, path);
      assert.match(plain.headers.get("cache-control") ?? "", /^public/, path);
    }
    for (const path of ["/nothing", "/monitors/nobody", "/api/v1/status?x=1", "/api/v1/admin/status"]) {
      assert.equal((await sendRaw(edge.url, path)).headers.get("cache-control"), "no-store", path);
    }
  } finally {
    await edge.stop();
  }
});

/** Many questions at once, a hundred at a time. @param {Edge} edge @param {(n: number) => string} path @param {number} count */
async function flood(edge, path, count) {
  for (let from = 0; from < count; from += 100) {
    const hundred = Array.from({ length: 100 }, (_, n) =>
      fetch(edge.url + path(from + n)).then((it) => it.arrayBuffer()),
    );
    await Promise.all(hundred);
  }
}

/** Ways to ask for many things. @type {Record<string, (n: number) => string>} */
const FLOODS = {
  "stretches of a page": (n) => `/monitors/api?from=${n + 1}&to=${n + 2}`,
  "stretches of the API": (n) => `/api/v1/monitors/api/memory?from=${n + 1}&to=${n + 2}`,
  "windows of an uptime": (n) => `/api/v1/monitors/api/uptime?window=${n + 1}s`,
  "pages of incidents": (n) => `/api/v1/incidents?before=api-${n}`,
  "monitors that there are not": (n) => `/monitors/nobody-${n}`,
  "badges of monitors that there are not": (n) => `/badge/nobody-${n}.svg`,
  "incidents that there are not": (n) => `/incidents/api-${n}`,
};

for (const [name, path] of Object.entries(FLOODS)) {
  for (const when of ["before the hub fails", "while it fails"]) {
    test(`the page is not pushed out by ${name} ${when}`, async () => {
      const edge = await Edge.start([defineMonitor("api", target.url)], {
        faultInjection: true,
        vars: { ANSWERS_KEPT: "1s" },
      });
      try {
        await edge.tick();
        const first = await Promise.all(["/", "/api/v1/status"].map((path) => fetch(edge.url + path)));
        assert.deepEqual(
          first.map((it) => it.status),
          [200, 200],
        );
        if (when === "before the hub fails") await flood(edge, path, 300);
        await edge.injectFault("hub-0");
        if (when === "while it fails") await flood(edge, path, 300);
        for (const path of ["/", "/api/v1/status"]) {
          // Fresh enough for a second; then it stands in for the hub, and says so by its age.
          const status = await waitUntil(`${path} to grow old`, async () => {
            const { status, headers } = await fetch(edge.url + path);
            return status === 200 && Number(headers.get("age")) < 1 ? 0 : status;
          });
          assert.equal(status, 200, path);
        }
      } finally {
        await edge.stop();
      }
    });
  }
}
