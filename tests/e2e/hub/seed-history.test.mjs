// The past that other tests begin with is a past as the hub itself would have it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Edge } from "../support/edge.mjs";
import { seedHistory } from "../support/seed-history.mjs";

/** @type {Edge} */ let edge;

before(async () => {
  edge = await Edge.start([]);
  await seedHistory(edge, { monitors: 12, days: 90, memory: 2 });
});

after(() => edge?.stop());

/** @param {string} path @returns {Promise<any>} */
const told = async (path) => {
  const answer = await fetch(`${edge.url}/api/v1/${path}`);
  assert.equal(answer.status, 200, path);
  return answer.json();
};

test("ninety days of a dozen monitors, as they are now", async () => {
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
  const [first, , down, , , , young] = monitors;
  assert.equal(down.reason, "the connection was refused");
  assert.deepEqual([first.last_ending.kind, first.memory.pressure, first.memory.limit], ["oom_kill", "calm", 512]);
  assert.match(young.days, /^\.{60,}[^.]+$/, "the youngest is three weeks old");
  for (const it of monitors) {
    assert.equal(it.days.length, 90);
    assert.ok(it.latencies.filter((/** @type {number | null} */ ms) => ms !== null).length > 46, it.id);
    assert.ok(it.uptime["24h"].coverage > 99 && it.uptime["24h"].coverage < 99.7, "six minutes were missed");
    if (it !== young) assert.ok(it.uptime["90d"].percent > 95 && it.uptime["90d"].coverage > 99, it.id);
  }
  const letters = monitors.map((/** @type {any} */ it) => it.days).join("");
  for (const letter of "u~dwm.") assert.ok(letters.includes(letter), letter);
});

test("memory in all resolutions, and a death with its recording", async () => {
  const ago = (/** @type {number} */ days) => `from=${edge.now - days * 86_400_000}&to=${edge.now}`;
  const hours = await told(`monitors/m00/memory?${ago(89)}`);
  assert.deepEqual([hours.resolution, hours.samples.length > 2000], ["1h", true]);
  const minutes = await told(`monitors/m00/memory?${ago(7)}`);
  assert.deepEqual([minutes.resolution, minutes.samples.length > 7 * 1430], ["1m", true]);
  const seconds = await told(`monitors/m00/memory?from=${edge.now - 9 * 3_600_000}&to=${edge.now - 6.5 * 3_600_000}`);
  assert.deepEqual([seconds.resolution, seconds.gaps.length, seconds.instances.length], ["1s", 0, 2]);
  assert.ok(seconds.samples.length > 2.5 * 3600 - 30, "all but the twenty seconds in which it was dead");
  const times = hours.samples.map((/** @type {number[]} */ [at]) => at);
  assert.deepEqual(times, [...new Set(times)].sort(), "oldest first, and none twice");

  const { incidents } = await told("incidents");
  const open = incidents.filter((/** @type {any} */ it) => it.closed === null);
  assert.deepEqual(open.map((/** @type {any} */ it) => it.monitor).sort(), ["m02", "m05"]);
  const death = incidents.find((/** @type {any} */ it) => it.monitor === "m00");
  assert.equal(death.cause, "it ran out of memory");
  const { recording } = await told(`incidents/${death.id}`);
  assert.ok(recording.length > 0 && recording.every((/** @type {any} */ run) => run.samples.length > 0));
});

test("ticks of the last day, hours before it", async () => {
  const ticks = await told("monitors/m01/latency");
  assert.equal(ticks.resolution, "tick");
  assert.deepEqual([ticks.samples.length, ticks.gaps.length], [1440 - 6, 1]);
  const hours = await told(`monitors/m01/latency?from=${edge.now - 30 * 86_400_000}&to=${edge.now}`);
  assert.deepEqual([hours.resolution, hours.samples.length], ["1h", 720]);
});

test("and the hub goes on from there", async () => {
  await edge.tick();
  assert.equal((await edge.readMonitor("m02")).state, "down", "its target is refused as it was");
  const { ticks } = (await edge.readStatus()).edge;
  assert.ok(ticks > 0);
});
