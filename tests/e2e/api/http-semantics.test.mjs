// What HTTP has to say: tags, methods, headers, problem documents, pages of a list, and a hub that is asked once.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { renderHealth, Target } from "../support/target.mjs";

const TOKEN = "0123456789abcdef0123456789abcdef";

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
let fine = true;

before(async () => {
  target = await Target.start((_, response) => (fine ? response.end(renderHealth()) : response.writeHead(500).end()));
  const watched = { "failure-threshold": 1 };
  const monitors = [defineMonitor("api", target.url, watched), defineMonitor("web", target.url, watched)];
  edge = await Edge.start(monitors, { vars: { ADMIN_TOKEN: TOKEN } });
  // Three incidents each, an hour apart.
  for (let round = 0; round < 3; round += 1) {
    fine = false;
    await edge.tick();
    fine = true;
    await edge.tick(60);
  }
});

after(async () => {
  await edge?.stop();
  await target?.stop();
});

/** @param {string} path @param {RequestInit} [init] */
const ask = (path, init) => fetch(`${edge.url}${path}`, { redirect: "manual", ...init });

/** @param {Response} answer @param {number} status @param {string} [path] */
async function isProblem(answer, status, path = "") {
  assert.equal(answer.status, status, path);
  assert.equal(answer.headers.get("content-type"), "application/problem+json", path);
  assert.equal(answer.headers.get("cache-control"), "no-store", path);
  const body = /** @type {any} */ (await answer.json());
  assert.equal(body.status, status);
  assert.ok(body.title && body.detail && body.type === "about:blank", JSON.stringify(body));
  return body.detail;
}

const PUBLIC = [
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
 * Asks again, `how` knows the tag of the first answer. Some answers are another one with each second: where one passed between the
 * two questions, they are asked once more.
 * @param {string} path @param {(tag: string) => RequestInit} how
 */
async function askAgain(path, how) {
  for (let turn = 0; ; turn += 1) {
    const tag = (await ask(path)).headers.get("etag") ?? "";
    const same = await ask(path, how(tag));
    if (same.headers.get("etag") === tag || turn === 5) return { same, tag };
  }
}

for (const path of PUBLIC) {
  test(`${path}: a tag, who has it, and HEAD`, async () => {
    const whole = await ask(path);
    const body = await whole.text();
    assert.equal(whole.status, 200);
    const tag = whole.headers.get("etag") ?? "";
    assert.match(tag, /^"[0-9a-f]+-[0-9a-f]{16}"$/);
    assert.match(whole.headers.get("cache-control") ?? "", /^public, max-age=\d+, stale-while-revalidate=\d+/);
    assert.equal(whole.headers.get("age"), "0");
    assert.equal(whole.headers.get("access-control-allow-origin"), "*");
    assert.equal(whole.headers.get("access-control-allow-credentials"), null);
    assert.equal(whole.headers.get("x-content-type-options"), "nosniff");
    assert.equal(whole.headers.get("set-cookie"), null);

    for (const known of ["TAG", "W/TAG", '"other", TAG', "*"]) {
      const { same, tag } = await askAgain(path, (tag) => ({
        headers: { "if-none-match": known.replace("TAG", tag) },
      }));
      assert.equal(same.status, 304, known);
      assert.equal(same.headers.get("etag"), tag);
      assert.equal(same.headers.get("cache-control"), whole.headers.get("cache-control"));
      assert.equal(await same.text(), "");
    }
    assert.equal((await ask(path, { headers: { "if-none-match": '"other"' } })).status, 200);

    const { same: head, tag: ofWhole } = await askAgain(path, () => ({ method: "HEAD" }));
    assert.equal(head.status, 200);
    assert.equal(await head.text(), "");
    assert.equal(head.headers.get("etag"), ofWhole);
    for (const name of ["content-type", "cache-control"])
      assert.equal(head.headers.get(name), whole.headers.get(name), name);

    for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
      const wrong = await ask(path, { method });
      assert.equal(wrong.headers.get("allow"), "GET, HEAD, OPTIONS");
      await isProblem(wrong, 405, method);
    }
    const preflight = await ask(path, { method: "OPTIONS", headers: { origin: "https://a.example" } });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers.get("access-control-allow-methods"), "GET, HEAD");
    assert.equal(preflight.headers.get("access-control-allow-headers"), "if-none-match");
    assert.ok(body.length > 0);
  });
}

