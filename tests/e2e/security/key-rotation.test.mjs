// Secrets that are changed while forty servers are probed and jobs report: no probe and no report is refused, and nobody is alerted.

import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { renderHealth, Target } from "../support/target.mjs";
import { createTempDir } from "../support/temp-dir.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";

const [OLD, NEW] = [1, 2].map(() => randomBytes(16).toString("hex"));

/** A server that accepts the signatures of these secrets, as `HEAPBEAT_SECRET` and `HEAPBEAT_SECRET_PREVIOUS`. */
class RotatingServer {
  constructor() {
    /** @type {string[]} */ this.secrets = [OLD];
    this.accepted = 0;
    this.refused = 0;
  }

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  respond(request, response) {
    const header = String(request.headers["heapbeat-signature"] ?? "");
    const [, time, nonce, origin, signature] = /^v2 t=(\d+) n=(\w+) o=(\S+) s=(\w+)$/.exec(header) ?? [];
    const text = `heapbeat request v2\n${request.method}\n${origin}\n${request.url}\n${time}\n${nonce}`;
    const isValid = (/** @type {string} */ key) => createHmac("sha256", key).update(text).digest("hex") === signature;
    const key = this.secrets.find(isValid);
    if (key) this.accepted += 1;
    else this.refused += 1;
    // The answer is not signed, which is a failure of its own kind: what counts here is whether the request was accepted.
    response.writeHead(key ? 200 : 401, { "content-type": "application/json" }).end(renderHealth());
  }
}

test("the signing secret is changed without a refused probe", async (t) => {
  const server = new RotatingServer();
  const target = await Target.start((request, response) => server.respond(request, response));
  t.after(() => target.stop());
  const stateDir = await createTempDir(t);
  const monitors = Array.from({ length: 40 }, (_, n) =>
    defineMonitor(`m${n}`, `${target.url}/health`, { secret: "HEAPBEAT_SECRET", name: `M${n}` }),
  );
  let now = Date.UTC(2026, 0, 1);
  /** Runs the Worker with a secret for some ticks. @param {string} secret @param {number} ticks */
  const run = async (secret, ticks) => {
    const edge = await Edge.start([], { stateDir, vars: { ADMIN_TOKEN, HEAPBEAT_SECRET: secret } });
    edge.now = now;
    if (ticks === 2) assert.equal((await edge.applyMonitors(monitors)).status, 200);
    await edge.tickTimes(ticks);
    now = edge.now;
    await edge.stop();
  };
  await run(OLD, 2);
  server.secrets = [NEW, OLD];
  await run(OLD, 3);
  await run(NEW, 3);
  server.secrets = [NEW];
  await run(NEW, 3);
  assert.ok(server.accepted >= 40 * 11, `${server.accepted} requests`);
  assert.equal(server.refused, 0);
  await run(OLD, 1);
  assert.ok(server.refused >= 40, "the old secret is worth nothing afterwards");
});

test("the tokens of jobs and of the owner are changed without a refused request", async (t) => {
  const stateDir = await createTempDir(t);
  const [oldJob, newJob] = ["old-token-of-jobs-1", "new-token-of-jobs-2"];
  const phases = [
    { secret: oldJob, accepted: [oldJob], refused: [newJob, `${oldJob},${newJob}`] },
    {
      secret: `${oldJob},${newJob}`,
      accepted: [oldJob, newJob],
      refused: [`${oldJob},${newJob}`, oldJob.slice(0, -1)],
    },
    { secret: newJob, accepted: [newJob], refused: [oldJob] },
  ];
  for (const { secret, accepted, refused } of phases) {
    const vars = { ADMIN_TOKEN: secret.replaceAll("jobs", "owners"), HEARTBEAT_TOKEN: secret };
    const edge = await Edge.start([{ id: "job", kind: "heartbeat", interval: "1h" }], { stateDir, vars });
    try {
      await edge.tick();
      const send = async (/** @type {string} */ method, /** @type {string} */ path, /** @type {string} */ token) =>
        (await edge.request(`/api/v1${path}`, { method, headers: { authorization: `Bearer ${token}` } })).status;
      for (const token of accepted) {
        assert.equal(await send("POST", "/heartbeats/job", token), 204, `${secret}: ${token}`);
        assert.equal(await send("GET", "/admin/status", token.replace("jobs", "owners")), 200);
      }
      for (const token of refused) {
        assert.equal(await send("POST", "/heartbeats/job", token), 401, `${secret}: ${token}`);
        assert.equal(await send("GET", "/admin/status", token.replaceAll("jobs", "owners")), 401);
      }
    } finally {
      await edge.stop();
    }
  }
});
