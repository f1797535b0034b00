// A monitor that is asked from elsewhere as well: what the eyes say, what they outvote, and what they do not.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { renderHealth, Target } from "../support/target.mjs";

const TOKEN = "0123456789abcdef0123";
const OWNER = { authorization: `Bearer ${TOKEN}` };

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
/** How many of the next requests fail: whose they are is all the same, there is one place that they come from here. */
let failing = 0;
let asked = 0;
/** The requests that had a header which the monitor sends. */
let withHeader = 0;

before(async () => {
  target = await Target.start((request, response) => {
    asked += 1;
    withHeader += request.headers["x-key"] === "the key" ? 1 : 0;
    failing -= 1;
    response.statusCode = failing >= 0 ? 503 : 200;
    response.end(renderHealth());
  });
  const regions = ["weur", "oc"];
  edge = await Edge.start([defineMonitor("fixed", `${target.url}/health`, { regions })], {
    vars: { ADMIN_TOKEN: TOKEN, KEY: "the key" },
    faultInjection: true,
  });
});

after(async () => {
  await edge?.stop();
  await target?.stop();
});

/** A tick in which so many of the three requests fail. @param {number} failures */
async function tick(failures) {
  failing = failures;
  asked = 0;
  return edge.tickAndReadMonitor("fixed");
}

const states = (/** @type {any} */ it) => it.regions.map((/** @type {any} */ region) => region.state);

test("every region is asked with every probe, and what it found is told", async () => {
  const it = await tick(0);
  assert.equal(asked, 3);
  assert.equal(it.state, "up");
  assert.deepEqual(
    it.regions.map((/** @type {any} */ { region, state, reason }) => [region, state, reason]),
    [
      ["weur", "up", null],
      ["oc", "up", null],
    ],
  );
  assert.ok(it.regions.every((/** @type {any} */ { latency_ms }) => latency_ms >= 0));
});

test("one of three that fails is trouble for some, and two are an outage", async () => {
  const one = await tick(1);
  assert.equal(one.state, "degraded");
  assert.equal(one.reason, "the answer had status 503");
  const two = await tick(2);
  assert.equal(two.state, "down");
  // Whoever of the three was let through, the other two or one of them are shown as down.
  assert.ok(states(two).includes("down"));
  assert.equal((await tick(3)).state, "down");
  assert.deepEqual(states(await tick(3)), ["down", "down"]);
  assert.equal((await tick(0)).state, "up");
});

test("an eye that does not answer has no voice", async () => {
  await edge.injectFault("eye-oc");
  const it = await tick(0);
  assert.equal(asked, 2);
  assert.equal(it.state, "up");
  assert.deepEqual(states(it), ["up", "unobserved"]);
  assert.equal((await tick(2)).state, "down");
  await edge.clearFault();
  assert.deepEqual(states(await tick(0)), ["up", "up"]);
});

test("the page says what each region sees, in the reader's language", async () => {
  await tick(3);
  const page = await (await fetch(`${edge.url}/monitors/fixed?lang=de`)).text();
  assert.match(page, /Von anderswo gesehen/);
  assert.match(page, /Westeuropa/);
  assert.match(page, /Ozeanien/);
  await tick(0);
});

test("an applied monitor is asked from there as it is configured, secrets of its headers included", async () => {
  const applied = {
    ...defineMonitor("applied", `${target.url}/other`, { regions: ["weur", "enam"] }),
    kind: "http",
    headers: { "x-key": { secret: "KEY" } },
    conditions: ["[STATUS] == 200", "[BODY].status == healthy"],
  };
  const answer = await fetch(`${edge.url}/api/v1/admin/monitors`, {
    method: "PUT",
    headers: OWNER,
    body: JSON.stringify({ monitors: [applied] }),
  });
  assert.equal(answer.status, 200, await answer.clone().text());
  withHeader = 0;
  failing = 0;
  asked = 0;
  const it = await edge.tickAndReadMonitor("applied");
  assert.equal(it.state, "up", it.reason);
  assert.equal(withHeader, 3);
  assert.equal(asked, 6);
  assert.deepEqual(
    it.regions.map((/** @type {any} */ { region, state }) => [region, state]),
    [
      ["weur", "up"],
      ["enam", "up"],
    ],
  );
});

test("a region that there is not is refused with those that there are", async () => {
  const answer = await fetch(`${edge.url}/api/v1/admin/monitors`, {
    method: "PUT",
    headers: OWNER,
    body: JSON.stringify({ monitors: [defineMonitor("bad", `${target.url}/`, { regions: ["europe"] })] }),
  });
  assert.equal(answer.status, 422);
  const { problems } = await answer.json();
  assert.match(problems[0].reason, /`europe` is no region; there are wnam, enam/);
});
