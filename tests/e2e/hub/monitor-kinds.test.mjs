// Each kind of monitor asks what it should, and hears what it should.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { findFreePort, Target } from "../support/target.mjs";

/** What a request brought. @param {import("node:http").IncomingMessage} request @returns {Promise<string>} */
async function body(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}

test("an http monitor sends its method, headers and body, and asks of the answer", async (t) => {
  /** @type {any[]} */ const seen = [];
  const target = await Target.start(async (request, response) => {
    seen.push({ method: request.method, headers: request.headers, body: await body(request) });
    response.setHeader("content-type", "application/json").end('{"status":"UP","queue":[1,2,3]}');
  });
  t.after(() => target.stop());
  const http = { kind: "http", "failure-threshold": 1 };
  const edge = await Edge.start(
    [
      defineMonitor("good", target.url, {
        ...http,
        method: "POST",
        body: '{"ping":1}',
        headers: { "content-type": "application/json", authorization: { secret: "A_TOKEN", prefix: "Bearer " } },
        conditions: ["[STATUS] == 200", "[BODY].status == UP", "len([BODY].queue) == 3"],
      }),
      defineMonitor("bad", target.url, { ...http, conditions: ["[STATUS] == 200", "[BODY].status == DOWN"] }),
      defineMonitor("busy", target.url, { ...http, degraded: ["len([BODY].queue) < 3"] }),
      defineMonitor("poor", target.url, { ...http, headers: { authorization: { secret: "NOT_THERE" } } }),
      defineMonitor("small", target.url, { ...http, "max-body": "8B", conditions: ["[BODY].status == UP"] }),
    ],
    { vars: { A_TOKEN: "s3cret" } },
  );
  t.after(() => edge.stop());
  await edge.tick();
  const { monitors, problems } = await edge.readStatus();
  assert.deepEqual(problems, []);
  assert.deepEqual(
    monitors.map((/** @type {any} */ m) => [m.id, m.state, m.reason]),
    [
      ["good", "up", null],
      ["bad", "down", "condition 2 does not hold"],
      ["busy", "degraded", "condition 1 does not hold"],
      ["poor", "unobserved", "not probed: the secret it is asked with is not set, or too short"],
      ["small", "down", "the answer was too large"],
    ],
  );
  const post = seen.find((request) => request.method === "POST");
  assert.equal(post.body, '{"ping":1}');
  assert.equal(post.headers.authorization, "Bearer s3cret");
  assert.equal(post.headers["content-type"], "application/json");
  assert.equal(seen.length, 4);
  assert.doesNotMatch(await (await fetch(edge.url)).text(), /s3cret/);
});

test("a secret stays at the origin that it is meant for, and a redirect turns a POST into a GET", async (t) => {
  /** @type {any[]} */ const elsewhere = [];
  const other = await Target.start(async (request, response) => {
    elsewhere.push({ method: request.method, headers: request.headers, body: await body(request) });
    response.end("ok");
  });
  t.after(() => other.stop());
  const target = await Target.start((_, response) => response.writeHead(302, { location: other.url }).end());
  t.after(() => target.stop());
  const http = { kind: "http", "failure-threshold": 1, method: "POST", body: "b" };
  const headers = { "x-plain": "p", authorization: { secret: "A_TOKEN" } };
  const edge = await Edge.start(
    [
      defineMonitor("follow", target.url, { ...http, headers, conditions: ["[BODY] == ok"] }),
      defineMonitor("refuse", target.url, { ...http, redirects: "refuse", conditions: ["[STATUS] == 302"] }),
    ],
    { vars: { A_TOKEN: "s3cret" } },
  );
  t.after(() => edge.stop());
  await edge.tick();
  const { monitors } = await edge.readStatus();
  assert.deepEqual(
    monitors.map((/** @type {any} */ m) => m.state),
    ["up", "up"],
  );
  assert.equal(elsewhere.length, 1);
  assert.equal(elsewhere[0].method, "GET");
  assert.equal(elsewhere[0].body, "");
  assert.equal(elsewhere[0].headers["x-plain"], "p");
  assert.equal(elsewhere[0].headers.authorization, undefined);
});

test("a probe that failed is tried again within its time", async (t) => {
  let asked = 0;
  const target = await Target.start((_, response) => {
    asked += 1;
    response.writeHead(asked % 2 === 1 ? 500 : 200).end();
  });
  t.after(() => target.stop());
  const http = { kind: "http", "failure-threshold": 1, timeout: "10s" };
  const edge = await Edge.start([defineMonitor("again", target.url, { ...http, retries: 1 })]);
  t.after(() => edge.stop());
  assert.equal((await edge.tickAndReadMonitor("again")).state, "up");
  assert.equal(asked, 2);
});

test("a tcp monitor wants a connection, and no more", async (t) => {
  let bytes = 0;
  const server = createServer((socket) => socket.on("data", (data) => (bytes += data.length)).on("error", () => {}));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  t.after(() => server.close());
  const port = /** @type {import("node:net").AddressInfo} */ (server.address()).port;
  const tcp = { kind: "tcp", "failure-threshold": 1 };
  const edge = await Edge.start([
    defineMonitor("open", `tcp://127.0.0.1:${port}`, tcp),
    defineMonitor("closed", `tcp://127.0.0.1:${await findFreePort()}`, tcp),
    defineMonitor("nowhere", "tcp://no-such-host.invalid:80", tcp),
    defineMonitor("wanted-closed", `tcp://127.0.0.1:${await findFreePort()}`, {
      ...tcp,
      conditions: ["[CONNECTED] == false"],
    }),
  ]);
  t.after(() => edge.stop());
  await edge.tick();
  const { monitors, problems } = await edge.readStatus();
  assert.deepEqual(problems, []);
  assert.deepEqual(
    monitors.map((/** @type {any} */ m) => [m.id, m.state]),
    [
      ["open", "up"],
      ["closed", "down"],
      ["nowhere", "down"],
      ["wanted-closed", "up"],
    ],
  );
  assert.match(monitors[1].reason, /refused/);
  assert.equal(bytes, 0);
});

test("numbers of a body are read in the Worker as they are anywhere", async (t) => {
  const body = '{"a":0.1,"b":1e2,"c":1.0,"d":123.40000000000005,"e":0.000000125,"f":-2.50}';
  const target = await Target.start((_, response) => response.end(body));
  t.after(() => target.stop());
  const holds = {
    exact: "[BODY].a == 0.1",
    exponent: "[BODY].b == 100",
    whole: "[BODY].c == 1",
    long: "[BODY].d == 123.40000000000005",
    small: "[BODY].e == 1.25e-07",
    cut: "[BODY].f == -2.5",
    ordered: "[BODY].d < 124.5",
  };
  const fails = { "not-exact": "[BODY].a == 0.10000000000000001", below: "[BODY].d > 124.5" };
  const all = Object.entries({ ...holds, ...fails });
  const edge = await Edge.start(
    all.map(([id, condition]) =>
      defineMonitor(id, target.url, { kind: "http", "failure-threshold": 1, conditions: [condition] }),
    ),
  );
  t.after(() => edge.stop());
  await edge.tick();
  const { monitors } = await edge.readStatus();
  const states = Object.fromEntries(monitors.map((/** @type {any} */ m) => [m.id, m.state]));
  assert.deepEqual(states, Object.fromEntries(all.map(([id]) => [id, id in holds ? "up" : "down"])));
});
