// A hub whose database is full: it deletes the samples by the second of the server that has most of them, says so, and loses no tick.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Edge } from "../support/edge.mjs";
import { seedHistory } from "../support/seed-history.mjs";
import { Target } from "../support/target.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";

const HOUR = 3_600_000;

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;

before(async () => {
  target = await Target.start((_, response) => response.end("{}"));
  edge = await Edge.start([], { faultInjection: true, vars: { ADMIN_TOKEN } });
  await seedHistory(edge, { monitors: 10, days: 9, memory: 2, url: target.url });
  await edge.tick();
});

after(async () => {
  await edge?.stop();
  await target?.stop();
});

/** Reads the memory of a monitor thirty hours ago. @param {string} id */
async function readOldMemory(id) {
  const [from, to] = [edge.now - 33 * HOUR, edge.now - 30 * HOUR];
  return edge.readJson(`/api/v1/monitors/${id}/memory?from=${from}&to=${to}`);
}

/** The problems of the store that the owner sees. @returns {Promise<string[]>} */
async function readStoreProblems() {
  const { problems } = /** @type {any} */ (await (await edge.requestAsAdmin("GET", "/admin/status")).json());
  const ofStore = problems.filter((/** @type {any} */ it) => it.position === "store");
  return ofStore.map((/** @type {any} */ it) => it.reason);
}

test("a full store makes room by the samples of one server, and no tick is lost", async () => {
  const servers = ["m00", "m03"];
  for (const id of servers) assert.ok((await readOldMemory(id)).samples.length > 1000, id);
  const incidents = await edge.readIncidents();
  const tick = new Date(edge.now).toISOString().replace(".000", "");
  await edge.injectFault("full");
  await edge.tick();
  assert.equal((await edge.readStatus()).updated, tick, "the tick is stored at once");
  const problems = await readStoreProblems();
  assert.equal(problems.length, 1, JSON.stringify(problems));
  const trimmed = servers.filter((id) => problems[0].includes(id));
  assert.equal(trimmed.length, 1);
  const [left] = servers.filter((id) => id !== trimmed[0]);
  assert.equal((await readOldMemory(trimmed[0])).samples.length, 0);
  assert.ok((await readOldMemory(left)).samples.length > 1000, "the other server keeps all of it");
  const peaks = await edge.readJson(
    `/api/v1/monitors/${trimmed[0]}/memory?from=${edge.now - 6 * 24 * HOUR}&to=${edge.now}`,
  );
  assert.ok(peaks.samples.length > 1000, "the peaks by the minute stay");
  assert.equal((await edge.readIncidents()).length, incidents.length);
  await edge.tickTimes(2);
  assert.equal((await readStoreProblems()).length, 1, "once there is room, nothing else is deleted");

  await edge.clearFault();
  await edge.tick();
  await edge.injectFault("full");
  await edge.tick();
  assert.equal((await readStoreProblems()).length, 2, "when it is full again, the next one follows");
});
