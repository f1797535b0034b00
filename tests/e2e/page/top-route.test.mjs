// The route behind a memory growth is named on the page of a monitor that allows it, and nowhere else.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { SECRET, SignedServer } from "../support/signed-server.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";

const MINUTE = 60_000;
const START = Date.UTC(2026, 0, 1);

/** @type {SignedServer} */ let server;
/** @type {Edge} */ let edge;

const reportRoute = (/** @type {string} */ name, /** @type {number} */ megabytes, error = 1_000) => ({
  ...{ route: name, requests: 1_000, requests_per_second: 1, allocated_mean: 1_000, allocated_p99: 2_000 },
  ...{ live: 50_000_000, live_error: 1_000, growth_per_minute: megabytes * 1_048_576, growth_error: error },
});

before(async () => {
  server = await SignedServer.start({ from: START, until: START + 9 * MINUTE, deaths: [] });
  const vars = { HEAPBEAT_SECRET: SECRET, ADMIN_TOKEN };
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

/** Runs a tick with these routes, and these requests, in the report. @param {object[]} routes @param {object} [traffic] */
async function tickWithRoutes(routes, traffic) {
  const minute = edge.now - (edge.now % MINUTE);
  const report = JSON.parse(server.reports.get(minute) ?? assert.fail("no report"));
  server.reports.set(minute, JSON.stringify({ ...report, routes, traffic }));
  server.now = edge.now;
  await edge.tick();
}

test("a route with most of the growth is named in the language of the reader, as long as it grows", async () => {
  await tickWithRoutes([reportRoute("POST /upload", 2), reportRoute("GET /", 0.1)]);
  assert.match(await edge.readText("/monitors/open"), /Most of the growth: POST \/upload, 120 MB\/h\./);
  assert.match(await edge.readText("/monitors/open?lang=de"), /Größter Anteil am Wachstum: POST \/upload, 120 MB\/h\./);
  await tickWithRoutes([reportRoute("GET /<b>{{site.title}}", 0.5)]);
  assert.match(
    await edge.readText("/monitors/open"),
    /Most of the growth: GET \/&#60;b&#62;\{\{site\.title\}\}, 30 MB\/h\./,
  );
  await tickWithRoutes([reportRoute("POST /upload", 2), reportRoute("GET /a", 1.9), reportRoute("GET /b", 1.8)]);
  assert.doesNotMatch(await edge.readText("/monitors/open"), /of the growth/, "no route has most of the growth");
  await tickWithRoutes([reportRoute("POST /upload", 2, 5_000_000)]);
  assert.doesNotMatch(await edge.readText("/monitors/open"), /of the growth/, "the growth is within its error");
});

test("the route appears on no other page and in no API response", async () => {
  await tickWithRoutes([reportRoute("POST /upload", 2)]);
  assert.match(await edge.readText("/monitors/open"), /POST \/upload/);
  const paths = [
    ...["/", "/monitors/shut", "/metrics", "/feed.atom", "/api/v1/status", "/api/v1/incidents"],
    ...["open", "shut"].flatMap((id) =>
      ["", "/memory", "/uptime", "/versions"].map((what) => `/api/v1/monitors/${id}${what}`),
    ),
  ];
  for (const path of paths) assert.doesNotMatch(await edge.readText(path), /\/upload/, path);
});

test("requests by route are the owner's, and the page's where the monitor allows it", async () => {
  const route = {
    route: "GET /orders/:id",
    in_flight: 2,
    requests: 90,
    statuses: [0, 80, 0, 7, 3],
    latency_mean_ms: 12.4,
  };
  const traffic = { in_flight: 3, waiting: 1, requests: 100, failed: 4, shed: 0, latency_p99_ms: 80, routes: [route] };
  await tickWithRoutes([], traffic);
  const page = await edge.readText("/monitors/open");
  assert.match(page, /In flight: 3, waiting: 1, failed: 4\./);
  assert.match(page, /GET \/orders\/:id<\/th><td>90<\/td><td>7<\/td><td>3<\/td><td>12.ms/);
  assert.match(await edge.readText("/monitors/open?lang=de"), /In Bearbeitung: 3, wartend: 1, fehlgeschlagen: 4\./);
  for (const path of ["/", "/monitors/shut", "/metrics", "/feed.atom", "/api/v1/status", "/api/v1/monitors/open"])
    assert.doesNotMatch(await edge.readText(path), /orders|In flight/, path);
  const owner = /** @type {any} */ (await (await edge.requestAsAdmin("GET", "/admin/status")).json());
  for (const id of ["open", "shut"])
    assert.deepEqual(owner.monitors.find((/** @type {{ id: string }} */ it) => it.id === id).traffic.routes, [route]);
});
