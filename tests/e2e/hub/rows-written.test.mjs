// The rows that a tick writes, of which a day has 100,000.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Target } from "../support/target.mjs";

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
let answer = { status: 200, body: "well" };

before(async () => {
  target = await Target.start((_, response) => response.writeHead(answer.status).end(answer.body));
  const more = { kind: "http", degraded: ["[BODY] != slow"], "failure-threshold": 1 };
  edge = await Edge.start([defineMonitor("api", target.url, more)]);
});

after(async () => {
  await edge?.stop();
  await target?.stop();
});

/** Runs a tick and returns how many rows it wrote, which the tick after it shows. @param {number} status @param {string} body */
async function countRows(status, body) {
  answer = { status, body };
  await edge.tick();
  const { rows_written: before } = (await edge.readStatus()).edge;
  await edge.tick();
  return (await edge.readStatus()).edge.rows_written - before;
}

test("an incident that changes and stays open costs one row beside the state and the tick", async () => {
  await countRows(200, "well");
  const quiet = await countRows(200, "well");
  await countRows(503, "");
  assert.equal(await countRows(503, ""), quiet, "nothing changes");
  assert.equal(await countRows(200, "slow"), quiet + 2, "the state, and the incident");
  assert.equal(await countRows(503, ""), quiet + 2, "the state, and the incident once more");
});
