// What the owner can do by the API: announce work, and act on an incident.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AlertServices, defineChannels } from "../support/alert-services.mjs";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Target } from "../support/target.mjs";

const TOKEN = "0123456789abcdef0123";

/** @type {AlertServices} */ let services;
/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
let fine = true;

before(async () => {
  services = await AlertServices.start();
  target = await Target.start((_, response) => response.writeHead(fine ? 200 : 503).end());
  edge = await Edge.start(
    [defineMonitor("api", target.url, { kind: "http" }), defineMonitor("db", target.url, { kind: "http" })],
    {
      vars: { ...defineChannels(services.url), ADMIN_TOKEN: TOKEN },
    },
  );
  await edge.tick();
});

after(async () => {
  await edge?.stop();
  await target?.stop();
  await services?.stop();
});

/** @param {string} method @param {string} path @param {unknown} [body] @param {string} [token] */
async function ask(method, path, body, token = TOKEN) {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`${edge.url}/api/v1${path}`, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return { status: answer.status, body: /** @type {any} */ (await answer.json()) };
}

test("announced work is shown, and what a probe finds meanwhile is nobody's outage", async () => {
  const at = (/** @type {number} */ minutes) => `${new Date(edge.now + minutes * 60_000).toISOString().slice(0, 16)}Z`;
  const work = { id: "move", title: "We <move>", from: at(2), to: at(5), monitors: ["api"] };
  assert.equal((await ask("PUT", "/admin/maintenance", { maintenance: [work] }, "wrong-token-0123456789")).status, 401);
  const wrong = await ask("PUT", "/admin/maintenance", { maintenance: [{ ...work, monitors: ["web"], too: 1 }] });
  assert.equal(wrong.status, 422);
  assert.equal(wrong.body.problems[0].position, "maintenance[0].too");
  assert.equal((await ask("PUT", "/admin/maintenance", { maintenance: [work] })).body.applied, true);
  assert.deepEqual((await ask("GET", "/admin/maintenance")).body, { maintenance: [work] });
  const { maintenance } = await edge.readStatus();
  assert.deepEqual([maintenance[0].title, maintenance[0].monitors], ["We <move>", ["api"]]);
  const states = [];
  const taken = services.accepted.hook.length;
  for (let minute = 0; minute < 6; minute += 1) {
    fine = !(minute === 3 || minute === 4);
    states.push((await edge.tickAndReadMonitor("api")).state);
  }
  assert.deepEqual(states, ["up", "up", "maintenance", "maintenance", "maintenance", "up"]);
  const told = services.accepted.hook.slice(taken).map((message) => message.monitor);
  assert.deepEqual([...new Set(told)], ["db"], "the other one is told of");
  assert.deepEqual((await edge.readStatus()).maintenance, []);
});

test("a note, a hand on it, and the end by hand", async () => {
  edge.now += 30 * 60_000;
  fine = true;
  await edge.tick();
  fine = false;
  await edge.tick();
  const { incidents } = await (await fetch(`${edge.url}/api/v1/incidents`)).json();
  const { id } = incidents.find((/** @type {any} */ it) => it.monitor === "api" && it.closed === null);
  assert.equal((await ask("POST", `/admin/incidents/${id}`, { note: "x" }, "wrong-token-0123456789")).status, 401);
  assert.equal((await ask("POST", "/admin/incidents/api-1", { note: "x" })).status, 404);
  assert.equal((await ask("POST", `/admin/incidents/${id}`, { shut: true })).status, 400);
  const noted = await ask("POST", `/admin/incidents/${id}`, { note: "it is <the disk>", acknowledge: true });
  assert.equal(noted.status, 200);
  assert.equal(noted.body.acknowledged, true);
  for (let minute = 0; minute < 4; minute += 1) await edge.tick(); // a tick sends five
  const taken = services.accepted.pagerduty.length;
  assert.notEqual((await ask("POST", `/admin/incidents/${id}`, { resolve: true })).body.closed, null);
  assert.equal((await ask("POST", `/admin/incidents/${id}`, { resolve: true })).status, 409);
  for (let minute = 0; minute < 4; minute += 1) await edge.tick(); // it goes on, and nobody wants to hear of it
  const after = services.accepted.pagerduty
    .slice(taken)
    .filter((/** @type {any} */ it) => it.dedup_key.startsWith("api"));
  assert.deepEqual(
    after.map((/** @type {any} */ message) => message.event_action),
    ["resolve"],
  );
  const seen = await (await fetch(`${edge.url}/api/v1/incidents/${id}`)).json();
  assert.deepEqual(seen.recording, []);
  const what = seen.timeline.map((/** @type {any} */ moment) => moment.what);
  assert.ok(what.includes("note: it is <the disk>") && what.includes("somebody resolved it by hand"), what);
  assert.equal((await fetch(`${edge.url}/api/v1/incidents/web-1767225600`)).status, 404);
});

test("versions and figures of a monitor that tells nothing of either", async () => {
  const versions = await (await fetch(`${edge.url}/api/v1/monitors/api/versions`)).json();
  assert.deepEqual([versions.versions, versions.compared], [[], null]);
  const uptime = await (await fetch(`${edge.url}/api/v1/monitors/api/uptime?window=1h`)).json();
  assert.equal(uptime.crashes, 0);
});
