// Access control, attacked byte for byte: the admin API without the right token, hidden monitors, and other origins.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { assertHarmless, sendRaw } from "../support/raw-http.mjs";
import { REFUSED_URL } from "../support/target.mjs";
import { ADMIN_TOKEN, HEARTBEAT_TOKEN } from "../support/tokens.mjs";

/** @type {Edge} */ let edge;
/** The incident of the hidden monitor. */ let hiddenIncident = "";

before(async () => {
  edge = await Edge.start(
    [
      defineMonitor("web", REFUSED_URL, { "failure-threshold": 1 }),
      defineMonitor("secret", REFUSED_URL, { public: false, "failure-threshold": 1 }),
      { id: "job", name: "Job", kind: "heartbeat", interval: "1h" },
    ],
    { vars: { ADMIN_TOKEN, HEARTBEAT_TOKEN, SUBSCRIPTIONS: "5" } },
  );
  hiddenIncident = `secret-${edge.now / 1000}`;
  await edge.tick();
  const noted = await edge.requestAsAdmin("POST", `/admin/incidents/${hiddenIncident}`, { note: "x" });
  assert.equal(noted.status, 200, "the id that is guessed below is right");
});

after(() => edge?.stop());

test("dots in a path do not get around the admin token", async () => {
  for (const path of ["/api/v1/./admin/status", "/api/v1/monitors/%2e%2e/admin/status", "/x/../api/v1/admin/status"]) {
    assert.equal((await sendRaw(edge.url, path)).status, 401, path);
  }
});

/** Headers without the right `Authorization`. */
const WRONG_TOKENS = {
  "no token": [],
  "the beginning of the token": [`Authorization: Bearer ${ADMIN_TOKEN.slice(0, -1)}`],
  "a longer token": [`Authorization: Bearer ${ADMIN_TOKEN}x`],
  "the token twice": [`Authorization: Bearer ${ADMIN_TOKEN}${ADMIN_TOKEN}`],
  "an empty token": ["Authorization: Bearer "],
  "the scheme alone": ["Authorization: Bearer"],
  "the token in lower case": [`Authorization: Bearer ${ADMIN_TOKEN.toLowerCase()}`],
  "another scheme": [`Authorization: Basic ${ADMIN_TOKEN}`],
  "the token as a password": [`Authorization: Basic ${Buffer.from(`admin:${ADMIN_TOKEN}`).toString("base64")}`],
  "the token without a scheme": [`Authorization: ${ADMIN_TOKEN}`],
  "the token in quotes": [`Authorization: Bearer "${ADMIN_TOKEN}"`],
  "the token in a list": [`Authorization: Bearer a, Bearer ${ADMIN_TOKEN}`],
  "a wrong and the right token": ["Authorization: Bearer x", `Authorization: Bearer ${ADMIN_TOKEN}`],
  "the right and a wrong token": [`Authorization: Bearer ${ADMIN_TOKEN}`, "Authorization: Bearer x"],
  "the token in other headers": [
    `Proxy-Authorization: Bearer ${ADMIN_TOKEN}`,
    `X-Admin-Token: ${ADMIN_TOKEN}`,
    `Cookie: token=${ADMIN_TOKEN}`,
  ],
  "the heartbeat token": [`Authorization: Bearer ${HEARTBEAT_TOKEN}`],
  "a very long token": [`Authorization: Bearer ${"0".repeat(20_000)}`],
};

const ADMIN_ROUTES = [
  ["GET", "/api/v1/admin/status"],
  ["HEAD", "/api/v1/admin/status"],
  ["GET", "/api/v1/admin/monitors"],
  ["PUT", "/api/v1/admin/monitors"],
  ["PUT", "/api/v1/admin/maintenance"],
  ["POST", "/api/v1/admin/incidents/web-1767225600"],
  ["GET", "/api/v1/admin/export"],
  ["POST", "/api/v1/admin/import"],
  ["GET", "/api/v1/admin/subscriptions"],
  ["GET", "/api/v1/admin/channels"],
  ["POST", "/api/v1/alerts/test"],
  ["DELETE", "/api/v1/admin/subscriptions"],
];

