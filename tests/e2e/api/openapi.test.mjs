// The description of the API is valid OpenAPI 3.1, and every operation answers as it declares, errors included.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { XMLValidator } from "fast-xml-parser";
import { Edge } from "../support/edge.mjs";
import { ApiDescription, DOCUMENT_PATH, sendRequest } from "../support/openapi.mjs";
import { listSeededMonitors, seedHistory } from "../support/seed-history.mjs";
import { ADMIN_HEADERS, ADMIN_TOKEN, authorize, HEARTBEAT_HEADERS, HEARTBEAT_TOKEN } from "../support/tokens.mjs";
import { WebhookReceiver } from "../support/webhook-receiver.mjs";

const VARS = { ADMIN_TOKEN, HEARTBEAT_TOKEN };

/** Declared responses that these tests cannot cause: internal errors, and conflicts between simultaneous changes. */
const UNTESTED = new Set(["500", "PUT 409", "DELETE 409", "importHistory 409"]);

const description = new ApiDescription();

/** An edge with a history. @type {Edge} */ let edge;
/** An edge without tokens whose hub fails. @type {Edge} */ let failingEdge;
/** The statuses and content types that each operation answered with. @type {Map<string, Set<string>>} */ const observed =
  new Map();

before(async () => {
  edge = await Edge.start([{ id: "job", kind: "heartbeat", interval: "1h" }], {
    vars: VARS,
  });
  await seedHistory(edge, { monitors: 6, days: 90, memory: 2 });
  failingEdge = await Edge.start([], { faultInjection: true });
  await failingEdge.injectFault("hub-0");
});

after(async () => {
  await edge?.stop();
  await failingEdge?.stop();
});

/**
 * Sends a request and asserts that the response is declared for the path template.
 * @param {string} template @param {import("../support/openapi.mjs").ApiRequest} request @param {Edge} [to]
 */
async function assertDeclared(template, request, to = edge) {
  const response = await sendRequest(to.url, request);
  const name = `${request.method} ${request.path}`;
  assert.equal(description.findDeviation(template, request.method, response), "", name);
  const operation = description.listOperations(template).find((it) => it.method === request.method);
  if (operation) {
    const seen = observed.get(operation.id) ?? new Set();
    observed.set(operation.id, seen.add(String(response.status)));
    const type = response.headers["content-type"];
    if (response.status === 200 && type) seen.add(type);
  }
  if (response.status === 200 && /xml/.test(String(response.headers["content-type"])) && request.method !== "HEAD") {
    assert.equal(XMLValidator.validate(response.body.toString()), true, name);
  }
  return response;
}

/** Fills in the `{id}` of a template. @param {string} path @param {string} id */
const fillId = (path, id) => path.replace("{id}", id);

/** Lists existing ids for a template. @param {string} path */
async function listIds(path) {
  if (!path.includes("{id}")) return [""];
  if (path.includes("heartbeats")) return ["job"];
  if (!path.includes("/incidents/")) return ["m00", "m02", "m05", "job"];
  const { body } = await sendRequest(edge.url, { method: "GET", path: "/api/v1/incidents?limit=8" });
  return JSON.parse(body.toString()).incidents.map((/** @type {any} */ it) => it.id);
}

/** Lists queries that give each parameter each value that the document names. @param {import("../support/openapi.mjs").Operation} operation */
function listQueries({ parameters }) {
  const known = parameters.filter((it) => it.in === "query");
  const values = (/** @type {any} */ { schema, example }) =>
    [...(schema.enum ?? schema.examples ?? []), example, schema.default, schema.minimum, schema.maximum].filter(
      (value) => value !== undefined,
    );
  const one = known.flatMap((it) => values(it).map((value) => `?${it.name}=${encodeURIComponent(value)}`));
  const all = known.map((it) => `${it.name}=${encodeURIComponent(values(it)[0])}`).join("&");
  return ["", ...one, ...(known.length > 1 ? [`?${all}`] : [])];
}

test("the description is valid OpenAPI 3.1", async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(DOCUMENT_PATH);
  assert.ok(valid, JSON.stringify(errors, null, 2));
  assert.equal(validator.version, "3.1");
});

test("every example matches its schema", () => {
  let count = 0;
  const checkExamples = (/** @type {any} */ node, /** @type {string} */ where) => {
    if (node === null || typeof node !== "object") return;
    if (node.schema && "example" in node) {
      count += 1;
      assert.equal(description.findMismatch(node.schema, node.example), "", where);
    }
    for (const [name, value] of Object.entries(node)) if (name !== "example") checkExamples(value, `${where}/${name}`);
  };
  checkExamples(description.document.paths, "");
  assert.ok(count > 50, `${count} examples`);
});

