// The requests that each kind of monitor sends, and how it judges the response.

import assert from "node:assert/strict";
import { test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { REFUSED_URL, readBody, startTcpServer, Target } from "../support/target.mjs";

const HTTP = { kind: "http", "failure-threshold": 1 };

/** Starts a target that keeps its requests. @param {import("node:test").TestContext} t @param {import("node:http").RequestListener} respond */
async function startRecordingTarget(t, respond) {
  /** @type {any[]} */ const requests = [];
  const target = await Target.start(async (request, response) => {
    requests.push({ method: request.method, headers: request.headers, body: await readBody(request) });
    respond(request, response);
  });
  t.after(() => target.stop());
  return { target, requests };
}

test("an http monitor sends its method, headers and body, and judges the response by its conditions", async (t) => {
  const { target, requests } = await startRecordingTarget(t, (_, response) =>
    response.setHeader("content-type", "application/json").end('{"status":"UP","queue":[1,2,3]}'),
  );
  const edge = await Edge.start(
    [
      defineMonitor("good", target.url, {
        ...HTTP,
        method: "POST",
        body: '{"ping":1}',
        headers: { "content-type": "application/json", authorization: { secret: "A_TOKEN", prefix: "Bearer " } },
        conditions: ["[STATUS] == 200", "[BODY].status == UP", "len([BODY].queue) == 3"],
      }),
      defineMonitor("bad", target.url, { ...HTTP, conditions: ["[STATUS] == 200", "[BODY].status == DOWN"] }),
      defineMonitor("busy", target.url, { ...HTTP, degraded: ["len([BODY].queue) < 3"] }),
      defineMonitor("no-secret", target.url, { ...HTTP, headers: { authorization: { secret: "NOT_THERE" } } }),
      defineMonitor("small", target.url, { ...HTTP, "max-body": "8B", conditions: ["[BODY].status == UP"] }),
    ],
    { vars: { A_TOKEN: "s3cret" } },
  );
  t.after(() => edge.stop());
  await edge.tick();
  assert.deepEqual(await edge.readReasons(), [
    ["good", "up", null],
    ["bad", "down", "condition failed: [BODY].status (UP) == DOWN"],
    ["busy", "degraded", "condition failed: len([BODY].queue) (3) < 3"],
    ["no-secret", "unobserved", "not checked: the check is not configured completely"],
    ["small", "down", "response too large"],
  ]);
  const post = requests.find((request) => request.method === "POST");
  assert.equal(post.body, '{"ping":1}');
  assert.equal(post.headers.authorization, "Bearer s3cret");
  assert.equal(post.headers["content-type"], "application/json");
  assert.equal(requests.length, 4);
  assert.doesNotMatch(await edge.readText("/"), /s3cret/);
});

test("a redirect to another origin drops all headers and the body, also where a further one leads back", async (t) => {
  const { target: other, requests } = await startRecordingTarget(t, (request, response) => {
    const location = request.url === "/back" ? `${target.url}/end` : "";
    response.writeHead(location ? 307 : 200, location ? { location } : {}).end("ok");
  });
  /** @type {import("node:http").IncomingMessage[]} */ const returned = [];
  const target = await Target.start((request, response) => {
    if (request.url === "/end") returned.push(request);
    if (request.url === "/end") response.end("ok");
    else response.writeHead(request.url === "/back" ? 308 : 302, { location: `${other.url}${request.url}` }).end();
  });
  t.after(() => target.stop());
  const post = { ...HTTP, method: "POST", body: "b" };
  const headers = { "x-plain": "p", authorization: { secret: "A_TOKEN" } };
  const edge = await Edge.start(
    [
      defineMonitor("follow", `${target.url}/`, { ...post, headers, conditions: ["[BODY] == ok"] }),
      defineMonitor("back", `${target.url}/back`, { ...post, headers, conditions: ["[BODY] == ok"] }),
      defineMonitor("refuse", target.url, { ...post, redirects: "refuse", conditions: ["[STATUS] == 302"] }),
    ],
    { vars: { A_TOKEN: "s3cret" } },
  );
  t.after(() => edge.stop());
  await edge.tick();
  assert.deepEqual(await edge.readStates(), ["up", "up", "up"]);
  assert.equal(requests.length, 2);
  for (const { method, body, headers: received } of requests) {
    assert.deepEqual([method, body], ["GET", ""]);
    assert.deepEqual(
      [received["x-plain"], received.authorization, received["content-type"]],
      [undefined, undefined, undefined],
    );
  }
  assert.deepEqual(
    returned.map(({ method, headers: received }) => [method, received.authorization]),
    [["GET", undefined]],
  );
});

test("a failed probe is retried within its timeout", async (t) => {
  let requests = 0;
  const target = await Target.start((_, response) => {
    requests += 1;
    response.writeHead(requests % 2 === 1 ? 500 : 200).end();
  });
  t.after(() => target.stop());
  const edge = await Edge.start([defineMonitor("retried", target.url, { ...HTTP, retries: 1 })]);
  t.after(() => edge.stop());
  assert.equal((await edge.tickAndReadMonitor("retried")).state, "up");
  assert.equal(requests, 2);
});

test("a tcp monitor of a name that leads to Cloudflare is not checked, and one that refuses is down", async (t) => {
  const tcp = { kind: "tcp", "failure-threshold": 1 };
  const monitors = [
    defineMonitor("forbidden", "tcp://cloudflare.names.example:9", tcp),
    defineMonitor("refuses", "tcp://origin.names.example:9", tcp),
  ];
  const edge = await Edge.start(monitors, { namedSockets: true });
  t.after(() => edge.stop());
  const expected = [
    ["forbidden", "unobserved", /does not let a Worker connect/],
    ["refuses", "down", /refused/],
  ];
  // A second lookup of the name would lead elsewhere.
  for (let tick = 0; tick < 3; tick += 1) {
    await edge.tick();
    const reasons = await edge.readReasons();
    for (const [index, [id, state, reason]] of expected.entries()) {
      assert.deepEqual(reasons[index]?.slice(0, 2), [id, state]);
      assert.match(reasons[index]?.[2] ?? "", /** @type {RegExp} */ (reason));
    }
  }
});

test("a tcp monitor opens a connection and sends nothing", async (t) => {
  let receivedBytes = 0;
  const { server, port } = await startTcpServer((socket) => {
    socket.on("data", (data) => {
      receivedBytes += data.length;
    });
    socket.on("error", () => {});
  });
  t.after(() => server.close());
  const tcp = { kind: "tcp", "failure-threshold": 1 };
  const refused = REFUSED_URL.replace(/^http:(.*)\/$/, "tcp:$1");
  const edge = await Edge.start([
    defineMonitor("open", `tcp://127.0.0.1:${port}`, tcp),
    defineMonitor("closed", refused, tcp),
    defineMonitor("unknown-host", "tcp://no-such-host.invalid:80", tcp),
    defineMonitor("expected-closed", refused, { ...tcp, conditions: ["[CONNECTED] == false"] }),
  ]);
  t.after(() => edge.stop());
  await edge.tick();
  const { monitors, problems } = await edge.readStatus();
  assert.deepEqual(problems, []);
  assert.deepEqual(await edge.readStates(), ["up", "down", "down", "up"]);
  assert.match(monitors[1].reason, /refused/);
  assert.equal(receivedBytes, 0);
});

test("numbers in a body compare in the Worker as they do natively", async (t) => {
  const body = '{"a":0.1,"b":1e2,"c":1.0,"d":123.40000000000005,"e":0.000000125,"f":-2.50}';
  const target = await Target.start((_, response) => response.end(body));
  t.after(() => target.stop());
  const trueConditions = {
    exact: "[BODY].a == 0.1",
    exponent: "[BODY].b == 100",
    whole: "[BODY].c == 1",
    long: "[BODY].d == 123.40000000000005",
    small: "[BODY].e == 1.25e-07",
    "trailing-zero": "[BODY].f == -2.5",
    ordered: "[BODY].d < 124.5",
  };
  const falseConditions = { "not-exact": "[BODY].a == 0.10000000000000001", below: "[BODY].d > 124.5" };
  const conditions = Object.entries({ ...trueConditions, ...falseConditions });
  const edge = await Edge.start(
    conditions.map(([id, condition]) => defineMonitor(id, target.url, { ...HTTP, conditions: [condition] })),
  );
  t.after(() => edge.stop());
  await edge.tick();
  const { monitors } = await edge.readStatus();
  const states = Object.fromEntries(monitors.map((/** @type {any} */ it) => [it.id, it.state]));
  const expected = conditions.map(([id]) => [id, id in trueConditions ? "up" : "down"]);
  assert.deepEqual(states, Object.fromEntries(expected));
});
