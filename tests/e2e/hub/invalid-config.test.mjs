// A bad entry is told with its position and reason, and the others run.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Edge, monitor } from "../support/edge.mjs";
import { healthBody, Target } from "../support/target.mjs";

const TOKEN = "0123456789abcdef0123456789abcdef";

test("one bad entry of three", async (t) => {
  const target = await Target.start((_, response) => response.end(healthBody()));
  t.after(() => target.stop());
  const monitors = [
    monitor("first", target.url),
    monitor("second", target.url, { interval: "1 fortnight" }),
    monitor("third", target.url),
  ];
  const edge = await Edge.start(monitors, { vars: { ADMIN_TOKEN: TOKEN } });
  t.after(() => edge.stop());
  await edge.tick();
  const { monitors: seen, problems } = await edge.status();
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
  const { monitors } = await edge.status();
  assert.deepEqual(monitors, []);
  assert.equal((await fetch(edge.url)).status, 200);
});

test("history outlives the worker", async (t) => {
  const { mkdtemp, rm } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const state = await mkdtemp(`${tmpdir()}/heapbeat-`);
  t.after(() => rm(state, { recursive: true, force: true }));
  const target = await Target.start((_, response) => response.end(healthBody({ rss: 77 })));
  t.after(() => target.stop());

  const first = await Edge.start([monitor("api", target.url)], { state });
  const before = await first.tickAndLook("api");
  await first.stop();

  const second = await Edge.start([monitor("api", target.url)], { state });
  t.after(() => second.stop());
  const after = await second.monitor("api");
  assert.equal(after.memory.rss, 77);
  assert.equal(after.since, before.since);
});
