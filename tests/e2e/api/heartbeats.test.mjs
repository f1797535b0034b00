// Jobs that tell us: by the public API, with a token, through the real hub.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Edge } from "../support/edge.mjs";

const TOKEN = "a token of the owner's";

/** @param {Edge} edge @param {string} path @param {string} [token] */
const tell = (edge, path, token = TOKEN) =>
  fetch(`${edge.url}/api/v1/heartbeats/${path}`, { method: "POST", headers: { authorization: `Bearer ${token}` } });

const job = {
  id: "backup",
  kind: "heartbeat",
  interval: "10m",
  grace: "2m",
  "longest-run": "5m",
  "failure-threshold": 1,
};

test("a job is heard, missed, and heard again", async (t) => {
  const edge = await Edge.start([job], { vars: { ADMIN_TOKEN: TOKEN } });
  t.after(() => edge.stop());
  const unheard = await edge.tickAndReadMonitor("backup");
  assert.deepEqual([unheard.state, unheard.reason], ["unobserved", "it has never reported yet"]);

  assert.equal((await tell(edge, "backup")).status, 204);
  assert.equal((await edge.tickAndReadMonitor("backup")).state, "up");

  for (let minute = 0; minute < 11; minute++) await edge.tick();
  assert.equal((await edge.readMonitor("backup")).state, "up", "within its grace");
  for (let minute = 0; minute < 2; minute++) await edge.tick();
  const missed = await edge.readMonitor("backup");
  assert.deepEqual([missed.state, missed.reason], ["down", "it did not report when it should have"]);

  assert.equal((await tell(edge, "backup?event=start")).status, 204);
  assert.equal((await edge.tickAndReadMonitor("backup")).state, "up");
  assert.equal((await tell(edge, "backup?exit=137")).status, 204);
  const failed = await edge.tickAndReadMonitor("backup");
  assert.deepEqual([failed.state, failed.reason], ["down", "it reported a failure: exit code 137"]);
  assert.equal((await tell(edge, "backup?event=success")).status, 204);
  assert.equal((await edge.tickAndReadMonitor("backup")).state, "up");
});

test("a schedule counts by the clock of its zone", async (t) => {
  const nightly = { ...job, interval: undefined, schedule: "30 3 * * *", "time-zone": "Europe/Berlin" };
  const edge = await Edge.start([JSON.parse(JSON.stringify(nightly))], { vars: { ADMIN_TOKEN: TOKEN } });
  t.after(() => edge.stop());
  assert.deepEqual((await edge.readStatus()).problems, []);
  edge.now = Date.UTC(2026, 6, 1, 0, 0); // 02:00 in Berlin
  await edge.tick();
  assert.equal((await tell(edge, "backup")).status, 204);
  edge.now = Date.UTC(2026, 6, 1, 1, 32); // 03:32 in Berlin, within the grace
  assert.equal((await edge.tickAndReadMonitor("backup")).state, "up");
  assert.equal((await edge.tickAndReadMonitor("backup")).state, "down");
});

test("who may tell, and what", async (t) => {
  const other = { ...job, id: "web", kind: "http", url: "http://127.0.0.1:1/", interval: "60s" };
  const web = { id: other.id, kind: other.kind, url: other.url };
  const odd = { ...job, id: "odd", interval: undefined, schedule: "0 3 * * *", "time-zone": "Mars/Olympus" };
  const monitors = JSON.parse(JSON.stringify([job, web, odd]));
  const edge = await Edge.start(monitors, { vars: { ADMIN_TOKEN: TOKEN, HEARTBEAT_TOKEN: "a token of the jobs'" } });
  t.after(() => edge.stop());
  const cases = [
    ["the owner", "backup", TOKEN, 204],
    ["a job", "backup", "a token of the jobs'", 204],
    ["a stranger", "backup", "somebody else's token", 401],
    ["nobody", "backup", "", 401],
    ["no such job", "nightly", TOKEN, 404],
    ["no job at all", "web", TOKEN, 404],
    ["no id", "..%2f", TOKEN, 404],
    ["an odd word", "backup?event=begin", TOKEN, 400],
    ["an odd code", "backup?exit=-1", TOKEN, 400],
  ];
  for (const [name, path, token, status] of cases) {
    const answer = await tell(edge, String(path), String(token));
    assert.equal(answer.status, status, String(name));
    if (status !== 204) assert.equal(answer.headers.get("content-type"), "application/problem+json", String(name));
  }
  const admin = { method: "PUT", headers: { authorization: "Bearer a token of the jobs'" }, body: '{"monitors":[]}' };
  assert.equal((await fetch(`${edge.url}/api/v1/admin/monitors`, admin)).status, 401, "jobs are not the owner");
  const { problems } = await edge.readStatus();
  assert.deepEqual([problems.length, problems[0].position], [1, "MONITORS"]);

  const closed = await Edge.start([job]);
  t.after(() => closed.stop());
  assert.equal((await tell(closed, "backup")).status, 403, "without a secret nobody is let in");
});
