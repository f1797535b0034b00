// A bad entry is told with its position and reason, and the others run.

import assert from "node:assert/strict";
import { test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { renderHealth, Target } from "../support/target.mjs";

const TOKEN = "0123456789abcdef0123456789abcdef";

test("one bad entry of three", async (t) => {
  const target = await Target.start((_, response) => response.end(renderHealth()));
  t.after(() => target.stop());
  const monitors = [
    defineMonitor("first", target.url),
    defineMonitor("second", target.url, { interval: "1 fortnight" }),
    defineMonitor("third", target.url),
  ];
  const edge = await Edge.start(monitors, { vars: { ADMIN_TOKEN: TOKEN } });
  t.after(() => edge.stop());
  await edge.tick();
  const { monitors: seen, problems } = await edge.readStatus();
  const states = seen.map((/** @type {any} */ m) => [m.id, m.state]);
  assert.deepEqual(states, [
    ["first", "up"],
    ["third", "up"],
  ]);
  assert.equal(problems.length, 1);
  assert.equal(problems[0].position, "MONITORS[1].interval");
  assert.doesNotMatch(problems[0].reason, /fortnight/, "what stands there is the owner's");
  const admin = { headers: { authorization: `Bearer ${TOKEN}` } };
  const owners = /** @type {any} */ (await (await fetch(`${edge.url}/api/v1/admin/status`, admin)).json());
  assert.match(owners.problems[0].reason, /1 fortnight/);
});

test("no monitors at all is said, not an error", async (t) => {
  const edge = await Edge.start([]);
  t.after(() => edge.stop());
  await edge.tick();
  const { monitors } = await edge.readStatus();
  assert.deepEqual(monitors, []);
  assert.equal((await fetch(edge.url)).status, 200);
});

test("history outlives the worker", async (t) => {
  const { mkdtemp, rm } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const state = await mkdtemp(`${tmpdir()}/heapbeat-`);
  t.after(() => rm(state, { recursive: true, force: true }));
  const target = await Target.start((_, response) => response.end(renderHealth({ rss: 77 })));
  t.after(() => target.stop());

  const first = await Edge.start([defineMonitor("api", target.url)], { stateDir: state });
  const before = await first.tickAndReadMonitor("api");
  await first.stop();

  const second = await Edge.start([defineMonitor("api", target.url)], { stateDir: state });
  t.after(() => second.stop());
  const after = await second.readMonitor("api");
  assert.equal(after.memory.rss, 77);
  assert.equal(after.since, before.since);
});