test("the description is served to other origins and answers only to reading", async () => {
  const response = await edge.request("/api/v1/openapi.json");
  assert.deepEqual(await response.json(), description.document);
  const { headers } = response;
  assert.deepEqual(
    [headers.get("content-type"), headers.get("access-control-allow-origin")],
    ["application/json", "*"],
  );
  assert.equal((await edge.request("/api/v1/openapi.json", { method: "POST" })).status, 405);
});

test("public operations answer as declared: in full, with 304, and to HEAD, OPTIONS, wrong methods and queries", async () => {
  for (const operation of description.operations.filter((it) => !it.secured && it.method === "GET")) {
    for (const id of await listIds(operation.path)) {
      for (const query of listQueries(operation)) {
        const path = fillId(operation.path, id) + query;
        const { status, headers } = await assertDeclared(operation.path, { method: "GET", path });
        // Also for a monitor that was never observed.
        if (operation.path.includes("/monitors/")) assert.equal(status, 200, path);
        if (query || !headers.etag) continue;
        assert.equal((await assertDeclared(operation.path, { method: "HEAD", path })).body.length, 0, path);
        await assertDeclared(operation.path, { method: "GET", path, headers: { "if-none-match": headers.etag } });
      }
    }
    // An id of an incident names a monitor and a second.
    const path = fillId(operation.path, operation.path.includes("/incidents/") ? "m00-1" : "m00");
    assert.equal((await assertDeclared(operation.path, { method: "OPTIONS", path })).status, 204, path);
    for (const method of ["DELETE", "POST", "QUERY"]) {
      assert.equal((await assertDeclared(operation.path, { method, path })).status, 405, `${method} ${path}`);
    }
    await assertDeclared(operation.path, { method: "GET", path: fillId(operation.path, "nobody-1") });
    await assertDeclared(operation.path, { method: "GET", path: `${path}?windw=1h` });
    await assertDeclared(operation.path, {
      method: "GET",
      path,
      headers: { "if-none-match": "*" },
    });
  }
  await assertDeclared("/metrics", {
    method: "GET",
    path: "/metrics",
    headers: { accept: "application/openmetrics-text" },
  });
});

test("protected operations answer as declared: to right, wrong and missing tokens and to invalid bodies", async () => {
  const [open] = await listIds("/incidents/{id}");
  const list = { monitors: listSeededMonitors(6, "http://127.0.0.1:9") };
  const maintenance = { maintenance: [{ id: "weekly", schedule: "0 3 * * sun", duration: "30m" }] };
  const invalid = { monitors: [{ id: "C" }], maintenance: [{ id: "x" }] };
  const page = (await sendRequest(edge.url, { method: "GET", path: "/api/v1/admin/export", headers: ADMIN_HEADERS }))
    .body;
  const { schema } = JSON.parse(page.toString().split("\n")[0]);
  /** @type {Record<string, [string, string[]]>} */
  const bodies = {
    applyMonitors: [
      "?dry-run=true",
      [JSON.stringify(list), JSON.stringify(invalid), JSON.stringify({ monitors: invalid.monitors })],
    ],
    announceMaintenance: ["", [JSON.stringify(maintenance), JSON.stringify({ maintenance: invalid.maintenance })]],
    updateIncident: ["", ['{"note":"seen"}', '{"resolve":true}', '{"resolve":true}', "{}"]],
    importHistory: [`?schema=${schema}`, [page.toString(), "nothing"]],
    sendHeartbeat: ["", ["", "whatever"]],
    removeSubscription: ["", ['{"url":"https://hooks.example/"}', "{}"]],
  };
  for (const { path, method, id } of description.operations.filter((it) => it.secured)) {
    const [query, texts] = bodies[id] ?? ["", [undefined]];
    const filled = fillId(path, path.includes("heartbeats") ? "job" : open);
    for (const body of texts)
      await assertDeclared(path, { method, path: filled + query, headers: ADMIN_HEADERS, body });
    await assertDeclared(path, { method, path: filled });
    await assertDeclared(path, { method, path: filled, headers: authorize("wrong-token-0123456789") });
    await assertDeclared(path, { method, path: filled, headers: HEARTBEAT_HEADERS });
    await assertDeclared(path, {
      method,
      path: `${filled}?event=${"x".repeat(1001)}`,
      headers: ADMIN_HEADERS,
      body: "{}",
    });
    await assertDeclared(path, {
      method,
      path: fillId(path, "nobody-1"),
      headers: ADMIN_HEADERS,
      body: '{"note":"x"}',
    });
    await assertDeclared(path, { method: "OPTIONS", path: filled });
    await assertDeclared(path, { method: "PATCH", path: filled });
    if (!bodies[id]) continue;
    await assertDeclared(path, { method, path: filled + query, headers: ADMIN_HEADERS, body: "{}", chunked: true });
    const announcedBytes = id === "importHistory" ? 9 << 20 : 2 << 20;
    await assertDeclared(path, { method, path: filled + query, headers: ADMIN_HEADERS, announcedBytes });
    await assertDeclared(path, { method, path: filled, headers: ADMIN_HEADERS, body: Buffer.from([0xff, 0xfe, 0x7b]) });
  }
});

