// The route that makes memory grow: on the page of a monitor whose owner says that anybody may know, and nowhere else.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { SECRET, SignedServer } from "../support/signed-server.mjs";

const MINUTE = 60_000;
const BEGAN = Date.UTC(2026, 0, 1);

/** @type {SignedServer} */ let server;
/** @type {Edge} */ let edge;

const route = (/** @type {string} */ name, /** @type {number} */ megabytes, error = 1_000) => ({
  ...{ route: name, requests: 1_000, requests_per_second: 1, churn_mean: 1_000, churn_p99: 2_000 },
  ...{ live: 50_000_000, live_error: 1_000, growth_per_minute: megabytes * 1_048_576, growth_error: error },
});

before(async () => {
  server = await SignedServer.start({ from: BEGAN, until: BEGAN + 9 * MINUTE, deaths: [] });
  const vars = { HEAPBEAT_SECRET: SECRET };
  edge = await Edge.start(
    [defineMonitor("open", server.url, { "public-routes": true }), defineMonitor("shut", server.url)],
    {
      vars,
    },
  );
});

after(async () => {
  await edge?.stop();
  await server?.stop();
});

/** Ticks with these routes in the report. @param {object[]} routes */
async function tick(routes) {
  const minute = edge.now - (edge.now % MINUTE);
  const report = JSON.parse(server.reports.get(minute) ?? assert.fail("no report"));
  server.reports.set(minute, JSON.stringify({ ...report, routes }));
  server.now = edge.now;
  await edge.tick();
}

const page = async (/** @type {string} */ path) => (await fetch(edge.url + path)).text();

test("it is named where that is allowed, in the reader's language, and for as long as it is so", async () => {
  await tick([route("POST /upload", 2), route("GET /", 0.1)]);
  assert.match(await page("/monitors/open"), /Most of the growth: POST \/upload, 120 MB\/h\./);
  assert.match(await page("/monitors/open?lang=de"), /Der größte Teil des Zuwachses: POST \/upload, 120 MB\/h\./);
  await tick([route("GET /<b>{{site.title}}", 0.5)]);
  assert.match(await page("/monitors/open"), /Most of the growth: GET \/&lt;b&gt;\{\{site\.title\}\}, 30 MB\/h\./);
  await tick([route("POST /upload", 2), route("GET /a", 1.9), route("GET /b", 1.8)]);
  assert.doesNotMatch(await page("/monitors/open"), /of the growth/, "nobody is accused of less than half of it");
  await tick([route("POST /upload", 2, 5_000_000)]);
  assert.doesNotMatch(await page("/monitors/open"), /of the growth/, "nor within the error");
});

test("it is nowhere else", async () => {
  await tick([route("POST /upload", 2)]);
  assert.match(await page("/monitors/open"), /POST \/upload/);
  const paths = [
    ...["/", "/monitors/shut", "/metrics", "/feed.atom", "/api/v1/status", "/api/v1/incidents"],
    ...["open", "shut"].flatMap((id) =>
      ["", "/memory", "/uptime", "/versions"].map((what) => `/api/v1/monitors/${id}${what}`),
    ),
  ];
  for (const path of paths) assert.doesNotMatch(await page(path), /\/upload/, path);
});
