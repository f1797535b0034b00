// Who wants to be told by a webhook of their own: what proves it, what they are told, and what they cannot do to anybody.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { AlertServices, defineChannels } from "../support/alert-services.mjs";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Target } from "../support/target.mjs";
import { WebhookReceiver } from "../support/webhook-receiver.mjs";

const TOKEN = "0123456789abcdef0123";
const PATH = "/api/v1/subscriptions";

/** @type {WebhookReceiver} */ let receiver;
/** @type {AlertServices} */ let services;
/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
let fine = true;

const watched = () => [
  defineMonitor("api", target.url, { kind: "http", "failure-threshold": 1 }),
  defineMonitor("web", target.url, { kind: "http", "failure-threshold": 1 }),
  defineMonitor("hidden", target.url, { kind: "http", "failure-threshold": 1, public: false }),
];

const variables = () => ({ ADMIN_TOKEN: TOKEN, SUBSCRIPTIONS: 3, ...defineChannels(services.url) });

before(async () => {
  receiver = await WebhookReceiver.start();
  services = await AlertServices.start();
  target = await Target.start((_, response) => response.writeHead(fine ? 200 : 503).end());
  edge = await Edge.start(watched(), { vars: variables() });
  await edge.tick();
});

after(async () => {
  await edge?.stop();
  await target?.stop();
  await services?.stop();
  await receiver?.stop();
});

afterEach(async () => {
  fine = true;
  receiver.hangs = false;
  receiver.response = { status: 200 };
  receiver.answerChallenge = (challenge) => challenge;
  for (const { url } of await listed()) await ask("DELETE", { url }, { path: "/api/v1/admin/subscriptions" });
  receiver.accepted = {};
  assert.deepEqual(receiver.violations, []);
});

