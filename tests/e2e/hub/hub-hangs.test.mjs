// A hub that neither answers nor fails: readers get what was known, with its age, ticks reach the others, and what waited in it
// harms nothing once it goes on.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Target } from "../support/target.mjs";
import { waitUntil } from "../support/wait.mjs";

const TOKEN = "0123456789abcdef0123";

/** @type {Target} */ let target;
let asked = 0;

before(async () => {
  target = await Target.start((_, response) => {
    asked += 1;
    response.end("ok");
  });
});

after(() => target?.stop());

/** An edge that can be told to hang. @param {import("node:test").TestContext} t @param {number} monitors */
async function watching(t, monitors) {
  const edge = await Edge.start([], { faultInjection: true, vars: { ADMIN_TOKEN: TOKEN, ANSWERS_KEPT: "1s" } });
  t.after(() => edge.stop());
  const list = Array.from({ length: monitors }, (_, i) => defineMonitor(`m${i}`, target.url, { kind: "http" }));
  const answer = await fetch(`${edge.url}/api/v1/admin/monitors`, {
    method: "PUT",
    headers: { authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify({ monitors: list }),
  });
  assert.equal(answer.status, 200);
  await edge.tick();
  return edge;
}

/** The page, or a part of the API. @param {Edge} edge @param {string} path */
async function read(edge, path) {
  const answer = await fetch(edge.url + path);
  return { status: answer.status, age: Number(answer.headers.get("age")), body: await answer.text() };
}

test("readers get the last answer with its age, and the fresh one as soon as there is one", async (t) => {
  const edge = await watching(t, 1);
  const paths = ["/", "/api/v1/status", "/monitors/m0"];
  for (const path of paths) assert.deepEqual((await read(edge, path)).age, 0, path);
  await edge.injectFault("hang-hub-0");
  // Until what is kept is too old to be handed out unasked.
  await waitUntil("an answer that is old", async () => (await read(edge, "/api/v1/status")).age >= 2);
  for (const path of paths) {
    const { status, age } = await read(edge, path);
    assert.deepEqual([status, age >= 2], [200, true], path);
  }
  const unknown = await fetch(`${edge.url}/api/v1/incidents`);
  assert.equal(unknown.status, 503, "of what was never asked nothing is made up");
  await edge.clearFault();
  await waitUntil("a fresh answer", async () => (await read(edge, "/api/v1/status")).age === 0);
});

test("a tick reaches the others, and what waited is done once", async (t) => {
  const edge = await watching(t, 60);
  const seen = async () => {
    const { monitors, notices } = await edge.readStatus();
    const state = (/** @type {string} */ id) => monitors.find((/** @type {any} */ it) => it.id === id).state;
    return { first: state("m0"), other: state("m59"), notices };
  };
  const before = asked;
  await edge.injectFault("hang-hub-1");
  const waiting = [0, 1].map((minute) => edge.runScheduled("edge", edge.now + minute * 60_000));
  edge.now += 120_000;
  await waitUntil("the first hub's ticks", () => asked >= before + 40);
  const { first, other, notices } = await seen();
  assert.deepEqual([first, other], ["up", "unobserved"]);
  assert.match(notices.join(), /does not answer/);
  await edge.clearFault();
  await Promise.all(waiting);
  await edge.tick();
  const later = await waitUntil("an answer of both", async () => {
    const all = await seen();
    return all.notices.length === 0 && all;
  });
  assert.deepEqual(later, { first: "up", other: "up", notices: [] });
  const { percent } = await (await fetch(`${edge.url}/api/v1/monitors/m59/uptime`)).json();
  assert.equal(percent, 100);
});
