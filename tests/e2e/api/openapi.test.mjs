// The API is what its document says: the document is valid OpenAPI 3.1, every operation answers as it is declared, and so does
// every error that can be brought about.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { XMLValidator } from "fast-xml-parser";
import { Edge } from "../support/edge.mjs";
import { ApiDescription, DOCUMENT_PATH, sendRequest } from "../support/openapi.mjs";
import { listSeededMonitors, seedHistory } from "../support/seed-history.mjs";
import { WebhookReceiver } from "../support/webhook-receiver.mjs";

const OWNER = { authorization: "Bearer 0123456789abcdef0123" };
const JOB = { authorization: "Bearer job-0123456789abcdef" };
const TOKENS = { ADMIN_TOKEN: OWNER.authorization.slice(7), HEARTBEAT_TOKEN: JOB.authorization.slice(7) };

/** What no test brings about: nothing fails by itself, and nobody else is at work. */
const RARE = new Set(["500", "PUT 409", "DELETE 409", "importHistory 409"]);

const described = new ApiDescription();

/** With a past. @type {Edge} */ let edge;
/** Without tokens, whose hub does not answer. @type {Edge} */ let broken;
/** @type {Map<string, Set<string>>} */ const seen = new Map();

before(async () => {
  edge = await Edge.start([{ id: "job", kind: "heartbeat", interval: "1h" }], {
    vars: TOKENS,
  });
  await seedHistory(edge, { monitors: 6, days: 90, memory: 2 });
  broken = await Edge.start([], { faultInjection: true });
  await broken.injectFault("hub-0");
});

after(async () => {
  await edge?.stop();
  await broken?.stop();
});

/**
 * Asks, and wants an answer as it is declared for the path.
 * @param {string} template @param {import("../support/openapi.mjs").ApiRequest} question @param {Edge} [of]
 */
async function declared(template, question, of = edge) {
  const answer = await sendRequest(of.url, question);
  const what = `${question.method} ${question.path}`;
  assert.equal(described.findDeviation(template, question.method, answer), "", what);
  const operation = described.listOperations(template).find((it) => it.method === question.method);
  if (operation) {
    const statuses = seen.get(operation.id) ?? new Set();
    seen.set(operation.id, statuses.add(String(answer.status)));
    const kind = answer.headers["content-type"];
    if (answer.status === 200 && kind) statuses.add(kind);
  }
  if (answer.status === 200 && /xml/.test(String(answer.headers["content-type"])) && question.method !== "HEAD") {
    assert.equal(XMLValidator.validate(answer.body.toString()), true, what);
  }
  return answer;
}

/** What stands for `{id}`. @param {string} path @param {string} id */
const at = (path, id) => path.replace("{id}", id);

/** Ids that there are. @param {string} path */
async function ids(path) {
  if (!path.includes("{id}")) return [""];
  if (path.includes("heartbeats")) return ["job"];
  if (!path.includes("/incidents/")) return ["m00", "m02", "m05", "job"];
  const { body } = await sendRequest(edge.url, { method: "GET", path: "/api/v1/incidents?limit=8" });
  return JSON.parse(body.toString()).incidents.map((/** @type {any} */ it) => it.id);
}

/** Queries that give each parameter each value that the document names. @param {import("../support/openapi.mjs").Operation} operation */
function queries({ parameters }) {
  const own = parameters.filter((it) => it.in === "query");
  const values = (/** @type {any} */ { schema, example }) =>
    [...(schema.enum ?? schema.examples ?? []), example, schema.default, schema.minimum, schema.maximum].filter(
      (value) => value !== undefined,
    );
  const one = own.flatMap((it) => values(it).map((value) => `?${it.name}=${encodeURIComponent(value)}`));
  const all = own.map((it) => `${it.name}=${encodeURIComponent(values(it)[0])}`).join("&");
  return ["", ...one, ...(own.length > 1 ? [`?${all}`] : [])];
}

test("the document is OpenAPI 3.1", async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(DOCUMENT_PATH);
  assert.ok(valid, JSON.stringify(errors, null, 2));
  assert.equal(validator.version, "3.1");
});

