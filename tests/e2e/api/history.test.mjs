// The past as it is told: ninety days, and how long answers took, in the real workerd.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { renderHealth, Target } from "../support/target.mjs";

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
let fine = true;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const BEGAN = Date.UTC(2026, 0, 1);

/** @param {string} path @returns {Promise<any>} */
const told = async (path) => {
  const answer = await fetch(`${edge.url}/api/v1/monitors/${path}`);
  assert.equal(answer.status, 200, path);
  return answer.json();
};

before(async () => {
  target = await Target.start((_, response) => response.writeHead(fine ? 200 : 500).end(renderHealth()));
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

test("latencies: every tick of the last day, hours beyond it, and not a row more a tick", async () => {
  // Three hours and a minute, two of which are missed and one of which fails.
  let rows = 0;
  for (let minute = 0; minute < 181; minute += 1) {
    if (minute === 100) rows = (await edge.readStatus()).edge.rows_written;
    fine = minute !== 70;
    if (minute === 30 || minute === 31) edge.now += MINUTE;
    else await edge.tick();
  }
  const now = BEGAN + 181 * MINUTE;
  for (const id of ["api", "web", "tcp"]) {
    const ticks = await told(`${id}/latency?from=${BEGAN}&to=${now}`);
    assert.deepEqual([ticks.resolution, ticks.columns, ticks.samples.length], ["tick", ["at", "ms"], 179]);
    assert.ok(ticks.samples.every((/** @type {number[]} */ [, ms]) => Number.isInteger(ms) && ms >= 0 && ms < 10_000));
    assert.deepEqual(ticks.gaps, [{ from: BEGAN + 29 * MINUTE, to: BEGAN + 32 * MINUTE }]);

    const hours = await told(`${id}/latency?from=${BEGAN - HOUR}&to=${now}`);
    assert.equal(hours.resolution, "1h");
    assert.deepEqual(hours.columns, ["at", "low", "mid", "high", "probes", "failed"]);
    const failed = id === "tcp" ? 0 : 1;
    const counts = hours.samples.map((/** @type {number[]} */ [at, , , , probes, lost]) => [at, probes, lost]);
    assert.deepEqual(counts, [
      [BEGAN, 58, 0],
      [BEGAN + HOUR, 60, failed],
      [BEGAN + 2 * HOUR, 60, 0],
      [BEGAN + 3 * HOUR, 1, 0],
    ]);
    // The same figures, from the ticks.
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
  assert.equal(rows_written - rows, 81 + 1, "a row a tick, and one for the hour that ended at 2:00");
});

test("days: the worst of each, with uptime and coverage", async () => {
  // Down from 3:01 for an hour, then nobody looks until noon of the third day.
  fine = false;
  for (let minute = 0; minute < 60; minute += 1) await edge.tick();
  fine = true;
  await edge.tick();
  edge.now = BEGAN + 2 * 24 * HOUR + 12 * HOUR;
  for (let minute = 0; minute < 3; minute += 1) await edge.tick();

  const days = await told("web/days");
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
  const [nothing, first, none, today] = days.slice(-4);
  assert.deepEqual([nothing.percent, nothing.coverage, none.percent, none.coverage], [null, 0, null, 0]);
  assert.equal(today.percent, 100);
  assert.ok(today.coverage > 0.2 && today.coverage < 0.6, `${today.coverage}`);
  // Of 240 observed minutes about an hour was down, less the first minute below the threshold.
  assert.ok(first.percent > 73 && first.percent < 77, `${first.percent}`);
  assert.ok(first.coverage > 16 && first.coverage < 17, `${first.coverage}`);

  assert.equal((await edge.readMonitor("web")).days, `${".".repeat(87)}d.u`);
  assert.equal((await edge.readMonitor("tcp")).days, `${".".repeat(87)}u.u`);
  const hours = await told(`web/latency?from=${BEGAN}&to=${edge.now}`);
  assert.equal(hours.resolution, "1h", "the ring holds no such stretch");
  assert.equal(hours.samples.length, 6, "five hours of the first day, and the present one");
  assert.deepEqual(hours.samples.at(-2).slice(4), [2, 1]);
});

test("what is asked for wrongly is refused", async () => {
  for (const path of ["web/latency?from=x", "web/latency?from=2&to=1"]) {
    assert.equal((await fetch(`${edge.url}/api/v1/monitors/${path}`)).status, 400, path);
  }
  assert.equal((await fetch(`${edge.url}/api/v1/monitors/none/latency`)).status, 404);
  assert.equal((await fetch(`${edge.url}/api/v1/monitors/none/days`)).status, 404);
});
