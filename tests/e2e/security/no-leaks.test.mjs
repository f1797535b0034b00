// No public response contains a monitor's address, its headers, a secret, or anything of a hidden monitor. Each of these has a
// marker in it, and the test searches every public response for every marker.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Target } from "../support/target.mjs";
import { authorize } from "../support/tokens.mjs";

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;

const MARKERS = {
  path: "marker-in-the-path-7f3a",
  query: "marker-in-the-query-9c1b",
  header: "marker-in-a-header-2d8e",
  secretHeader: "marker-in-a-secret-header-5e6f",
  body: "marker-in-the-body-8a4c",
  token: "marker-in-the-admin-token-1b7d",
  channel: "marker-in-a-channel-3f9e",
  health: "marker-in-the-health-secret-6c2a",
  push: "marker-in-the-private-key-4d0b8f6a2c7e931f5",
  answer: "marker-in-the-answer-4e8b",
  id: "marker-hidden-id-0d5f",
  name: "marker hidden name b3c6",
  group: "marker hidden group e7a1",
};

before(async () => {
  target = await Target.start((_, response) => {
    // The response of a target is not public either.
    response.setHeader("x-answer", MARKERS.answer);
    response.statusCode = 503;
    response.end(MARKERS.answer);
  });
  const hidden = await Target.startHealthy({ rss: 77 });
  after(() => hidden.stop());
  edge = await Edge.start(
    [
      defineMonitor("api", `${target.url}/${MARKERS.path}?key=${MARKERS.query}`, {
        kind: "http",
        method: "POST",
        body: MARKERS.body,
        headers: { "x-plain": MARKERS.header, authorization: { secret: "A_TOKEN", prefix: "Bearer " } },
        conditions: ["[STATUS] == 200"],
        "failure-threshold": 1,
        alerts: ["ops"],
      }),
      defineMonitor(MARKERS.id, hidden.url, { name: MARKERS.name, group: MARKERS.group, public: false }),
    ],
    {
      vars: {
        A_TOKEN: MARKERS.secretHeader,
        ADMIN_TOKEN: MARKERS.token,
        HEAPBEAT_SECRET: MARKERS.health,
        SUBSCRIPTIONS: 3,
        VAPID_PUBLIC_KEY: `B${"A".repeat(86)}`,
        VAPID_PRIVATE_KEY: MARKERS.push,
        VAPID_SUBJECT: "mailto:ops@example.com",
        OPS_URL: `${target.url}/${MARKERS.channel}`,
        ALERTS: [{ id: "ops", kind: "webhook", secret: "OPS_URL" }],
        MAINTENANCE: [
          { id: "w", title: "Work", from: "2026-01-01T02:00Z", to: "2026-01-01T03:00Z", monitors: [MARKERS.id] },
        ],
      },
    },
  );
  await edge.tickTimes(4);
});

after(async () => {
  await edge?.stop();
  await target?.stop();
});

/** Lists the public paths of a monitor. @param {string} id */
const listPaths = (id) => [
  `/monitors/${id}`,
  `/api/v1/monitors/${id}`,
  ...["uptime", "memory", "latency", "days", "versions"].map((part) => `/api/v1/monitors/${id}/${part}`),
  `/badge/${id}.svg`,
  `/badge/${id}.json`,
];

/** Lists the paths of all files that the platform serves. */
const listAssetPaths = () =>
  readdirSync("edge/assets", { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.replace("edge/assets", ""));

test("no public response contains a marker", async () => {
  const incidents = await edge.readIncidents();
  assert.ok(incidents.length > 0);
  const id = incidents[0].id;
  const paths = [
    ...["/", "/?lang=de", "/preview.svg", "/feed.atom", "/feed.rss", "/calendar.ics", "/metrics"],
    ...["/api/v1/status", "/api/v1/incidents", `/api/v1/incidents/${id}`, `/incidents/${id}`],
    ...listPaths("api"),
    ...listAssetPaths(),
    ...["/api/v1/admin/status", "/api/v1/admin/monitors", "/api/v1/admin/export", "/nothing", "/api/v1/status?x=1"],
  ];
  for (const path of paths) {
    const response = await edge.request(path);
    const text = `${JSON.stringify([...response.headers])} ${await response.text()}`;
    for (const [kind, marker] of Object.entries(MARKERS)) {
      assert.ok(!text.includes(marker), `${path} leaks the ${kind}`);
    }
  }
});

test("a hidden monitor is answered like one that does not exist", async () => {
  for (const path of listPaths(MARKERS.id)) {
    const [hidden, unknown] = await Promise.all([
      fetch(edge.url + path),
      fetch(edge.url + path.replace(MARKERS.id, "nobody")),
    ]);
    assert.equal(hidden.status, 404, path);
    assert.equal((await hidden.text()).replaceAll(MARKERS.id, "nobody"), await unknown.text(), path);
  }
});

test("the admin sees hidden monitors, and a wrong token does not", async () => {
  const readAdminStatus = (/** @type {string} */ token) =>
    edge.request("/api/v1/admin/status", { headers: authorize(token) });
  const { monitors } = /** @type {any} */ (await (await readAdminStatus(MARKERS.token)).json());
  assert.deepEqual(monitors.map((/** @type {any} */ it) => it.id).sort(), ["api", MARKERS.id].sort());
  assert.equal((await readAdminStatus(`${MARKERS.token}x`)).status, 401);
});