for (const [name, headers] of Object.entries(WRONG_TOKENS)) {
  test(`401 for ${name}`, async () => {
    const body = '{"monitors":[]}';
    for (const [method, path] of ADMIN_ROUTES) {
      const sent = ["PUT", "POST", "DELETE"].includes(method) ? body : "";
      const length = sent === "" ? [] : [`Content-Length: ${sent.length}`];
      const response = await sendRaw(edge.url, path, { method, headers: [...headers, ...length], body: sent });
      assert.equal(response.status, 401, `${method} ${path}`);
      assert.equal(response.headers.get("www-authenticate"), "Bearer", path);
      assert.equal(response.headers.get("cache-control"), "no-store", path);
      assert.equal(response.headers.get("access-control-allow-origin"), undefined, path);
      assertHarmless(response, path);
    }
    const inQuery = await sendRaw(edge.url, `/api/v1/admin/status?token=${ADMIN_TOKEN}&access_token=${ADMIN_TOKEN}`, {
      headers,
    });
    assert.equal(inQuery.status, 401, "a token in the query does not count");
    const heartbeat = { method: "POST", headers: headers.filter((header) => !header.endsWith(HEARTBEAT_TOKEN)) };
    assert.equal((await sendRaw(edge.url, "/api/v1/heartbeats/job?event=success", heartbeat)).status, 401);
    assert.equal((await edge.readMonitor("job")).state, "unobserved", "no heartbeat was stored");
  });
}

test("a hidden monitor and its incident are answered byte for byte like unknown ones", async () => {
  const listPaths = (/** @type {string} */ id, /** @type {string} */ incident) => [
    ...["", "/uptime", "/memory", "/latency", "/days", "/versions"].map((part) => `/api/v1/monitors/${id}${part}`),
    ...[`/monitors/${id}`, `/badge/${id}.svg`, `/badge/${id}.json?metric=memory`],
    ...[`/incidents/${incident}`, `/api/v1/incidents/${incident}`, `/api/v1/incidents?before=${incident}`],
    ...[`/api/v1/heartbeats/${id}?event=success`, `/api/v1/admin/incidents/${incident}`],
  ];
  const unknownIncident = hiddenIncident.replace("secret", "nobody");
  const guesses = listPaths("secret", hiddenIncident);
  for (const [index, path] of listPaths("nobody", unknownIncident).entries()) {
    for (const method of ["GET", "HEAD", "OPTIONS", "POST"]) {
      const read = async (/** @type {string} */ path) => {
        const { head, body } = await sendRaw(edge.url, path, { method });
        return `${head}\r\n\r\n${body}`.replaceAll("secret", "nobody");
      };
      assert.equal(await read(guesses[index]), await read(path), `${method} ${guesses[index]}`);
    }
  }
});

test("a subscription to a hidden monitor is answered like one to an unknown monitor", async () => {
  const subscribe = async (/** @type {string} */ id) => {
    const body = JSON.stringify({ url: "https://hooks.invalid/", monitors: [id] });
    const headers = [`Content-Length: ${body.length}`];
    const response = await sendRaw(edge.url, "/api/v1/subscriptions", { method: "POST", headers, body });
    assert.equal(response.status, 400, response.body);
    return `${response.head}\r\n\r\n${response.body}`.replaceAll("secret", "nobody");
  };
  assert.equal(await subscribe("secret"), await subscribe("nobody"));
});

test("other origins read public responses without credentials, and nothing of the admin API", async () => {
  for (const origin of ["https://evil.example", "null", edge.url]) {
    const headers = [`Origin: ${origin}`, "Cookie: session=1", "Access-Control-Request-Method: PUT"];
    for (const method of ["GET", "OPTIONS"]) {
      const publicResponse = await sendRaw(edge.url, "/api/v1/status", { method, headers });
      assert.equal(publicResponse.headers.get("access-control-allow-origin"), "*");
      assert.equal(publicResponse.headers.get("access-control-allow-credentials"), undefined);
      assert.doesNotMatch(publicResponse.headers.get("access-control-allow-methods") ?? "", /PUT|POST/);
      assert.doesNotMatch(publicResponse.headers.get("access-control-allow-headers") ?? "", /authorization|\*/);
      for (const [, path] of [...ADMIN_ROUTES, ["POST", "/api/v1/heartbeats/job"]]) {
        const adminResponse = await sendRaw(edge.url, path, { method, headers });
        assert.doesNotMatch(adminResponse.head, /access-control-allow/i, `${method} ${path}`);
      }
    }
  }
});
