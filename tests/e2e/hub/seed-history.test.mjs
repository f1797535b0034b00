// The history that `seedHistory` gives to other tests looks like one that the hub recorded itself.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Edge } from "../support/edge.mjs";
import { seedHistory } from "../support/seed-history.mjs";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** @type {Edge} */ let edge;
/** The query for the time from so many milliseconds ago until now. @param {number} ms */
const last = (ms) => `from=${edge.now - ms}&to=${edge.now}`;

before(async () => {
  edge = await Edge.start([]);
  await seedHistory(edge, { monitors: 12, days: 90, memory: 2 });
});

after(() => edge?.stop());

test("a dozen monitors have states, reasons and ninety days of uptime", async () => {
  const { monitors } = await edge.readStatus();
  assert.deepEqual(
    monitors.slice(0, 6).map((/** @type {any} */ { id, state }) => [id, state]),
    [
      ["m00", "up"],
      ["m01", "up"],
      ["m02", "down"],
      ["m03", "up"],
      ["m04", "up"],
      ["m05", "degraded"],
    ],
  );
  const [first, , down, , , , youngest] = monitors;
  assert.equal(down.reason, "connection refused");
  assert.deepEqual([first.last_exit.kind, first.memory.pressure, first.memory.limit], ["oom_kill", "calm", 512]);
  assert.match(youngest.days, /^\.{60,}[^.]+$/, "the youngest monitor is three weeks old");
  for (const it of monitors) {
    assert.equal(it.days.length, 90);
    assert.ok(it.latencies.filter((/** @type {number | null} */ ms) => ms !== null).length > 46, it.id);
    assert.ok(it.uptime["24h"].coverage > 99 && it.uptime["24h"].coverage < 99.7, "six minutes were missed");
    if (it !== youngest) assert.ok(it.uptime["90d"].percent > 95 && it.uptime["90d"].coverage > 99, it.id);
  }
  const letters = monitors.map((/** @type {any} */ it) => it.days).join("");
  for (const letter of "u~dwm.") assert.ok(letters.includes(letter), letter);
});

test("memory is available in all resolutions, and an out-of-memory kill has its recording", async () => {
  const hours = await edge.readJson(`/api/v1/monitors/m00/memory?${last(89 * DAY)}`);
  assert.deepEqual([hours.resolution, hours.samples.length > 2000], ["1h", true]);
  const minutes = await edge.readJson(`/api/v1/monitors/m00/memory?${last(7 * DAY)}`);
  assert.deepEqual([minutes.resolution, minutes.samples.length > 7 * 1430], ["1m", true]);
  const around = `from=${edge.now - 9 * HOUR}&to=${edge.now - 6.5 * HOUR}`;
  const seconds = await edge.readJson(`/api/v1/monitors/m00/memory?${around}`);
  assert.deepEqual([seconds.resolution, seconds.gaps.length, seconds.instances.length], ["1s", 0, 2]);
  assert.ok(seconds.samples.length > 2.5 * 3600 - 30, "only the twenty seconds after the kill are missing");
  const times = hours.samples.map((/** @type {number[]} */ [at]) => at);
  assert.deepEqual(times, [...new Set(times)].sort(), "samples are sorted and unique");

  const incidents = await edge.readIncidents();
  const open = incidents.filter((it) => it.closed === null);
  assert.deepEqual(open.map((it) => it.monitor).sort(), ["m02", "m05"]);
  const kill = incidents.find((it) => it.monitor === "m00");
  assert.equal(kill.cause, "out of memory");
  const { recording } = await edge.readJson(`/api/v1/incidents/${kill.id}`);
  assert.ok(recording.length > 0 && recording.every((/** @type {any} */ run) => run.samples.length > 0));
});

test("latencies are ticks for the last day and hours before it", async () => {
  const ticks = await edge.readJson(`/api/v1/monitors/m01/latency?${last(DAY)}`);
  assert.equal(ticks.resolution, "tick");
  assert.deepEqual([ticks.samples.length, ticks.gaps.length], [1440 - 6, 1]);
  const hours = await edge.readJson(`/api/v1/monitors/m01/latency?${last(30 * DAY)}`);
  assert.deepEqual([hours.resolution, hours.samples.length], ["1h", 720]);
});

test("the hub continues from the seeded history", async () => {
  await edge.tick();
  assert.equal((await edge.readMonitor("m02")).state, "down", "its target still refuses connections");
  assert.ok((await edge.readStatus()).edge.ticks > 0);
});
