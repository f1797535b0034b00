// Configuration with mistakes, without monitors, and across a restart of the worker.

import assert from "node:assert/strict";
import { test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Target } from "../support/target.mjs";
import { createTempDir } from "../support/temp-dir.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";

test("an invalid monitor is reported by position and reason, and the others are probed", async (t) => {
  const target = await Target.startHealthy();
  t.after(() => target.stop());
  const monitors = [
    defineMonitor("first", target.url),
    defineMonitor("second", target.url, { interval: "1 fortnight" }),
    defineMonitor("third", target.url),
  ];
  const edge = await Edge.start(monitors, { vars: { ADMIN_TOKEN } });
  t.after(() => edge.stop());
  await edge.tick();
  const status = await edge.readStatus();
  assert.deepEqual(
    status.monitors.map((/** @type {any} */ it) => [it.id, it.state]),
    [
      ["first", "up"],
      ["third", "up"],
    ],
  );
  assert.deepEqual([status.problems, status.edge.config_problems], [[], 1], "the public sees their number only");
  const adminStatus = /** @type {any} */ (await (await edge.requestAsAdmin("GET", "/admin/status")).json());
  assert.equal(adminStatus.problems[0].position, "MONITORS[1].interval");
  assert.match(adminStatus.problems[0].reason, /1 fortnight/);
});

test("what the settings refer to and does not exist is a problem from the first tick", async (t) => {
  const target = await Target.startHealthy();
  t.after(() => target.stop());
  const withSecret = (/** @type {string} */ id, /** @type {string} */ secret) =>
    defineMonitor(id, target.url, { kind: "http", headers: { authorization: { secret } } });
  const unsigned = defineMonitor("unsigned", `${target.url}/health`, { secret: "SHORT" });
  const edge = await Edge.start([withSecret("fixed", "NOT_SET"), unsigned], {
    vars: {
      ADMIN_TOKEN,
      SHORT: "0123456789",
      ALERTS: [
        { id: "ops", kind: "slack", secret: "NOT_SET_EITHER", quiet: "22:00-07:00", "time-zone": "Mars/Olympus" },
        { id: "hook", kind: "webhook", secret: "HOOK", template: '{"text":"{{titel}}"}' },
      ],
      MAINTENANCE: [{ id: "backup", schedule: "0 3 * * *", duration: "30m", monitors: ["fixed", "gone"] }],
    },
  });
  t.after(() => edge.stop());
  const foreign = await edge.applyMonitors([withSecret("applied", "HOOK")]);
  assert.equal(foreign.status, 422, "not set aside for applied monitors");
  assert.match(foreign.body.problems[0].reason, /names the secret `HOOK`.*MONITOR_/);
  assert.equal((await edge.applyMonitors([withSecret("applied", "MONITOR_MISSING")])).status, 200);
  await edge.tick();
  const { problems } = /** @type {any} */ (await (await edge.requestAsAdmin("GET", "/admin/status")).json());
  const found = problems.map((/** @type {any} */ it) => `${it.position}: ${it.reason}`).sort();
  const expected = [
    /^ALERTS\.ops: the Worker has no secret `NOT_SET_EITHER`/,
    /^ALERTS\.ops: there is no time zone `Mars\/Olympus`/,
    /^ALERTS\[1\]: template: `\{\{titel\}\}` is not a field of a message/,
    /^MAINTENANCE\.backup\.monitors: names the monitor `gone`, which does not exist/,
    /^applied: the Worker has no secret `MONITOR_MISSING`/,
    /^fixed: the Worker has no secret `NOT_SET`/,
    /^unsigned: its requests cannot be signed by the secret `SHORT`: a secret needs at least 16 bytes/,
  ];
  assert.equal(found.length, expected.length, found.join("\n"));
  for (const [index, reason] of expected.entries()) assert.match(found[index], reason);
  // Strangers learn that there is no check, and neither why nor the name of a secret.
  const incomplete = "not checked: the check is not configured completely";
  assert.deepEqual(await edge.readReasons(), [
    ["fixed", "unobserved", incomplete],
    ["unsigned", "unobserved", incomplete],
    ["applied", "unobserved", incomplete],
  ]);
  for (const path of ["/", "/api/v1/status", "/monitors/unsigned"]) {
    assert.doesNotMatch(await edge.readText(path), /secret|NOT_SET|SHORT|MISSING/i, path);
  }
});

test("an edge without monitors serves an empty status and a page", async (t) => {
  const edge = await Edge.start([]);
  t.after(() => edge.stop());
  await edge.tick();
  assert.deepEqual((await edge.readStatus()).monitors, []);
  assert.equal((await edge.request("/")).status, 200);
});

test("history survives a restart of the worker", async (t) => {
  const stateDir = await createTempDir(t);
  const target = await Target.startHealthy({ rss: 77 });
  t.after(() => target.stop());
  const monitors = [defineMonitor("api", target.url)];

  const firstEdge = await Edge.start(monitors, { stateDir });
  const before = await firstEdge.tickAndReadMonitor("api");
  await firstEdge.stop();

  const secondEdge = await Edge.start(monitors, { stateDir });
  t.after(() => secondEdge.stop());
  const after = await secondEdge.readMonitor("api");
  assert.equal(after.memory.rss, 77);
  assert.equal(after.since, before.since);
});