/** @param {string} method @param {unknown} body @param {{ path?: string, worker?: Edge }} [where] */
async function ask(method, body, { path = PATH, worker = edge } = {}) {
  const answer = await fetch(`${worker.url}${path}`, {
    method,
    headers: path === PATH ? {} : { authorization: `Bearer ${TOKEN}` },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return { status: answer.status, detail: answer.status < 300 ? "" : (await answer.json()).detail };
}

/** The list as the owner sees it. @param {Edge} [worker] */
async function listed(worker = edge) {
  const headers = { authorization: `Bearer ${TOKEN}` };
  const answer = await fetch(`${worker.url}/api/v1/admin/subscriptions`, { headers });
  return /** @type {any} */ (await answer.json()).subscriptions;
}

/** An outage of everything, told, and its end. @param {number} [minutes] ticks of each, one sends ten */
async function outage(minutes = 2) {
  edge.now += 30 * 60_000;
  await edge.tick();
  fine = false;
  for (let i = 0; i < minutes; i += 1) await edge.tick();
  fine = true;
  for (let i = 0; i < minutes + 2; i += 1) await edge.tick();
}

test("it is off unless it is configured as it should be", async () => {
  const other = await Edge.start(watched(), {});
  const odd = await Edge.start(watched(), { vars: { SUBSCRIPTIONS: 41 } });
  try {
    for (const worker of [other, odd]) {
      assert.equal((await ask("POST", { url: receiver.urlOf("/off") }, { worker })).status, 404);
    }
    const problems = async (/** @type {Edge} */ worker) =>
      (await worker.readStatus()).problems.map((/** @type {any} */ it) => it.position);
    assert.deepEqual([await problems(other), await problems(odd)], [[], ["SUBSCRIPTIONS"]]);
    assert.deepEqual(
      receiver.requests.filter(({ path }) => path === "/off"),
      [],
    );
  } finally {
    await other.stop();
    await odd.stop();
  }
});

test("an address that proves it is told what the page shows, signed, in order, and the owner is told first", async () => {
  const url = receiver.urlOf("/all?key=k");
  assert.equal((await ask("POST", { url })).status, 204);
  assert.equal((await ask("POST", { url: receiver.urlOf("/web"), monitors: ["web"] })).status, 204);
  const [{ body }] = receiver.requests.filter(({ path }) => path === "/all?key=k");
  assert.deepEqual(Object.keys(body), ["event", "page", "challenge", "secret"]);
  assert.deepEqual([body.event, body.page], ["subscribe", edge.url]);
  assert.match(body.secret, /^whsec_[A-Za-z0-9+/]{32}$/);
  await outage(4);
  assert.deepEqual(receiver.listEvents("/all?key=k"), ["api opened", "web opened", "api recovered", "web recovered"]);
  assert.deepEqual(receiver.listEvents("/web"), ["web opened", "web recovered"]);
  const [opened] = receiver.accepted["/web"];
  assert.equal(opened.title, "WEB is down: the answer had status 503");
  assert.ok(
    services.accepted.hook.some((message) => message.monitor === "hidden"),
    "the owner hears of what is not public",
  );
  assert.ok(!JSON.stringify(receiver.accepted).includes("hidden"));
});

test("nothing is stored of an address that does not answer with the challenge", async () => {
  const echoes = {
    wrong: () => "f".repeat(32),
    empty: () => "",
    more: (/** @type {string} */ challenge) => `${challenge} and more`,
    endless: (/** @type {string} */ challenge) => challenge + " ".repeat(100_000),
  };
  const said = new Set();
  for (const [name, echo] of Object.entries(echoes)) {
    receiver.answerChallenge = echo;
    const { status, detail } = await ask("POST", { url: receiver.urlOf(`/${name}`) });
    assert.equal(status, 403, name);
    said.add(detail);
  }
  receiver.answerChallenge = (challenge) => challenge;
  const elsewhere = await ask("POST", { url: receiver.urlOf("/redirect") });
  const nobody = await ask("POST", { url: "http://127.0.0.1:1/" });
  receiver.hangs = true;
  const silent = await ask("POST", { url: receiver.urlOf("/silent") });
  assert.deepEqual([elsewhere.status, nobody.status, silent.status], [403, 403, 403]);
  for (const { detail } of [elsewhere, nobody, silent]) said.add(detail);
  assert.equal(said.size, 1, "who asks does not learn what answers where");
  assert.ok(!receiver.requests.some(({ path }) => path === "/redirected"), "redirects are not followed");
  assert.deepEqual(await listed(), []);
});

test("what cannot be asked for is refused before anybody is asked", async () => {
  const before = receiver.requests.length;
  const url = receiver.urlOf("/x");
  const cases = [
    [{}, /send \{"url"/],
    ["text", /send \{"url"/],
    [{ url: 5 }, /send/],
    [{ url, more: 1 }, /send/],
    [{ url, monitors: "api" }, /send/],
    [{ url, monitors: Array.from({ length: 21 }, (_, i) => `m${i}`) }, /send/],
    [{ url, monitors: ['api","name":"API'] }, /send/],
    [{ url: "no address" }, /^url: /],
    [{ url: "ftp://example.com/" }, /^url: /],
    [{ url: "https://user:word@example.com/" }, /^url: /],
    [{ url, monitors: ["api", "nothing"] }, /^monitors: there is no nothing$/],
    [{ url, monitors: ["hidden"] }, /^monitors: there is no hidden$/],
  ];
  for (const [body, expected] of cases) {
    const { status, detail } = await ask("POST", body);
    assert.equal(status, 400, JSON.stringify(body));
    assert.match(detail, /** @type {RegExp} */ (expected), JSON.stringify(body));
  }
  assert.equal((await ask("POST", { url: "x".repeat(5000) })).status, 413);
  assert.equal((await ask("GET", undefined)).status, 405);
  assert.equal(receiver.requests.length, before);
});

test("private addresses and plain http are refused", async () => {
  const strict = await Edge.start([], { vars: { SUBSCRIPTIONS: 3, ALLOW_PRIVATE_TARGETS: "false" } });
  try {
    for (const url of [
      receiver.urlOf("/x"),
      "https://127.0.0.1/",
      "https://0x7f.1/",
      "https://[::1]/",
      "https://10.0.0.1/",
      "https://169.254.169.254/latest/meta-data",
      "https://localhost/",
      "https://router.local/",
      "https://[::ffff:192.168.0.1]/",
      "http://example.com/",
    ]) {
      const { status, detail } = await ask("POST", { url }, { worker: strict });
      assert.deepEqual([status, detail.startsWith("url: ")], [400, true], url);
    }
  } finally {
    await strict.stop();
  }
});

test("there are as many as there may be, and one address is one", async () => {
  for (const name of ["/one", "/two", "/three"])
    assert.equal((await ask("POST", { url: receiver.urlOf(name) })).status, 204);
  const full = await ask("POST", { url: receiver.urlOf("/four") });
  assert.deepEqual([full.status, /nobody more/.test(full.detail)], [409, true]);
  const before = receiver.secrets["/two"];
  assert.equal((await ask("POST", { url: receiver.urlOf("/two"), monitors: ["web"] })).status, 204);
  assert.notEqual(receiver.secrets["/two"], before, "a new secret, which holds from now on");
  const all = await listed();
  assert.deepEqual(
    all.map((/** @type {any} */ it) => [new URL(it.url).pathname, it.monitors]),
    [
      ["/one", []],
      ["/three", []],
      ["/two", ["web"]],
    ],
  );
  assert.ok(!JSON.stringify(all).includes("whsec_"));
  assert.equal((await ask("DELETE", { url: all[0].url }, { path: "/api/v1/admin/subscriptions" })).status, 204);
  assert.equal((await ask("POST", { url: receiver.urlOf("/four") })).status, 204, "there is room again");
});

test("an address that proves it is told no more, and nobody else can end it", async () => {
  const url = receiver.urlOf("/leaves");
  assert.equal((await ask("POST", { url })).status, 204);
  receiver.answerChallenge = () => "no";
  assert.equal((await ask("DELETE", { url })).status, 403);
  assert.equal((await listed()).length, 1);
  receiver.answerChallenge = (challenge) => challenge;
  assert.equal((await ask("DELETE", { url })).status, 204);
  const { body } = /** @type {any} */ (receiver.requests.at(-1));
  assert.deepEqual([body.event, body.secret], ["unsubscribe", null]);
  assert.deepEqual(await listed(), []);
  assert.equal((await ask("DELETE", { url })).status, 204, "saying it again does no harm");
  await outage();
  assert.deepEqual(receiver.listEvents("/leaves"), []);
});

test("one that fails or is busy gets each message once and in order, and the owner's alerts do not wait", async () => {
  assert.equal((await ask("POST", { url: receiver.urlOf("/slow"), monitors: ["api"] })).status, 204);
  edge.now += 30 * 60_000;
  await edge.tick();
  const taken = services.accepted.hook.length;
  receiver.response = { status: 500 };
  fine = false;
  await edge.tick();
  receiver.response = { status: 429, retryAfter: "120" };
  await edge.tick();
  const asked = receiver.requests.length;
  receiver.response = { status: 200 };
  fine = true;
  await edge.tick();
  assert.equal(receiver.requests.length, asked, "two minutes were asked for");
  for (let i = 0; i < 6; i += 1) await edge.tick();
  assert.deepEqual(receiver.listEvents("/slow"), ["api opened", "api recovered"]);
  assert.ok(services.accepted.hook.length > taken);
  const { problems } = await edge.readStatus();
  assert.deepEqual(problems, [], "the page says nothing of strangers");
});

test("one that is gone is taken out, and one that takes nothing for three days", async () => {
  assert.equal((await ask("POST", { url: receiver.urlOf("/gone") })).status, 204);
  receiver.response = { status: 410 };
  await outage();
  assert.deepEqual(await listed(), []);
  assert.deepEqual(receiver.listEvents("/gone"), []);

  assert.equal((await ask("POST", { url: receiver.urlOf("/dead") })).status, 204);
  receiver.response = { status: 500 };
  await outage();
  edge.now += 2 * 86_400_000;
  await edge.tick();
  assert.equal((await listed()).length, 1, "not yet");
  edge.now += 86_400_000 + 3_600_000;
  await edge.tick();
  assert.deepEqual(await listed(), []);
});

test("strangers who never answer cost the hub few rows and no request too many", async () => {
  for (const name of ["/a", "/b", "/c"]) assert.equal((await ask("POST", { url: receiver.urlOf(name) })).status, 204);
  receiver.response = { status: 500 };
  await outage();
  for (let i = 0; i < 12; i += 1) await edge.tick(); // until the owner's alerts are out
  const before = (await edge.readStatus()).edge;
  for (let i = 0; i < 60; i += 1) await edge.tick();
  const now = (await edge.readStatus()).edge;
  // A row a tick, one an hour for the latencies, and none for those that fail.
  assert.ok(now.rows_written - before.rows_written <= 66, `${now.rows_written - before.rows_written} rows`);
  assert.ok(now.busiest_tick_subrequests <= 50);
});

test("what is known outlives the worker, and is in an export", async () => {
  const state = await mkdtemp(join(tmpdir(), "heapbeat-subscriptions-"));
  const vars = { ADMIN_TOKEN: TOKEN, SUBSCRIPTIONS: 1 };
  let worker = await Edge.start(watched(), { stateDir: state, vars });
  try {
    await worker.tick();
    assert.equal((await ask("POST", { url: receiver.urlOf("/kept"), monitors: ["api"] }, { worker })).status, 204);
    receiver.response = { status: 500 };
    fine = false;
    await worker.tick();
    const { now } = worker;
    await worker.stop();
    receiver.response = { status: 200 };
    worker = await Edge.start(watched(), { stateDir: state, vars });
    worker.now = now;
    await worker.tick();
    assert.deepEqual(receiver.listEvents("/kept"), ["api opened"]);
    const headers = { authorization: `Bearer ${TOKEN}` };
    const page = await (await fetch(`${worker.url}/api/v1/admin/export?from=0-0`, { headers })).text();
    const row = page.split("\n").find((line) => line.includes('"subscriptions"')) ?? "";
    assert.ok(row.includes(receiver.urlOf("/kept")) && row.includes(receiver.secrets["/kept"]), row);
  } finally {
    await worker.stop();
    await rm(state, { recursive: true, force: true });
  }
});

test("every hub tells of its own monitors, hears late where it did not answer, and sends away for all", async () => {
  const list = Array.from({ length: 60 }, (_, i) =>
    defineMonitor(`m${i}`, target.url, { kind: "http", "failure-threshold": 1 }),
  );
  const worker = await Edge.start([], { faultInjection: true, vars: { ADMIN_TOKEN: TOKEN, SUBSCRIPTIONS: 5 } });
  try {
    const headers = { authorization: `Bearer ${TOKEN}` };
    const body = JSON.stringify({ monitors: list });
    const applied = await fetch(`${worker.url}/api/v1/admin/monitors`, { method: "PUT", headers, body });
    assert.equal(applied.status, 200);
    await worker.tick();
    assert.equal((await worker.readStatus()).edge.hubs, 2);
    assert.equal((await worker.requestHub(0, "/monitors/m59/now")).status, 421, "another hub's");
    await worker.injectFault("hub-1");
    assert.equal((await ask("POST", { url: receiver.urlOf("/m59"), monitors: ["m59"] }, { worker })).status, 204);
    await worker.tick();
    await worker.clearFault();
    await worker.tick(); // it hears of it
    await worker.injectFault("hub-0");
    assert.equal((await ask("POST", { url: receiver.urlOf("/no") }, { worker })).status, 503);
    await worker.clearFault();
    assert.deepEqual(
      (await listed(worker)).map((/** @type {any} */ it) => it.monitors),
      [["m59"]],
    );
    fine = false;
    await worker.tick();
    assert.deepEqual(receiver.listEvents("/m59"), ["m59 opened"]);
    receiver.response = { status: 410 };
    fine = true;
    for (let i = 0; i < 4; i += 1) await worker.tick();
    assert.deepEqual(await listed(worker), []);
  } finally {
    await worker.stop();
  }
});
