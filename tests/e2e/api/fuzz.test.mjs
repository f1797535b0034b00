// Whatever a client sends, the API answers as its description says. The requests are properties of fast-check, built from the
// description and sent to an edge with a history. The seed is fixed, so every run sends the same requests; choose another one
// with `SEED=$RANDOM node_modules/.bin/node --test tests/e2e/api/fuzz.test.mjs`.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { Edge } from "../support/edge.mjs";
import { ApiDescription, sendRequest } from "../support/openapi.mjs";
import { arbitraryRequest } from "../support/request-arbitraries.mjs";
import { seedHistory } from "../support/seed-history.mjs";
import { ADMIN_HEADERS, ADMIN_TOKEN, HEARTBEAT_HEADERS, HEARTBEAT_TOKEN } from "../support/tokens.mjs";

const SEED = Number(process.env.SEED ?? 743_722_183);

/** The runs of each operation, and the requests that one run sends at the same time. */
const RUNS = 32;
const REQUESTS = 8;

const OTHER_TOKENS = [HEARTBEAT_HEADERS.authorization, "Bearer", "Bearer x", `Basic ${"A".repeat(300)}`, "\u00e9"];

const description = new ApiDescription();
/** @type {Edge} */ let edge;
/** @type {Record<string, string[]>} */ let ids = {};

before(async () => {
  edge = await Edge.start([{ id: "job", kind: "heartbeat", interval: "1h" }], {
    vars: { ADMIN_TOKEN, HEARTBEAT_TOKEN, CACHE_TTL: "5s" },
  });
  await seedHistory(edge, { monitors: 6, days: 30, memory: 2 });
  const incidents = await edge.readIncidents();
  ids = {
    heartbeats: ["job"],
    incidents: incidents.slice(0, 20).map((/** @type {any} */ it) => it.id),
    monitors: ["m00", "m01", "m02", "job"],
  };
});

after(() => edge?.stop());

/** Finds how a response breaks the description. @param {string} path @param {string} method @param {import("../support/openapi.mjs").ApiResponse} response */
const findDeviation = (path, method, response) =>
  response.status >= 500 ? `${response.status}: ${response.body}` : description.findDeviation(path, method, response);

/** A request that was understood: answered, or refused for its content or for the present state. @param {number} status */
const isUnderstood = (status) => status < 300 || status === 409 || status === 422;

/** These change the monitors or the stored history, so they come after all others. */
const LAST = ["applyMonitors", "importHistory"];
const operations = description.operations.toSorted((a, b) => LAST.indexOf(a.id) - LAST.indexOf(b.id));

for (const operation of operations) {
  const { path, method, secured } = operation;
  test(`${method} ${path} answers arbitrary requests as described`, async () => {
    const [, collection = "monitors"] = /\/(heartbeats|incidents)\//.exec(path) ?? [];
    const right = collection === "heartbeats" ? HEARTBEAT_HEADERS : ADMIN_HEADERS;
    // Most requests to a protected operation have the right token, so that half of them get past it.
    const tokens = [...Array(secured ? 8 : 1).fill(right.authorization), ...OTHER_TOKENS];
    const requests = fc.array(arbitraryRequest(operation, ids[collection], tokens), {
      minLength: REQUESTS,
      maxLength: REQUESTS,
    });
    let understood = 0;
    const property = fc.asyncProperty(requests, async (requests) => {
      const responses = await Promise.all(requests.map((request) => sendRequest(edge.url, request)));
      for (const [index, response] of responses.entries()) {
        const request = requests[index];
        assert.equal(findDeviation(path, request.method, response), "", JSON.stringify(request).slice(0, 2000));
        if (isUnderstood(response.status)) understood += 1;
      }
    });
    await fc.assert(property, { seed: SEED, numRuns: RUNS });
    // Webhook subscriptions are off here, so that nothing is sent to an arbitrary address.
    const isOff = !secured && method !== "GET";
    assert.ok(isOff || understood > 0, `none of ${RUNS * REQUESTS} requests was understood (SEED=${SEED})`);
  });
}
