// The load generator of the benchmarks counts what a client sees: also the requests that were due while a server did not answer.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startLoad } from "../support/load.mjs";
import { findFreePort, Target } from "../support/target.mjs";
import { waitUntil } from "../support/wait.mjs";

test("a pause of the server is in the waits of all requests that were due meanwhile", async (t) => {
  /** @type {(() => void)[] | undefined} */
  let held = [];
  const target = await Target.start((_, response) => {
    if (held) held.push(() => response.end());
    else response.end();
  });
  t.after(() => target.stop());
  const load = startLoad({ port: Number(new URL(target.url).port), rate: 100 });
  await waitUntil("a second of requests", () => load.counts.sent >= 100);
  const answers = held;
  held = undefined;
  for (const answer of answers) answer();
  await waitUntil("as many again", () => load.counts.sent >= 200);
  const result = await load.stop();
  assert.equal(result.answered, result.sent);
  assert.ok(result.longestMs >= 900, `the first request waited ${result.longestMs} ms`);
  // The requests of the pause are about half of all, and their waits are spread over it.
  assert.ok(result.p99Ms >= 500, `p99 is ${result.p99Ms} ms`);
});

/** @typedef {import("node:http").ServerResponse} Response */

const PROBLEM = { "content-type": "application/problem+json" };

test("responses are counted by what they mean", async (t) => {
  /** @type {((response: Response) => unknown)[]} */
  const answers = [
    (response) => response.end("ok"),
    (response) => response.writeHead(503, { "retry-after": "5" }).end(),
    (response) => response.writeHead(503).end(),
    (response) => response.writeHead(502).end(),
    (response) => response.writeHead(502, PROBLEM).end('{"detail":"the program ended"}'),
    (response) => response.destroy(),
    (response) => {
      response.writeHead(200, { "content-length": "10" });
      response.write("half");
      setTimeout(() => response.destroy(), 20);
    },
    () => {},
  ];
  const target = await Target.start((request, response) => answers[Number(request.url?.slice(1))]?.(response));
  t.after(() => target.stop());
  const load = startLoad({
    port: Number(new URL(target.url).port),
    rate: 50,
    timeoutMs: 10_000,
    requests: (n) => ({ path: `/${n % answers.length}`, keepAlive: false }),
  });
  await waitUntil("the requests", () => load.counts.sent >= 80);
  const { sent, answered, shed, failed, failures } = await load.stop();
  assert.equal(answered + shed + failed, sent);
  const names = ["incomplete", "reset", "status 502", "status 502: the program ended", "status 503", "timeout"];
  assert.deepEqual(Object.keys(failures).sort(), names);
  for (const count of [answered, shed, ...Object.values(failures)]) assert.ok(count >= 10 && count <= sent / 8 + 1);
});

test("a port on which nobody listens refuses", async () => {
  const port = await findFreePort();
  const load = startLoad({ port, rate: 50 });
  await waitUntil("the requests", () => load.counts.failed >= 10);
  const { sent, failures } = await load.stop();
  assert.deepEqual(failures, { refused: sent });
});
