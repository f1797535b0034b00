// A hub that hangs: readers get the last known answer with its age, other hubs are ticked, and the requests that waited do no
// harm when the hub goes on.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Target } from "../support/target.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";
import { waitUntil } from "../support/wait.mjs";

/** @type {Target} */ let target;
let probes = 0;

before(async () => {
  target = await Target.start((_, response) => {
    probes += 1;
    response.end("ok");
  });
});

after(() => target?.stop());

/** Starts an edge with so many monitors and runs one tick. @param {import("node:test").TestContext} t @param {number} count */
async function startTickedEdge(t, count) {
  const edge = await Edge.start([], { faultInjection: true, vars: { ADMIN_TOKEN, CACHE_TTL: "1s" } });
  t.after(() => edge.stop());
  const monitors = Array.from({ length: count }, (_, i) => defineMonitor(`m${i}`, target.url, { kind: "http" }));
  assert.equal((await edge.applyMonitors(monitors)).status, 200);
  await edge.tick();
  return edge;
}

/** Reads the status and the age of a path. @param {Edge} edge @param {string} path */
async function readAge(edge, path) {
  const response = await edge.request(path);
  await response.arrayBuffer();
  return { status: response.status, age: Number(response.headers.get("age")) };
}

test("readers get the last answer with its age while the hub hangs, and a fresh one afterwards", async (t) => {
  const edge = await startTickedEdge(t, 1);
  const paths = ["/", "/api/v1/status", "/monitors/m0"];
  for (const path of paths) assert.equal((await readAge(edge, path)).status, 200, path);
  await edge.injectFault("hang-hub-0");
  const statuses = paths.map((path) =>
    waitUntil(`an old answer at ${path}`, async () => {
      const { status, age } = await readAge(edge, path);
      return status !== 200 || age >= 2 ? status : undefined;
    }),
  );
  assert.deepEqual(await Promise.all(statuses), [200, 200, 200]);
  const neverRead = await edge.request("/api/v1/incidents");
  assert.equal(neverRead.status, 503, "an answer that nobody has read before is not invented");
  await edge.clearFault();
  await waitUntil("a fresh answer", async () => (await readAge(edge, "/api/v1/status")).age === 0);
});

test("other hubs are ticked while one hangs, and the ticks that waited are stored once", async (t) => {
  const edge = await startTickedEdge(t, 60);
  const readStates = async () => {
    const { monitors, notices } = await edge.readStatus();
    const state = (/** @type {string} */ id) => monitors.find((/** @type {any} */ it) => it.id === id).state;
    return { first: state("m0"), other: state("m59"), notices };
  };
  const probesBefore = probes;
  await edge.injectFault("hang-hub-1");
  const waitingTicks = [0, 1].map((minute) => edge.runScheduled("edge", edge.now + minute * 60_000));
  edge.now += 120_000;
  await waitUntil("the probes of the first hub", () => probes >= probesBefore + 40);
  const { first, other, notices } = await readStates();
  assert.deepEqual([first, other], ["up", "unobserved"]);
  assert.match(notices.join(), /does not respond/);
  await edge.clearFault();
  await Promise.all(waitingTicks);
  await edge.tick();
  const later = await waitUntil("an answer without notices", async () => {
    const states = await readStates();
    return states.notices.length === 0 ? states : undefined;
  });
  assert.deepEqual(later, { first: "up", other: "up", notices: [] });
  assert.equal((await edge.readJson("/api/v1/monitors/m59/uptime")).percent, 100);
});
