// HTTP semantics of the API: entity tags, methods, headers, problem documents, paging, and coalesced reads.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { renderHealth, Target } from "../support/target.mjs";
import { ADMIN_HEADERS, ADMIN_TOKEN } from "../support/tokens.mjs";
import { waitUntil } from "../support/wait.mjs";

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
let isHealthy = true;

before(async () => {
  target = await Target.start((_, response) =>
    isHealthy ? response.end(renderHealth()) : response.writeHead(500).end(),
  );
  const monitors = ["api", "web"].map((id) => defineMonitor(id, target.url, { "failure-threshold": 1 }));
  edge = await Edge.start(monitors, { vars: { ADMIN_TOKEN } });
  // Three incidents of each monitor, an hour apart.
  for (let incident = 0; incident < 3; incident += 1) {
    isHealthy = false;
    await edge.tick();
    isHealthy = true;
    await edge.tick(60);
  }
});

after(async () => {
  await edge?.stop();
  await target?.stop();
});

/** Requests a path without following redirects. @param {string} path @param {RequestInit} [init] */
const request = (path, init) => edge.request(path, { redirect: "manual", ...init });

/** Asserts that a response is a problem document, and returns its detail. @param {Response} response @param {number} status @param {string} [path] */
async function assertProblem(response, status, path = "") {
  assert.equal(response.status, status, path);
  assert.equal(response.headers.get("content-type"), "application/problem+json", path);
  assert.equal(response.headers.get("cache-control"), "no-store", path);
  const body = /** @type {any} */ (await response.json());
  assert.equal(body.status, status);
  assert.ok(body.title && body.detail && body.type === "about:blank", JSON.stringify(body));
  return body.detail;
}

const PUBLIC_PATHS = [
  "/",
  "/api/v1/status",
  "/api/v1/monitors/api",
  "/api/v1/monitors/api/uptime",
  "/api/v1/monitors/api/uptime?window=7d",
  "/api/v1/monitors/api/memory",
  "/api/v1/monitors/api/days",
  "/api/v1/monitors/api/versions",
  "/api/v1/incidents",
];

/**
 * Requests a path twice, the second time as `init` says, which knows the tag of the first response. Some bodies change with the
 * clock, so it repeats both until the tags are the same.
 * @param {string} path @param {(tag: string) => RequestInit} init
 */
const requestAgain = (path, init) =>
  waitUntil(`the same tag twice at ${path}`, async () => {
    const tag = (await request(path)).headers.get("etag") ?? "";
    const response = await request(path, init(tag));
    return response.headers.get("etag") === tag ? { response, tag } : undefined;
  });

for (const path of PUBLIC_PATHS) {
  test(`${path} has a tag, answers 304 to it, and answers HEAD, OPTIONS and wrong methods`, async () => {
    const full = await request(path);
    const body = await full.text();
    assert.equal(full.status, 200);
    assert.ok(body.length > 0);
    assert.match(full.headers.get("etag") ?? "", /^"[0-9a-f]+-[0-9a-f]{16}"$/);
    assert.match(full.headers.get("cache-control") ?? "", /^public, max-age=\d+, stale-while-revalidate=\d+/);
    assert.equal(full.headers.get("age"), "0");
    assert.equal(full.headers.get("access-control-allow-origin"), "*");
    assert.equal(full.headers.get("access-control-allow-credentials"), null);
    assert.equal(full.headers.get("x-content-type-options"), "nosniff");
    assert.equal(full.headers.get("set-cookie"), null);

    for (const condition of ["TAG", "W/TAG", '"other", TAG', "*"]) {
      const { response, tag } = await requestAgain(path, (tag) => ({
        headers: { "if-none-match": condition.replace("TAG", tag) },
      }));
      assert.equal(response.status, 304, condition);
      assert.equal(response.headers.get("etag"), tag);
      assert.equal(response.headers.get("cache-control"), full.headers.get("cache-control"));
      assert.equal(await response.text(), "");
    }
    assert.equal((await request(path, { headers: { "if-none-match": '"other"' } })).status, 200);

    const { response: head } = await requestAgain(path, () => ({ method: "HEAD" }));
    assert.equal(head.status, 200);
    assert.equal(await head.text(), "");
    for (const name of ["content-type", "cache-control"])
      assert.equal(head.headers.get(name), full.headers.get(name), name);

    for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
      const refused = await request(path, { method });
      assert.equal(refused.headers.get("allow"), "GET, HEAD, OPTIONS");
      await assertProblem(refused, 405, method);
    }
    const preflight = await request(path, { method: "OPTIONS", headers: { origin: "https://a.example" } });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers.get("access-control-allow-methods"), "GET, HEAD");
    assert.equal(preflight.headers.get("access-control-allow-headers"), "if-none-match");
  });
}

