// Whatever is asked, the API answers as its document says: thousands of questions at random, made of the document, to an edge with a
// past. The same ones each time, so that a run says the same twice; `SEED=$RANDOM node --test tests/e2e/api/fuzz.test.mjs` asks others.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Edge } from "../support/edge.mjs";
import { ApiDescription, sendRequest } from "../support/openapi.mjs";
import { Random } from "../support/random.mjs";
import { seedHistory } from "../support/seed-history.mjs";

const SEED = Number(process.env.SEED ?? 743_722_183);

/** Questions about each operation, and how many are asked at once. */
const EACH = 250;
const AT_ONCE = 8;

const OWNER = "Bearer 0123456789abcdef0123";
const JOB = "Bearer job-0123456789abcdef";

const described = new ApiDescription();
/** @type {Edge} */ let edge;
/** @type {Record<string, string[]>} */ let ids = {};

before(async () => {
  const vars = { ADMIN_TOKEN: OWNER.slice(7), HEARTBEAT_TOKEN: JOB.slice(7), ANSWERS_KEPT: "5s" };
  edge = await Edge.start([{ id: "job", kind: "heartbeat", interval: "1h" }], { vars });
  await seedHistory(edge, { monitors: 6, days: 30, memory: 2 });
  const { incidents } = await (await fetch(`${edge.url}/api/v1/incidents?limit=20`)).json();
  ids = { monitors: ["m00", "m01", "m02", "job"], incidents: incidents.map((/** @type {any} */ it) => it.id) };
});

after(() => edge?.stop());

/** What changes whom the edge watches, or puts back what it was, comes last: the others would find nobody. */
const order = ["applyMonitors", "importHistory"];
const operations = described.operations.toSorted((a, b) => order.indexOf(a.id) - order.indexOf(b.id));

for (const operation of operations) {
  const { path, method, secured } = operation;
  test(`${method} ${path}`, async () => {
    const random = new Random(SEED + operations.indexOf(operation));
    const job = path.includes("/heartbeats/");
    const known = path.includes("/incidents/") ? ids.incidents : job ? ["job"] : ids.monitors;
    // Half of what not everybody may do is asked by whom it is for.
    const tokens = [
      ...Array(secured ? 8 : 1).fill(job ? JOB : OWNER),
      JOB,
      "Bearer",
      "Bearer x",
      `Basic ${"A".repeat(300)}`,
      "\u00e9",
    ];
    const questions = Array.from({ length: EACH }, () => random.question(operation, known, tokens));
    let good = 0;
    for (let first = 0; first < EACH; first += AT_ONCE) {
      const some = questions.slice(first, first + AT_ONCE);
      const answers = await Promise.all(some.map((question) => sendRequest(edge.url, question)));
      for (const [index, answer] of answers.entries()) {
        const question = some[index];
        const wrong =
          answer.status >= 500
            ? `${answer.status}: ${answer.body}`
            : described.findDeviation(path, question.method, answer);
        assert.equal(wrong, "", `SEED=${SEED}: ${JSON.stringify(question).slice(0, 2000)}`);
        // Refused for what it says, or for what holds: it was understood.
        good += answer.status < 300 || answer.status === 409 || answer.status === 422 ? 1 : 0;
      }
    }
    // To be told by a webhook is off here: no address is sent anything at random.
    const off = !secured && method !== "GET";
    // The hardest to hit by chance is the import, with one in twenty: that none of them all is would take a hundred thousand runs.
    assert.ok(off || good > 0, `SEED=${SEED}: none of ${EACH} was understood`);
  });
}
