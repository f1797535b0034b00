// Heartbeat monitors: jobs report by the public API with a token.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Edge } from "../support/edge.mjs";
import { REFUSED_URL } from "../support/target.mjs";
import { ADMIN_TOKEN, authorize, HEARTBEAT_TOKEN } from "../support/tokens.mjs";

/** Sends a heartbeat. @param {Edge} edge @param {string} path @param {string} [token] */
const sendHeartbeat = (edge, path, token = HEARTBEAT_TOKEN) =>
  edge.request(`/api/v1/heartbeats/${path}`, { method: "POST", headers: authorize(token) });

const BACKUP = {
  id: "backup",
  kind: "heartbeat",
  interval: "10m",
  grace: "2m",
  "max-runtime": "5m",
  "failure-threshold": 1,
};

test("a job is up when it reports, down when it is late or fails, and up when it reports again", async (t) => {
  const edge = await Edge.start([BACKUP], { vars: { HEARTBEAT_TOKEN } });
  t.after(() => edge.stop());
  const silent = await edge.tickAndReadMonitor("backup");
  assert.deepEqual([silent.state, silent.reason], ["unobserved", "no heartbeat received yet"]);

  assert.equal((await sendHeartbeat(edge, "backup")).status, 204);
  assert.equal((await edge.tickAndReadMonitor("backup")).state, "up");

  await edge.tickTimes(11);
  assert.equal((await edge.readMonitor("backup")).state, "up", "within the grace period");
  await edge.tickTimes(2);
  const missed = await edge.readMonitor("backup");
  assert.deepEqual([missed.state, missed.reason], ["down", "no heartbeat in time"]);

  assert.equal((await sendHeartbeat(edge, "backup?event=start")).status, 204);
  assert.equal((await edge.tickAndReadMonitor("backup")).state, "up");
  assert.equal((await sendHeartbeat(edge, "backup?exit=137")).status, 204);
  const failed = await edge.tickAndReadMonitor("backup");
  assert.deepEqual([failed.state, failed.reason], ["down", "job failed with exit code 137"]);
  assert.equal((await sendHeartbeat(edge, "backup?event=success")).status, 204);
  assert.equal((await edge.tickAndReadMonitor("backup")).state, "up");
});

test("a schedule is judged in its time zone", async (t) => {
  const nightly = { ...BACKUP, interval: undefined, schedule: "30 3 * * *", "time-zone": "Europe/Berlin" };
  const edge = await Edge.start([JSON.parse(JSON.stringify(nightly))], { vars: { HEARTBEAT_TOKEN } });
  t.after(() => edge.stop());
  assert.equal((await edge.readStatus()).edge.config_problems, 0);
  edge.now = Date.UTC(2026, 6, 1, 1, 20); // 03:20 in Berlin
  await edge.tick();
  assert.equal((await sendHeartbeat(edge, "backup")).status, 204);
  await edge.tickTimes(11);
  // 03:32, within the grace
  assert.equal((await edge.tickAndReadMonitor("backup")).state, "up");
  assert.equal((await edge.tickAndReadMonitor("backup")).state, "down");
});

test("the platform's clock shows an hour twice in autumn, and the second time decides", async (t) => {
  const nightly = { ...BACKUP, interval: undefined, schedule: "30 2 * * *", "time-zone": "Europe/Berlin" };
  const edge = await Edge.start([JSON.parse(JSON.stringify(nightly))], { vars: { HEARTBEAT_TOKEN } });
  t.after(() => edge.stop());
  edge.now = Date.UTC(2026, 9, 25, 0, 20); // 02:20, and at 01:00 UTC it is two o'clock again
  await edge.tick();
  assert.equal((await sendHeartbeat(edge, "backup")).status, 204);
  await edge.tickTimes(71);
  assert.equal(edge.now, Date.UTC(2026, 9, 25, 1, 32));
  assert.equal((await edge.tickAndReadMonitor("backup")).state, "up");
  assert.equal((await edge.tickAndReadMonitor("backup")).state, "down");
});

test("a job that starts and never ends is down, however often it starts", async (t) => {
  const hourly = { ...BACKUP, "max-runtime": undefined };
  const edge = await Edge.start([JSON.parse(JSON.stringify(hourly))], { vars: { HEARTBEAT_TOKEN } });
  t.after(() => edge.stop());
  await edge.tick();
  assert.equal((await sendHeartbeat(edge, "backup?event=start")).status, 204);
  await edge.tickTimes(10);
  assert.equal((await edge.readMonitor("backup")).state, "up");
  assert.equal((await sendHeartbeat(edge, "backup?event=start")).status, 204);
  const hung = await edge.tickAndReadMonitor("backup");
  assert.deepEqual([hung.state, hung.reason], ["down", "job not finished in time"]);
  assert.equal((await sendHeartbeat(edge, "backup?exit=0")).status, 204);
  assert.equal((await edge.tickAndReadMonitor("backup")).state, "up");
});

