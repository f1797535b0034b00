// What readers cost: the rows that each public question reads in a hub with forty monitors and ninety days of history, and what
// happens when readers have used their part of the quota.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Edge } from "../support/edge.mjs";
import { ApiDescription } from "../support/openapi.mjs";
import { seedHistory } from "../support/seed-history.mjs";
import { Target } from "../support/target.mjs";
import { waitUntil } from "../support/wait.mjs";

/** The most rows of one question, `MAX_QUESTION_ROWS` of edge/src/hub_api.rs. */
const MAX_ROWS = 100;

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const FAR = Date.UTC(9999, 11, 31);

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
/** @type {string[]} */ const log = [];

before(async () => {
  target = await Target.start((_, response) => response.end("{}"));
  edge = await Edge.start([], { log });
  await seedHistory(edge, { monitors: 40, days: 90, memory: 4, url: target.url });
  await edge.tick();
});

after(async () => {
  await edge?.stop();
  await target?.stop();
});

/** Reads what the day has cost so far, as the owner, whose questions are not among those of readers. */
async function readUsage() {
  const { result } = await edge.requestHub(0, { Status: { audience: "Owner" } });
  return result.Ok.Status.edge;
}

/** Ranges of every length and place, also absurd ones. */
const listRanges = () => [
  "",
  `?to=${edge.now - 7 * HOUR}`,
  `?to=${FAR}`,
  `?from=1&to=${FAR}`,
  `?from=1`,
  `?from=${edge.now - 3 * HOUR + 1}&to=${edge.now}`,
  `?from=${edge.now - 26 * HOUR}&to=${edge.now}`,
  `?from=${edge.now - 8 * DAY}&to=${edge.now}`,
  `?from=${edge.now - 90 * DAY}&to=${edge.now}`,
  `?from=${edge.now - 60 * DAY}&to=${edge.now - 60 * DAY + 3 * HOUR}`,
];

/** The questions for each path of the description; a path that is not here fails the test. @param {string} incident @returns {Record<string, string[]>} */
const listQuestions = (incident) => ({
  "/": ["/", "/?lang=de"],
  "/monitors/{id}": [
    ...["1h", "24h", "7d", "30d", "90d"].map((range) => `/monitors/m00?range=${range}`),
    ...listRanges().map((range) => `/monitors/m00${range}`),
  ],
  "/incidents/{id}": [`/incidents/${incident}`],
  "/preview.svg": ["/preview.svg"],
  // The page asks the hub with the token of the owner, from the browser.
  "/owner": ["/owner"],
  "/api/v1/status": ["/api/v1/status"],
  "/api/v1/monitors/{id}": ["/api/v1/monitors/m00"],
  "/api/v1/monitors/{id}/uptime": ["24h", "91d"].map((window) => `/api/v1/monitors/m00/uptime?window=${window}`),
  "/api/v1/monitors/{id}/memory": listRanges().map((range) => `/api/v1/monitors/m00/memory${range}`),
  "/api/v1/monitors/{id}/latency": listRanges().map((range) => `/api/v1/monitors/m00/latency${range}`),
  "/api/v1/monitors/{id}/days": ["/api/v1/monitors/m00/days"],
  "/api/v1/monitors/{id}/versions": ["/api/v1/monitors/m00/versions"],
  "/api/v1/incidents": [
    "/api/v1/incidents",
    "/api/v1/incidents?limit=50",
    `/api/v1/incidents?limit=50&before=${incident}`,
  ],
  "/api/v1/incidents/{id}": [`/api/v1/incidents/${incident}`],
  "/badge/{id}.svg": ["status", "uptime", "memory"].map((metric) => `/badge/m00.svg?metric=${metric}`),
  "/badge/{id}.json": ["/badge/m00.json"],
  "/metrics": ["/metrics"],
  "/feed.atom": ["/feed.atom"],
  "/feed.rss": ["/feed.rss"],
  "/calendar.ics": ["/calendar.ics"],
});

test("every public question reads a bounded number of rows at full rings", async (t) => {
  const incidents = await edge.readIncidents();
  const questions = listQuestions(incidents.find((it) => it.monitor === "m00").id);
  const operations = new ApiDescription().operations.filter(({ method, secured }) => method === "GET" && !secured);
  // Static files cost no request of the Worker.
  const asked = operations.map(({ path }) => path).filter((path) => path !== "/api" && !path.endsWith("openapi.json"));
  assert.deepEqual(asked.sort(), Object.keys(questions).sort(), "every path has its questions");
  await edge.tick();
  let { reader_rows_read: before } = await readUsage();
  for (const [path, list] of Object.entries(questions)) {
    let most = 0;
    for (const question of list) {
      const response = await edge.request(question);
      const body = await response.text();
      assert.equal(response.status, 200, `${question}: ${body}`);
      await edge.tick();
      const { reader_rows_read: now } = await readUsage();
      assert.ok(now - before <= MAX_ROWS, `${question} reads ${now - before} rows`);
      most = Math.max(most, now - before);
      before = now;
    }
    t.diagnostic(`${path}: at most ${most} rows`);
  }
  const unknown = [
    "/monitors/nobody",
    "/incidents/nobody-1767225600",
    "/api/v1/monitors/nobody/latency?to=5",
    "/incidents/m00-5",
    "/api/v1/incidents?before=m00-5",
    "/api/v1/incidents?limit=50&before=zzz-253402300799",
  ];
  for (const question of unknown) assert.equal((await edge.request(question)).status, 404, question);
  await edge.tick();
  const { reader_rows_read: now } = await readUsage();
  assert.ok(now - before <= unknown.length, `${now - before} rows for what does not exist`);
  assert.deepEqual(
    log.filter((line) => line.includes("a question read")),
    [],
  );
});

