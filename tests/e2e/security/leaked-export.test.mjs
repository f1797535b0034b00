// What an export holds if it gets into the hands of a stranger: no secret of the Worker, no token and no hash of one, and nothing of
// subscribers unless the owner asked for it.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { Edge } from "../support/edge.mjs";
import { subscribe } from "../support/subscriptions.mjs";
import { Target } from "../support/target.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";
import { WebhookReceiver } from "../support/webhook-receiver.mjs";

const SECRETS = {
  ADMIN_TOKEN,
  HEARTBEAT_TOKEN: "export-heartbeat-token-17c4",
  HEARTBEAT_TOKEN_JOB: "export-token-of-a-job-5e90",
  HEAPBEAT_SECRET: "export-signing-secret-63ad",
  MONITOR_API_TOKEN: "export-header-secret-b1f7",
  VAPID_PRIVATE_KEY: "export-vapid-private-key-0c5d8a2e9b7f4136",
  OPS_URL: "https://hooks.invalid/export-channel-path-49e8",
};

/** @type {Target} */ let target;
/** @type {WebhookReceiver} */ let receiver;
/** @type {Edge} */ let edge;

before(async () => {
  target = await Target.start((_, response) => response.writeHead(503).end("down"));
  receiver = await WebhookReceiver.start();
  edge = await Edge.start([], {
    vars: {
      ...SECRETS,
      SUBSCRIPTIONS: 3,
      VAPID_PUBLIC_KEY: `B${"A".repeat(86)}`,
      VAPID_SUBJECT: "mailto:ops@example.com",
      ALERTS: [{ id: "ops", kind: "webhook", secret: "OPS_URL" }],
    },
  });
  const header = { authorization: { secret: "MONITOR_API_TOKEN", prefix: "Bearer " } };
  const applied = await edge.applyMonitors([
    { id: "web", kind: "http", url: target.url, headers: header, "failure-threshold": 1 },
    { id: "api", kind: "heapbeat", url: `${target.url}/health` },
    { id: "job", kind: "heartbeat", interval: "1h" },
  ]);
  assert.equal(applied.status, 200, JSON.stringify(applied.body));
  const reported = await edge.request("/api/v1/heartbeats/job", {
    method: "POST",
    headers: { authorization: `Bearer ${SECRETS.HEARTBEAT_TOKEN_JOB}` },
  });
  assert.equal(reported.status, 204);
  assert.equal((await subscribe(edge, { url: receiver.urlOf("/reader?of=status") })).status, 204);
  await edge.tickTimes(3);
});

after(async () => {
  await edge?.stop();
  await receiver?.stop();
  await target?.stop();
});

/** Finds what must not be in a text, also encoded or hashed. @param {string} text @param {Record<string, string>} secrets */
function findLeaks(text, secrets) {
  const decoded = [...text.matchAll(/"base64":"([^"]+)"/g)].map(([, blob]) =>
    Buffer.from(blob, "base64").toString("latin1"),
  );
  const all = [text, ...decoded].join("\n");
  const leaks = [];
  for (const [name, secret] of Object.entries(secrets)) {
    const forms = [secret, encodeURIComponent(secret), Buffer.from(secret).toString("base64").replace(/=+$/, "")];
    for (const kind of ["sha256", "sha1", "md5"])
      for (const encoding of /** @type {const} */ (["hex", "base64", "latin1"]))
        forms.push(createHash(kind).update(secret).digest().toString(encoding).replace(/=+$/, ""));
    if (forms.some((form) => all.includes(form))) leaks.push(name);
  }
  return leaks;
}

test("an export has no secret of the Worker, no hash of one, and no subscriber", async () => {
  const text = (await edge.exportPages()).join("\n");
  assert.ok(text.includes('"tick"') && text.includes("MONITOR_API_TOKEN"), "the name of a secret is not the secret");
  assert.deepEqual(findLeaks(text, SECRETS), []);
  assert.ok(!text.includes("whsec_") && !text.includes("/reader") && !text.includes('"subscriptions"'));
  // The test would notice.
  const hashed = createHash("sha256").update(SECRETS.ADMIN_TOKEN).digest("hex");
  assert.deepEqual(findLeaks(`${text}${hashed}`, SECRETS), ["ADMIN_TOKEN"]);
});

test("the subscribers, with what signs their messages, come only if the owner asks for them", async () => {
  const text = (await edge.exportPages({ subscriptions: true })).join("\n");
  assert.ok(text.includes(receiver.urlOf("/reader?of=status")) && text.includes(receiver.secrets["/reader?of=status"]));
  assert.deepEqual(findLeaks(text, SECRETS), []);
  for (const query of ["?subscriptions=false", "?subscriptions=", "?subscription=true"])
    assert.equal((await edge.requestAsAdmin("GET", `/admin/export${query}`)).status, 400, query);
});