test("the tag changes with the body, and only with it", async () => {
  const tag = async () => (await ask("/api/v1/monitors/api/uptime?window=1h")).headers.get("etag");
  const first = await tag();
  assert.equal(await tag(), first);
  await edge.tick();
  await edge.tick();
  assert.notEqual(await tag(), first);
});

test("one monitor is its entry in the status", async () => {
  const { monitors, updated } = await edge.readStatus();
  const one = await (await ask("/api/v1/monitors/web")).json();
  assert.deepEqual(one, { updated, ...monitors[1] });
});

test("what is not there, and what is asked wrongly", async () => {
  const missing = [
    "/x",
    "/api/v1/monitors/nobody",
    "/api/v1/incidents/api-1",
    "/api/v1/status/",
    "//",
    "/API/V1/STATUS",
  ];
  for (const path of missing) await isProblem(await ask(path), 404, path);
  const wrong = [
    ["/api/v1/status?x=1", /no parameters/],
    ["/api/v1/monitors/api/uptime?window=1y", /91d/],
    ["/api/v1/monitors/api/uptime?windw=1d", /those of this path are window/],
    ["/api/v1/monitors/api/memory?from=yesterday", /RFC 3339/],
    ["/api/v1/incidents?limit=0", /1 to 100/],
    ["/api/v1/incidents?limit=1&limit=2", /twice/],
    ["/api/v1/incidents?before=%ff", /UTF-8/],
  ];
  for (const [path, said] of /** @type {[string, RegExp][]} */ (wrong))
    assert.match(await isProblem(await ask(path), 400, path), said);
});

test("incidents a page at a time, none twice and none left out", async () => {
  const all = /** @type {any} */ (await (await ask("/api/v1/incidents")).json());
  assert.equal(all.next, null);
  assert.equal(all.incidents.length, 6);
  for (const limit of [1, 2, 4, 5]) {
    const seen = [];
    let path = `/api/v1/incidents?limit=${limit}`;
    while (path) {
      const answer = await ask(path);
      const page = /** @type {any} */ (await answer.json());
      assert.ok(page.incidents.length <= limit);
      assert.equal(answer.headers.get("link"), page.next && `<${page.next}>; rel="next"`);
      seen.push(...page.incidents);
      path = page.next;
    }
    assert.deepEqual(seen, all.incidents, `${limit} a page`);
  }
  const times = all.incidents.map((/** @type {any} */ it) => it.opened);
  assert.deepEqual(times, times.toSorted().reverse());
});

test("the owner's paths are nobody else's to read", async () => {
  const own = await ask("/api/v1/admin/status");
  assert.equal(own.headers.get("www-authenticate"), "Bearer");
  assert.equal(own.headers.get("access-control-allow-origin"), null);
  await isProblem(own, 401);
  const preflight = await ask("/api/v1/admin/status", { method: "OPTIONS", headers: { origin: "https://a.example" } });
  assert.deepEqual([preflight.status, preflight.headers.get("access-control-allow-origin")], [204, null]);
  assert.equal(preflight.headers.get("access-control-allow-methods"), null);
  const headers = { authorization: `Bearer ${TOKEN}` };
  const mine = await ask("/api/v1/admin/status", { headers });
  assert.deepEqual([mine.status, mine.headers.get("cache-control")], [200, "no-store"]);
  assert.deepEqual(Object.keys(/** @type {any} */ (await mine.json())), Object.keys(await edge.readStatus()));
  const wrong = await ask("/api/v1/admin/maintenance", { method: "POST", headers });
  assert.equal(wrong.headers.get("allow"), "GET, HEAD, PUT, OPTIONS");
  await isProblem(wrong, 405);
});

test("a stampede asks the hub once", async (t) => {
  const calm = await Edge.start([defineMonitor("api", target.url)], {
    vars: { ANSWERS_KEPT: "30s", ADMIN_TOKEN: TOKEN },
  });
  t.after(() => calm.stop());
  await calm.tick();
  const requests = async () => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    await calm.tick(); // counts are written down with a tick
    return /** @type {any} */ (await (await fetch(`${calm.url}/api/v1/admin/status`, { headers })).json()).edge
      .requests;
  };
  const before = await requests();
  const answers = await Promise.all(Array.from({ length: 200 }, () => fetch(`${calm.url}/api/v1/status`)));
  const bodies = new Set(await Promise.all(answers.map((answer) => answer.text())));
  assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [200]);
  assert.equal(bodies.size, 1);
  // Two ticks, the owner's look between them, and the one question.
  assert.ok((await requests()) - before <= 4, `${(await requests()) - before} requests`);
});