test("windows that differ little are one question", async () => {
  const cached = await Edge.start([{ id: "web", name: "Web", kind: "http", url: target.url }], {
    vars: { CACHE_TTL: "60s" },
  });
  try {
    await cached.tick();
    const from = cached.now - 3 * HOUR;
    for (let ms = 1; ms <= 50; ms += 1) {
      const range = `from=${from + ms}&to=${cached.now - 1000 + ms}`;
      for (const what of ["latency", "memory"]) await cached.readJson(`/api/v1/monitors/web/${what}?${range}`);
      assert.equal((await cached.request(`/monitors/web?${range}`)).status, 200);
      await cached.readJson(`/api/v1/monitors/web/uptime?window=${3_599_000 + ms}ms`);
    }
    await cached.tick();
    const { reader_requests } = (await cached.readStatus()).edge;
    assert.equal(reader_requests, 4, "of 200 questions");
  } finally {
    await cached.stop();
  }
});

test("readers who ask too much get stored answers with their age, then 503, and every probe comes in time", async () => {
  let probes = 0;
  const web = await Target.start((_, response) => {
    probes += 1;
    response.end();
  });
  const flooded = await Edge.start([{ id: "web", name: "Web", kind: "http", url: web.url }], {
    vars: { CACHE_TTL: "1s" },
  });
  try {
    await flooded.tick();
    await flooded.readStatus();
    const ask = async () => (await flooded.requestHub(0, { Days: { monitor: "web" } })).result;
    // At midnight, a quarter of what readers have is theirs: 6,250 of 25,000 questions.
    await setReaderRequests(flooded, 6_240);
    const results = [];
    for (let question = 0; question < 20; question += 1) results.push(await ask());
    const answered = results.filter(({ Ok }) => Ok).length;
    assert.ok(answered > 0 && answered <= 10, `${answered} questions were answered`);
    assert.ok(
      results.slice(answered).every(({ Err }) => Err === "ReaderBudget"),
      JSON.stringify(results),
    );

    const refused = await flooded.request("/api/v1/monitors/web/days");
    assert.equal(refused.status, 503);
    assert.equal(refused.headers.get("retry-after"), "300");
    assert.match(await refused.text(), /Monitoring is not affected/);
    const page = await flooded.request("/monitors/web");
    assert.deepEqual([page.status, page.headers.get("retry-after")], [503, "300"]);
    await waitUntil("the age of the stored answer", async () => {
      const stored = await flooded.request("/api/v1/status");
      assert.equal(stored.status, 200);
      return Number(stored.headers.get("age")) >= 1;
    });

    const before = probes;
    await flooded.tickTimes(5);
    assert.equal(probes - before, 5, "a probe with every tick");
    const { result } = await flooded.requestHub(0, { Status: { audience: "Owner" } });
    const { reader_requests, min_interval_seconds } = result.Ok.Status.edge;
    assert.ok(reader_requests > 6_240 && min_interval_seconds === 0, JSON.stringify(result.Ok.Status.edge));
    flooded.now += 30 * 60_000;
    await flooded.tick();
    assert.ok((await ask()).Ok, "half an hour later the hub answers again");
  } finally {
    await flooded.stop();
    await web.stop();
  }
});

/** Imports the last tick with another number of reader's requests in its day. @param {Edge} to @param {number} requests */
async function setReaderRequests(to, requests) {
  const { result } = await to.requestHub(0, { Export: { from: { hub: 0, table: 5, row: 0 } } });
  const [header, line] = result.Ok.Export.split("\n");
  const { row } = JSON.parse(line);
  // CBOR: an array of twelve numbers; the day is the first, and the requests of readers are the eleventh.
  const day = Math.floor(to.now / DAY);
  const encode = (/** @type {number} */ number) => (number < 24 ? [number] : [0x19, number >> 8, number & 255]);
  const usage = [0x8c, ...[day, requests, 0, 0, 0, 0, 1, 0, 0, 0, requests, 0].flatMap(encode)];
  row[5] = { base64: Buffer.from(usage).toString("base64") };
  const lines = JSON.stringify({ table: "tick", row });
  const imported = await to.requestHub(0, { Import: { hub: 0, schema: JSON.parse(header).schema, lines } });
  assert.ok(imported.result.Ok, JSON.stringify(imported));
}