test("the tag of a response changes exactly when its body changes", async () => {
  /** @type {Map<string | null, string>} */ const bodies = new Map();
  const readTag = async () => {
    const response = await request("/api/v1/monitors/api/uptime?window=1h");
    const [tag, body] = [response.headers.get("etag"), await response.text()];
    assert.equal(bodies.get(tag) ?? body, body, "one tag, one body");
    bodies.set(tag, body);
    assert.equal(new Set(bodies.values()).size, bodies.size, "one body, one tag");
    return tag;
  };
  const first = await readTag();
  await waitUntil("the same tag twice", async () => {
    const tags = [await readTag(), await readTag()];
    return tags[0] === tags[1];
  });
  await edge.tickTimes(2);
  assert.notEqual(await readTag(), first);
});

test("a single monitor equals its entry in the status", async () => {
  await waitUntil("the same entry", async () => {
    const { monitors, updated } = await edge.readStatus();
    const single = await edge.readJson("/api/v1/monitors/web");
    assert.deepEqual(Object.keys(single), Object.keys({ updated, ...monitors[1] }));
    return JSON.stringify(single) === JSON.stringify({ updated, ...monitors[1] });
  });
});

test("unknown paths are 404 and invalid queries 400, with problem documents", async () => {
  const unknown = [
    "/x",
    "/api/v1/monitors/nobody",
    "/api/v1/incidents/api-1",
    "/api/v1/status/",
    "//",
    "/API/V1/STATUS",
  ];
  for (const path of unknown) await assertProblem(await request(path), 404, path);
  /** @type {[string, RegExp][]} */
  const invalid = [
    ["/api/v1/status?x=1", /no parameters/],
    ["/api/v1/monitors/api/uptime?window=1y", /91d/],
    ["/api/v1/monitors/api/uptime?windw=1d", /the parameters of this path are window/],
    ["/api/v1/monitors/api/memory?from=yesterday", /RFC 3339/],
    ["/api/v1/incidents?limit=0", /1 to 50/],
    ["/api/v1/incidents?limit=1&limit=2", /twice/],
    ["/api/v1/incidents?before=%ff", /UTF-8/],
  ];
  for (const [path, detail] of invalid) assert.match(await assertProblem(await request(path), 400, path), detail);
});

test("paging through the incidents lists each of them once, the newest first", async () => {
  const all = await edge.readJson("/api/v1/incidents");
  assert.equal(all.next, null);
  assert.equal(all.incidents.length, 6);
  for (const limit of [1, 2, 4, 5]) {
    const listed = [];
    let path = `/api/v1/incidents?limit=${limit}`;
    while (path) {
      const response = await request(path);
      const page = /** @type {any} */ (await response.json());
      assert.ok(page.incidents.length <= limit);
      assert.equal(response.headers.get("link"), page.next && `<${page.next}>; rel="next"`);
      listed.push(...page.incidents);
      path = page.next;
    }
    assert.deepEqual(listed, all.incidents, `${limit} a page`);
  }
  const times = all.incidents.map((/** @type {any} */ it) => it.opened);
  assert.deepEqual(times, times.toSorted().reverse());
});

test("the admin API needs its token and is closed to other origins", async () => {
  const anonymous = await request("/api/v1/admin/status");
  assert.equal(anonymous.headers.get("www-authenticate"), "Bearer");
  assert.equal(anonymous.headers.get("access-control-allow-origin"), null);
  await assertProblem(anonymous, 401);
  const preflight = await request("/api/v1/admin/status", {
    method: "OPTIONS",
    headers: { origin: "https://a.example" },
  });
  assert.deepEqual([preflight.status, preflight.headers.get("access-control-allow-origin")], [204, null]);
  assert.equal(preflight.headers.get("access-control-allow-methods"), null);
  const admin = await request("/api/v1/admin/status", { headers: ADMIN_HEADERS });
  assert.deepEqual([admin.status, admin.headers.get("cache-control")], [200, "no-store"]);
  const status = /** @type {any} */ (await admin.json());
  assert.deepEqual(Object.keys(status), Object.keys(await edge.readStatus()));
  const refused = await request("/api/v1/admin/maintenance", { method: "POST", headers: ADMIN_HEADERS });
  assert.equal(refused.headers.get("allow"), "GET, HEAD, PUT, OPTIONS");
  await assertProblem(refused, 405);
});

test("two hundred simultaneous readers cost the hub one request", async (t) => {
  const cachingEdge = await Edge.start([defineMonitor("api", target.url)], {
    vars: { CACHE_TTL: "60s", ADMIN_TOKEN },
  });
  t.after(() => cachingEdge.stop());
  await cachingEdge.tick();
  const countHubRequests = async () => {
    await cachingEdge.tick(); // a tick stores the counters
    const response = await cachingEdge.requestAsAdmin("GET", "/admin/status");
    return /** @type {any} */ (await response.json()).edge.requests;
  };
  const before = await countHubRequests();
  const responses = await Promise.all(Array.from({ length: 200 }, () => cachingEdge.request("/api/v1/status")));
  const bodies = new Set(await Promise.all(responses.map((response) => response.text())));
  assert.deepEqual([...new Set(responses.map((response) => response.status))], [200]);
  assert.equal(bodies.size, 1);
  // Two ticks, the admin's request between them, and one read.
  const requests = (await countHubRequests()) - before;
  assert.ok(requests <= 4, `${requests} requests`);
});
