// What must not be told: a monitor's address, its headers, every secret, and monitors that are not public, each with a needle
// of its own in it. Every public answer is searched for every needle.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { renderHealth, Target } from "../support/target.mjs";

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;

const NEEDLES = {
  path: "needle-in-the-path-7f3a",
  query: "needle-in-the-query-9c1b",
  header: "needle-in-a-header-2d8e",
  secretHeader: "needle-in-a-secret-header-5e6f",
  body: "needle-in-the-body-8a4c",
  token: "needle-in-the-admin-token-1b7d",
  channel: "needle-in-a-channel-3f9e",
  health: "needle-in-the-health-secret-6c2a",
  push: "needle-in-the-private-key-4d0b8f6a2c7e931f5",
  answer: "needle-in-the-answer-4e8b",
  id: "needle-hidden-id-0d5f",
  name: "needle hidden name b3c6",
  group: "needle hidden group e7a1",
};

before(async () => {
  target = await Target.start((_, response) => {
    // What a target sends is not told either.
    response.setHeader("x-answer", NEEDLES.answer);
    response.statusCode = 503;
    response.end(NEEDLES.answer);
  });
  const hidden = await Target.start((_, response) => response.end(renderHealth({ rss: 77 })));
  after(() => hidden.stop());
  edge = await Edge.start(
    [
      defineMonitor("api", `${target.url}/${NEEDLES.path}?key=${NEEDLES.query}`, {
        kind: "http",
        method: "POST",
        body: NEEDLES.body,
        headers: { "x-plain": NEEDLES.header, authorization: { secret: "A_TOKEN", prefix: "Bearer " } },
        conditions: ["[STATUS] == 200"],
        "failure-threshold": 1,
        alerts: ["ops"],
      }),
      defineMonitor(NEEDLES.id, hidden.url, { name: NEEDLES.name, group: NEEDLES.group, public: false }),
    ],
    {
      vars: {
        A_TOKEN: NEEDLES.secretHeader,
        ADMIN_TOKEN: NEEDLES.token,
        HEAPBEAT_SECRET: NEEDLES.health,
        SUBSCRIPTIONS: 3,
        VAPID_PUBLIC_KEY: `B${"A".repeat(86)}`,
        VAPID_PRIVATE_KEY: NEEDLES.push,
        VAPID_SUBJECT: "mailto:ops@example.com",
        OPS_URL: `${target.url}/${NEEDLES.channel}`,
        ALERTS: [{ id: "ops", kind: "webhook", secret: "OPS_URL" }],
        MAINTENANCE: [
          { id: "w", title: "Work", from: "2026-01-01T02:00Z", to: "2026-01-01T03:00Z", monitors: [NEEDLES.id] },
        ],
      },
    },
  );
  for (let i = 0; i < 4; i += 1) await edge.tick();
});

after(async () => {
  await edge?.stop();
  await target?.stop();
});

test("no public answer holds a needle", async () => {
  const { incidents } = /** @type {any} */ (await (await fetch(`${edge.url}/api/v1/incidents`)).json());
  assert.ok(incidents.length > 0);
  const id = incidents[0].id;
  const of = (/** @type {string} */ monitor) => [
    `/monitors/${monitor}`,
    `/api/v1/monitors/${monitor}`,
    ...["uptime", "memory", "latency", "days", "versions"].map((what) => `/api/v1/monitors/${monitor}/${what}`),
    `/badge/${monitor}.svg`,
    `/badge/${monitor}.json`,
  ];
  const files = readdirSync("edge/assets", { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.replace("edge/assets", ""));
  const paths = [
    ...["/", "/?lang=de", "/preview.svg", "/feed.atom", "/feed.rss", "/calendar.ics", "/metrics"],
    ...["/api/v1/status", "/api/v1/incidents", `/api/v1/incidents/${id}`, `/incidents/${id}`],
    ...of("api"),
    ...files,
    ...["/api/v1/admin/status", "/api/v1/admin/monitors", "/api/v1/admin/export", "/nothing", "/api/v1/status?x=1"],
  ];
  for (const path of paths) {
    const answer = await fetch(edge.url + path);
    const whole = `${JSON.stringify([...answer.headers])} ${await answer.text()}`;
    for (const [kind, needle] of Object.entries(NEEDLES)) {
      assert.ok(!whole.includes(needle), `${path} tells the ${kind}`);
    }
  }
  // What names a hidden monitor itself gets the answer that it would get of one that there is not.
  for (const path of of(NEEDLES.id)) {
    const [hidden, none] = await Promise.all([
      fetch(edge.url + path),
      fetch(edge.url + path.replace(NEEDLES.id, "nobody")),
    ]);
    assert.equal(hidden.status, 404, path);
    assert.equal((await hidden.text()).replaceAll(NEEDLES.id, "nobody"), await none.text(), path);
  }
});

test("the owner sees what is hidden, and with the wrong token nobody does", async () => {
  const ask = (/** @type {string} */ token) =>
    fetch(`${edge.url}/api/v1/admin/status`, { headers: { authorization: `Bearer ${token}` } });
  const { monitors } = /** @type {any} */ (await (await ask(NEEDLES.token)).json());
  assert.deepEqual(monitors.map((/** @type {any} */ it) => it.id).sort(), ["api", NEEDLES.id].sort());
  assert.equal((await ask(`${NEEDLES.token}x`)).status, 401);
});