test("every example of it is what its schema says", () => {
  let count = 0;
  const look = (/** @type {any} */ node, /** @type {string} */ where) => {
    if (node === null || typeof node !== "object") return;
    if (node.schema && "example" in node) {
      count += 1;
      assert.equal(described.findMismatch(node.schema, node.example), "", where);
    }
    for (const [name, value] of Object.entries(node)) if (name !== "example") look(value, `${where}/${name}`);
  };
  look(described.document.paths, "");
  assert.ok(count > 50, `${count} examples`);
});

test("the platform serves it, and pages of others may read it", async () => {
  const answer = await fetch(`${edge.url}/api/v1/openapi.json`);
  assert.deepEqual(await answer.json(), described.document);
  const { headers } = answer;
  assert.deepEqual(
    [headers.get("content-type"), headers.get("access-control-allow-origin")],
    ["application/json", "*"],
  );
  assert.equal((await fetch(`${edge.url}/api/v1/openapi.json`, { method: "POST" })).status, 405);
});

test("whatever the public may read is as it is declared, whole, known already, by HEAD and by OPTIONS", async () => {
  for (const operation of described.operations.filter((it) => !it.secured && it.method === "GET")) {
    for (const id of await ids(operation.path)) {
      for (const query of queries(operation)) {
        const path = at(operation.path, id) + query;
        const { status, headers } = await declared(operation.path, { method: "GET", path });
        // Of whom nobody has seen anything yet there is an answer, too.
        if (operation.path.includes("/monitors/")) assert.equal(status, 200, path);
        if (query || !headers.etag) continue;
        assert.equal((await declared(operation.path, { method: "HEAD", path })).body.length, 0, path);
        await declared(operation.path, { method: "GET", path, headers: { "if-none-match": headers.etag } });
      }
    }
    const path = at(operation.path, "m00");
    assert.equal((await declared(operation.path, { method: "OPTIONS", path })).status, 204, path);
    for (const method of ["DELETE", "POST", "QUERY"]) {
      assert.equal((await declared(operation.path, { method, path })).status, 405, `${method} ${path}`);
    }
    await declared(operation.path, { method: "GET", path: at(operation.path, "nobody-1") });
    await declared(operation.path, { method: "GET", path: `${path}?windw=1h` });
    await declared(operation.path, {
      method: "GET",
      path: at(operation.path, "m00"),
      headers: { "if-none-match": "*" },
    });
  }
  await declared("/metrics", { method: "GET", path: "/metrics", headers: { accept: "application/openmetrics-text" } });
});

test("and so is what wants a token", async () => {
  const [open] = await ids("/incidents/{id}");
  const list = { monitors: listSeededMonitors(6, "http://127.0.0.1:9") };
  const work = { maintenance: [{ id: "weekly", schedule: "0 3 * * sun", duration: "30m" }] };
  const wrong = { monitors: [{ id: "C" }], maintenance: [{ id: "x" }] };
  const page = (await sendRequest(edge.url, { method: "GET", path: "/api/v1/admin/export", headers: OWNER })).body;
  const { schema } = JSON.parse(page.toString().split("\n")[0]);
  /** @type {Record<string, [string, string[]]>} */
  const bodies = {
    applyMonitors: [
      "?dry-run=true",
      [JSON.stringify(list), JSON.stringify(wrong), JSON.stringify({ monitors: wrong.monitors })],
    ],
    announceMaintenance: ["", [JSON.stringify(work), JSON.stringify({ maintenance: wrong.maintenance })]],
    updateIncident: ["", ['{"note":"seen"}', '{"resolve":true}', '{"resolve":true}', "{}"]],
    importHistory: [`?schema=${schema}`, [page.toString(), "nothing"]],
    sendHeartbeat: ["", ["", "whatever"]],
    removeSubscription: ["", ['{"url":"https://hooks.example/"}', "{}"]],
  };
  for (const { path, method, id } of described.operations.filter((it) => it.secured)) {
    const [query, sent] = bodies[id] ?? ["", [undefined]];
    const where = at(path, path.includes("heartbeats") ? "job" : open);
    for (const body of sent) await declared(path, { method, path: where + query, headers: OWNER, body });
    await declared(path, { method, path: where });
    await declared(path, { method, path: where, headers: { authorization: "Bearer wrong-token-0123456789" } });
    await declared(path, { method, path: where, headers: JOB });
    await declared(path, { method, path: `${where}?event=${"x".repeat(1001)}`, headers: OWNER, body: "{}" });
    await declared(path, { method, path: at(path, "nobody-1"), headers: OWNER, body: '{"note":"x"}' });
    await declared(path, { method: "OPTIONS", path: where });
    await declared(path, { method: "PATCH", path: where });
    if (!bodies[id]) continue;
    await declared(path, { method, path: where, headers: OWNER, body: "{}", chunked: true });
    const announcedBytes = id === "importHistory" ? 9 << 20 : 2 << 20;
    await declared(path, { method, path: where, headers: OWNER, announcedBytes });
    await declared(path, { method, path: where, headers: OWNER, body: Buffer.from([0xff, 0xfe, 0x7b]) });
  }
});

