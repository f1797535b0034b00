// The history that the API serves: latencies by tick and by hour, and the states of ninety days.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { renderHealth, Target } from "../support/target.mjs";

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
let isHealthy = true;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const BEGAN = Date.UTC(2026, 0, 1);

/** Reads a path below the monitors. @param {string} path */
const readMonitors = (path) => edge.readJson(`/api/v1/monitors/${path}`);

before(async () => {
  target = await Target.start((_, response) => response.writeHead(isHealthy ? 200 : 500).end(renderHealth()));
  edge = await Edge.start([
    defineMonitor("api", `${target.url}/health`),
    defineMonitor("web", `${target.url}/`, { kind: "http" }),
    defineMonitor("tcp", target.url.replace("http", "tcp"), { kind: "tcp" }),
  ]);
});

after(async () => {
  await edge?.stop();
  await target?.stop();
});

test("latencies are stored for every tick and every hour, at one row a tick and one an hour", async () => {
  // Three hours and a minute: two ticks are missing, and one probe fails.
  let rows = 0;
  for (let minute = 0; minute < 181; minute += 1) {
    if (minute === 100) rows = (await edge.readStatus()).edge.rows_written;
    isHealthy = minute !== 70;
    if (minute === 30 || minute === 31) edge.now += MINUTE;
    else await edge.tick();
  }
  const now = BEGAN + 181 * MINUTE;
  for (const id of ["api", "web", "tcp"]) {
    const ticks = await readMonitors(`${id}/latency?from=${BEGAN}&to=${now}`);
    assert.deepEqual([ticks.resolution, ticks.columns, ticks.samples.length], ["tick", ["at", "ms"], 179]);
    assert.ok(ticks.samples.every((/** @type {number[]} */ [, ms]) => Number.isInteger(ms) && ms >= 0));
    assert.deepEqual(ticks.gaps, [{ from: BEGAN + 29 * MINUTE, to: BEGAN + 32 * MINUTE }]);

    const hours = await readMonitors(`${id}/latency?from=${BEGAN - HOUR}&to=${now}`);
    assert.equal(hours.resolution, "1h");
    assert.deepEqual(hours.columns, ["at", "min", "p50", "p95", "probes", "failed"]);
    const failed = id === "tcp" ? 0 : 1;
    const counts = hours.samples.map((/** @type {number[]} */ [at, , , , probes, lost]) => [at, probes, lost]);
    assert.deepEqual(counts, [
      [BEGAN, 58, 0],
      [BEGAN + HOUR, 60, failed],
      [BEGAN + 2 * HOUR, 60, 0],
      [BEGAN + 3 * HOUR, 1, 0],
    ]);
    // The hourly figures, computed here from the ticks.
    for (const [at, low, mid, high] of hours.samples) {
      const inside = ticks.samples.filter((/** @type {number[]} */ [tick]) => tick >= at && tick < at + HOUR);
      const sorted = Int32Array.from(inside, (/** @type {number[]} */ [, ms]) => ms).sort();
      const rank = (/** @type {number} */ share) => sorted[Math.ceil(share * sorted.length) - 1];
      assert.deepEqual([low, mid, high], [sorted[0], rank(0.5), rank(0.95)]);
    }
    const { latencies } = await edge.readMonitor(id);
    assert.equal(latencies.length, 48);
    assert.deepEqual(
      latencies.map((/** @type {number | null} */ ms) => ms !== null),
      Array.from({ length: 48 }, (_, place) => place >= 41),
    );
  }
  const { rows_written } = (await edge.readStatus()).edge;
  assert.equal(rows_written - rows, 81 + 1, "one row a tick, and one for the hour that ended at 2:00");
});

test("days show their worst state, their uptime and their coverage", async () => {
  // Down from 3:01 for an hour, then no ticks until noon of the third day.
  isHealthy = false;
  await edge.tickTimes(60);
  isHealthy = true;
  await edge.tick();
  edge.now = BEGAN + 2 * 24 * HOUR + 12 * HOUR;
  await edge.tickTimes(3);

  const days = await readMonitors("web/days");
  assert.equal(days.length, 90);
  assert.deepEqual(
    days.slice(-4).map((/** @type {any} */ it) => [it.day, it.state]),
    [
      ["2025-12-31", "unobserved"],
      ["2026-01-01", "down"],
      ["2026-01-02", "unobserved"],
      ["2026-01-03", "up"],
    ],
  );
  const [before, first, second, today] = days.slice(-4);
  assert.deepEqual([before.percent, before.coverage, second.percent, second.coverage], [null, 0, null, 0]);
  assert.equal(today.percent, 100);
  assert.ok(today.coverage > 0.2 && today.coverage < 0.6, `${today.coverage}`);
  // About an hour of 240 observed minutes was down; the first minute was below the threshold.
  assert.ok(first.percent > 73 && first.percent < 77, `${first.percent}`);
  assert.ok(first.coverage > 16 && first.coverage < 17, `${first.coverage}: the monitor exists since the day began`);
  const { coverage, since } = (await edge.readMonitor("web")).uptime["90d"];
  assert.equal(since, new Date(BEGAN).toISOString().replace(".000", ""));
  assert.ok(coverage > 6 && coverage < 7, `${coverage}: of the sixty hours since then`);

  assert.equal((await edge.readMonitor("web")).days, `${".".repeat(87)}d.u`);
  assert.equal((await edge.readMonitor("tcp")).days, `${".".repeat(87)}u.u`);
  const hours = await readMonitors(`web/latency?from=${BEGAN}&to=${edge.now}`);
  assert.equal(hours.resolution, "1h", "ticks are kept for a day only");
  assert.equal(hours.samples.length, 6, "five hours of the first day, and the present hour");
  assert.deepEqual(hours.samples.at(-2).slice(4), [2, 1]);
});

test("invalid ranges and unknown monitors are refused", async () => {
  for (const path of ["web/latency?from=x", "web/latency?from=2&to=1"]) {
    assert.equal((await edge.request(`/api/v1/monitors/${path}`)).status, 400, path);
  }
  assert.equal((await edge.request("/api/v1/monitors/none/latency")).status, 404);
  assert.equal((await edge.request("/api/v1/monitors/none/days")).status, 404);
});
