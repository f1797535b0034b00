// A hub whose database is full and has no samples by the second: it gives up the history that is worth least, one part after the other,
// and says so. When nothing is left that may be deleted, monitoring and alerts go on in memory, and nothing is lost once there is room.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Edge } from "../support/edge.mjs";
import { seedHistory } from "../support/seed-history.mjs";
import { readBody, Target } from "../support/target.mjs";
import { ADMIN_TOKEN, authorize, HEARTBEAT_TOKEN } from "../support/tokens.mjs";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** @type {Target} */ let target;
/** @type {Target} */ let webhook;
/** @type {Edge} */ let edge;
/** The paths that fail. */
const failing = new Set();
/** @type {any[]} */ const alerts = [];

before(async () => {
  target = await Target.start((request, response) => {
    response.statusCode = failing.has(request.url) ? 503 : 200;
    response.end("{}");
  });
  webhook = await Target.start(async (request, response) => {
    alerts.push(JSON.parse(await readBody(request)));
    response.end();
  });
  const job = { id: "backup", kind: "heartbeat", interval: "2m", grace: "1m", "failure-threshold": 1 };
  edge = await Edge.start([job], {
    faultInjection: true,
    vars: {
      ADMIN_TOKEN,
      HEARTBEAT_TOKEN,
      ALERTS: [{ id: "ops", kind: "webhook", secret: "WEBHOOK" }],
      WEBHOOK: webhook.url,
    },
  });
  await seedHistory(edge, { monitors: 10, days: 90, memory: 2, url: target.url });
  await edge.tickTimes(3);
});

after(async () => {
  await edge?.stop();
  await target?.stop();
  await webhook?.stop();
});

/** The problems of the store that the owner sees. @returns {Promise<string[]>} */
async function readStoreProblems() {
  const { problems } = /** @type {any} */ (await (await edge.requestAsAdmin("GET", "/admin/status")).json());
  const ofStore = problems.filter((/** @type {any} */ it) => it.position === "store");
  return ofStore.map((/** @type {any} */ it) => it.reason);
}

/** Runs a tick on a full store, which has to be stored. @param {string} fault */
async function tickWhenFull(fault) {
  const tick = new Date(edge.now).toISOString().replace(".000", "");
  await edge.injectFault(fault);
  await edge.tick();
  assert.equal((await edge.readStatus()).updated, tick, "the tick is there at once");
  await edge.clearFault();
  await edge.tick();
}

/** Reads the peaks of memory by the minute of six hours. @param {number} daysAgo */
async function readPeaks(daysAgo) {
  const from = edge.now - daysAgo * DAY;
  return (await edge.readJson(`/api/v1/monitors/m00/memory?from=${from}&to=${from + 6 * HOUR}`)).samples.length;
}

/** Reads the uptime of ninety days. @returns {Promise<any>} */
async function readUptime() {
  return (await edge.readMonitor("m01")).uptime["90d"];
}

test("without samples the oldest history goes, and what explains the last days stays", async () => {
  const [incidents, uptime] = [await edge.readIncidents(), await readUptime()];
  assert.ok((await readPeaks(40)) > 100 && (await readPeaks(5)) > 100);
  // The samples of two servers go first.
  await tickWhenFull("full");
  await tickWhenFull("full");
  const samples = await readStoreProblems();
  assert.equal(samples.length, 2, JSON.stringify(samples));
  assert.ok(samples.every((it) => it.includes("by the second")));
  assert.ok((await readPeaks(40)) > 100);
  await tickWhenFull("full");
  const problems = (await readStoreProblems()).slice(2);
  assert.ok(problems.length > 0, "what was deleted is said");
  for (const problem of problems) {
    assert.match(problem, /^the store was full, and the oldest history was deleted: .+ before 20\d\d-/);
  }
  assert.equal(await readPeaks(40), 0, "peaks of long ago");
  assert.ok((await readPeaks(5)) > 100, "peaks of the last days");
  assert.deepEqual(await readUptime(), uptime, "the ledger is not touched");
  assert.equal((await edge.readIncidents()).length, incidents.length);
});

test("when nothing is left, monitoring and alerts go on in memory, and are stored when there is room", async () => {
  const sendHeartbeat = () =>
    edge.request("/api/v1/heartbeats/backup", { method: "POST", headers: authorize(HEARTBEAT_TOKEN) });
  assert.equal((await sendHeartbeat()).status, 204);
  await edge.tick();
  const before = alerts.length;
  await edge.injectFault("full-forever");
  await edge.tickTimes(2);
  const said = await readStoreProblems();
  assert.ok(
    said.some((it) => it.includes("is kept in memory only")),
    JSON.stringify(said),
  );
  assert.equal((await sendHeartbeat()).status, 204);
  failing.add("/1");
  await edge.tickTimes(2);
  assert.equal((await edge.readMonitor("backup")).state, "up", "a job that reported is not missing");
  await edge.tickTimes(2);
  assert.equal((await edge.readMonitor("m01")).state, "down", "it is seen");
  const down = alerts.slice(before).filter((it) => JSON.stringify(it).includes("m01"));
  assert.equal(down.length, 1, "and alerted once");
  await edge.clearFault();
  await edge.tick();
  assert.equal((await readStoreProblems()).filter((it) => it.includes("in memory only")).length, 0);
  const [incident] = (await edge.readIncidents()).filter((it) => it.monitor === "m01" && !it.closed);
  assert.ok(incident, "the incident is stored with the first tick that is");
  failing.delete("/1");
  await edge.tickTimes(4);
  const m01 = await edge.readMonitor("m01");
  assert.equal(m01.state, "up");
  assert.equal(alerts.slice(before).filter((it) => JSON.stringify(it).includes("m01")).length, 2, "its end, once");
  const { coverage } = await edge.readJson("/api/v1/monitors/m01/uptime?window=10m");
  assert.equal(coverage, 100, "the time that was kept in memory is not unobserved");
});