test("and so is asking to be told", async (t) => {
  const path = "/api/v1/subscriptions";
  const receiver = await WebhookReceiver.start();
  t.after(() => receiver.stop());
  const one = await Edge.start([], { faultInjection: true, vars: { ...TOKENS, SUBSCRIPTIONS: 1 } });
  t.after(() => one.stop());
  const url = receiver.urlOf("/one");
  for (const method of ["POST", "DELETE"]) {
    await declared(path, { method, path, body: JSON.stringify({ url }) }, one);
    if (method === "POST") {
      await declared(path, { method, path, body: JSON.stringify({ url: receiver.urlOf("/other") }) }, one);
      const all = "/api/v1/admin/subscriptions";
      await declared(all, { method: "GET", path: all, headers: OWNER }, one);
    }
    await declared(path, { method, path, body: "{}" }, one);
    await declared(path, { method, path, body: "{}", chunked: true }, one);
    await declared(path, { method, path, body: Buffer.alloc(5000, 32) }, one);
    await declared(path, { method, path: `${path}?x=1`, body: "{}" }, one);
    await declared(path, { method, path, body: JSON.stringify({ url: receiver.urlOf("/redirect") }) }, one);
    await one.injectFault("hub-0");
    await declared(path, { method, path, body: JSON.stringify({ url }) }, one);
    await one.clearFault();
  }
});

test("where the edge's own storage does not answer, or there are no tokens", async (t) => {
  for (const { path, method, secured } of described.operations) {
    const { status } = await declared(path, { method, path: at(path, "api-1"), headers: OWNER }, broken);
    assert.equal(status, secured ? 403 : method === "GET" ? 503 : 404, path);
  }
  const failing = await Edge.start([], { faultInjection: true, vars: TOKENS });
  t.after(() => failing.stop());
  await failing.injectFault("hub-0");
  for (const { path, method, body } of described.operations.filter((it) => it.secured)) {
    const text = typeof body?.example === "string" ? body.example : JSON.stringify(body?.example ?? {});
    await declared(
      path,
      { method, path: at(path, "api-1"), headers: OWNER, body: method === "GET" ? undefined : text },
      failing,
    );
  }
});

test("who asks too often", async (t) => {
  const limited = await Edge.start([], { rateLimit: 1, vars: TOKENS });
  t.after(() => limited.stop());
  for (const { path, method } of described.operations) {
    const question = { method, path: at(path, "api-1"), headers: { ...OWNER, "cf-connecting-ip": "203.0.113.7" } };
    let status = 0;
    // The counter may begin anew in between.
    for (let tries = 0; status !== 429 && tries < 5; tries += 1)
      status = (await declared(path, question, limited)).status;
    assert.equal(status, 429, path);
  }
});

test("every answer that is declared has come", () => {
  for (const { id, method, responses } of described.operations) {
    const came = seen.get(id) ?? new Set();
    for (const [status, answer] of Object.entries(responses)) {
      if ([status, `${method} ${status}`, `${id} ${status}`].some((it) => RARE.has(it))) continue;
      assert.ok(came.has(status), `${id}: ${status} never came`);
      if (status !== "200") continue;
      for (const kind of Object.keys(answer.content)) assert.ok(came.has(kind), `${id}: ${kind} never came`);
    }
  }
});