test("subscriptions answer as declared", async (t) => {
  const path = "/api/v1/subscriptions";
  const receiver = await WebhookReceiver.start();
  t.after(() => receiver.stop());
  const subscriber = await Edge.start([], { faultInjection: true, vars: { ...VARS, SUBSCRIPTIONS: 1 } });
  t.after(() => subscriber.stop());
  const url = receiver.urlOf("/one");
  for (const method of ["POST", "DELETE"]) {
    await assertDeclared(path, { method, path, body: JSON.stringify({ url }) }, subscriber);
    if (method === "POST") {
      await assertDeclared(path, { method, path, body: JSON.stringify({ url: receiver.urlOf("/other") }) }, subscriber);
      const all = "/api/v1/admin/subscriptions";
      await assertDeclared(all, { method: "GET", path: all, headers: ADMIN_HEADERS }, subscriber);
    }
    await assertDeclared(path, { method, path, body: "{}" }, subscriber);
    await assertDeclared(path, { method, path, body: "{}", chunked: true }, subscriber);
    await assertDeclared(path, { method, path, body: Buffer.alloc(5000, 32) }, subscriber);
    await assertDeclared(path, { method, path: `${path}?x=1`, body: "{}" }, subscriber);
    await assertDeclared(
      path,
      { method, path, body: JSON.stringify({ url: receiver.urlOf("/redirect") }) },
      subscriber,
    );
    await subscriber.injectFault("hub-0");
    await assertDeclared(path, { method, path, body: JSON.stringify({ url }) }, subscriber);
    await subscriber.clearFault();
  }
});

test("a failing hub and missing tokens are answered as declared", async (t) => {
  for (const { path, method, secured } of description.operations) {
    const { status } = await assertDeclared(
      path,
      { method, path: fillId(path, "api-1"), headers: ADMIN_HEADERS },
      failingEdge,
    );
    // The owner's page is a form, which needs no hub.
    const unsecured = method === "GET" ? (path === "/owner" ? 200 : 503) : 404;
    assert.equal(status, secured ? 403 : unsecured, path);
  }
  const failing = await Edge.start([], { faultInjection: true, vars: VARS });
  t.after(() => failing.stop());
  await failing.injectFault("hub-0");
  for (const { path, method, id, body } of description.operations.filter((it) => it.secured)) {
    const query = id === "importHistory" ? "?schema=1" : "";
    const text = typeof body?.example === "string" ? body.example : JSON.stringify(body?.example ?? {});
    await assertDeclared(
      path,
      {
        method,
        path: fillId(path, "api-1") + query,
        headers: ADMIN_HEADERS,
        body: method === "GET" ? undefined : text,
      },
      failing,
    );
  }
});

test("an address over the rate limit is answered as declared", async (t) => {
  const limited = await Edge.start([], { rateLimit: 1, vars: VARS });
  t.after(() => limited.stop());
  for (const { path, method } of description.operations) {
    const request = {
      method,
      path: fillId(path, "api-1"),
      headers: { ...ADMIN_HEADERS, "cf-connecting-ip": "203.0.113.7" },
    };
    let status = 0;
    // The limit is one request a minute, and a new minute may begin in between.
    for (let attempt = 0; status !== 429 && attempt < 5; attempt += 1)
      status = (await assertDeclared(path, request, limited)).status;
    assert.equal(status, 429, path);
  }
});

test("every declared response was observed", () => {
  for (const { id, method, responses } of description.operations) {
    const seen = observed.get(id) ?? new Set();
    for (const [status, response] of Object.entries(responses)) {
      if ([status, `${method} ${status}`, `${id} ${status}`].some((it) => UNTESTED.has(it))) continue;
      assert.ok(seen.has(status), `${id}: ${status} was not observed`);
      if (status !== "200") continue;
      for (const type of Object.keys(response.content)) assert.ok(seen.has(type), `${id}: ${type} was not observed`);
    }
  }
});