test("a run that was due during maintenance or while the edge was away is not missed", async (t) => {
  const edge = await Edge.start([BACKUP], { vars: { ADMIN_TOKEN, HEARTBEAT_TOKEN } });
  t.after(() => edge.stop());
  await edge.tick();
  assert.equal((await sendHeartbeat(edge, "backup")).status, 204);
  await edge.tick();
  const at = (/** @type {number} */ minutes) => new Date(edge.now + minutes * 60_000).toISOString();
  const work = { id: "work", from: at(5), to: at(15) };
  assert.equal((await edge.requestAsAdmin("PUT", "/admin/maintenance", { maintenance: [work] })).status, 200);
  const states = [];
  for (let minute = 0; minute < 20; minute += 1) states.push((await edge.tickAndReadMonitor("backup")).state);
  assert.deepEqual(new Set(states), new Set(["up", "maintenance"]), "due after nine minutes");
  assert.equal((await sendHeartbeat(edge, "backup")).status, 204);
  await edge.tick();
  edge.now += 30 * 60_000;
  assert.equal((await edge.tickAndReadMonitor("backup")).state, "up", "due three times while the edge was away");
  await edge.tickTimes(13);
  assert.equal((await edge.readMonitor("backup")).state, "down", "and is due again");
  assert.equal((await edge.readIncidents()).length, 1);
});

test("a job that is added again or rescheduled has not been heard of", async (t) => {
  const edge = await Edge.start([], { vars: { ADMIN_TOKEN, HEARTBEAT_TOKEN } });
  t.after(() => edge.stop());
  const other = { ...BACKUP, id: "other" };
  const unheard = ["unobserved", "no heartbeat received yet"];
  const readJob = async () => {
    const { state, reason } = await edge.tickAndReadMonitor("backup");
    return [state, reason];
  };
  for (const [name, between] of /** @type {[string, object[] | null][]} */ ([
    ["rescheduled", null],
    ["added again at once", [other]],
  ])) {
    assert.equal((await edge.applyMonitors([BACKUP, other])).status, 200);
    await edge.tick();
    assert.equal((await sendHeartbeat(edge, "backup?exit=3")).status, 204);
    assert.equal((await readJob())[0], "down", name);
    if (between) assert.equal((await edge.applyMonitors(between)).status, 200);
    const changed = between ? BACKUP : { ...BACKUP, interval: "20m" };
    assert.equal((await edge.applyMonitors([changed, other])).status, 200);
    assert.deepEqual(await readJob(), unheard, name);
    assert.ok(
      (await edge.readIncidents()).every(({ closed }) => closed !== null),
      `${name}: the incident is over`,
    );
    assert.equal((await sendHeartbeat(edge, "backup")).status, 204);
    assert.equal((await readJob())[0], "up", name);
  }
});

test("a job with a token of its own accepts no other job's token", async (t) => {
  const own = "a token of the backup alone";
  const vars = { ADMIN_TOKEN, HEARTBEAT_TOKEN, HEARTBEAT_TOKEN_DB_BACKUP: own };
  const jobs = ["db-backup", "reports"].map((id) => ({ ...BACKUP, id }));
  const edge = await Edge.start(jobs, { vars });
  t.after(() => edge.stop());
  await edge.tick();
  const cases = /** @type {[string, string, number][]} */ ([
    ["db-backup", own, 204],
    ["db-backup", ADMIN_TOKEN, 204],
    ["db-backup", HEARTBEAT_TOKEN, 401],
    ["db-backup?event=begin", own, 400],
    ["reports", own, 401],
    ["reports", HEARTBEAT_TOKEN, 204],
  ]);
  for (const [path, token, status] of cases)
    assert.equal((await sendHeartbeat(edge, path, token)).status, status, path);
});

test("heartbeats need the right token, a known job and a valid event", async (t) => {
  const web = { id: "web", kind: "http", url: REFUSED_URL };
  const odd = { ...BACKUP, id: "odd", interval: undefined, schedule: "0 3 * * *", "time-zone": "Mars/Olympus" };
  const monitors = JSON.parse(JSON.stringify([BACKUP, web, odd]));
  const edge = await Edge.start(monitors, { vars: { ADMIN_TOKEN, HEARTBEAT_TOKEN } });
  t.after(() => edge.stop());
  const cases = [
    ["the admin token", "backup", ADMIN_TOKEN, 204],
    ["the heartbeat token", "backup", HEARTBEAT_TOKEN, 204],
    ["a wrong token", "backup", "wrong-token-0123456789", 401],
    ["no token", "backup", "", 401],
    ["an unknown job", "nightly", HEARTBEAT_TOKEN, 404],
    ["a monitor of another kind", "web", HEARTBEAT_TOKEN, 404],
    ["an invalid id", "..%2f", HEARTBEAT_TOKEN, 404],
    ["an unknown event", "backup?event=begin", HEARTBEAT_TOKEN, 400],
    ["an invalid exit code", "backup?exit=-1", HEARTBEAT_TOKEN, 400],
  ];
  for (const [name, path, token, status] of cases) {
    const response = await sendHeartbeat(edge, String(path), String(token));
    assert.equal(response.status, status, String(name));
    if (status !== 204) assert.equal(response.headers.get("content-type"), "application/problem+json", String(name));
  }
  const apply = { method: "PUT", headers: authorize(HEARTBEAT_TOKEN), body: '{"monitors":[]}' };
  assert.equal((await edge.request("/api/v1/admin/monitors", apply)).status, 401, "the admin API needs its own token");
  assert.equal((await edge.readStatus()).edge.config_problems, 1);

  const closed = await Edge.start([BACKUP]);
  t.after(() => closed.stop());
  assert.equal((await sendHeartbeat(closed, "backup")).status, 403, "without a configured token nobody is let in");
});
