// Every block of code of the pages about alerts and monitors is run by exactly one test: those of `documented-examples.test.mjs`, or one
// of these. A block that is new, or that no longer begins as it is named here, fails the last test.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { parse as parseToml } from "smol-toml";
import { parse as parseYaml } from "yaml";
import { readBlocks, readInlineCode } from "../support/documents.mjs";
import { Edge } from "../support/edge.mjs";
import { HEAPBEAT } from "../support/server.mjs";
import { readBody, Target } from "../support/target.mjs";
import { createTempDir } from "../support/temp-dir.mjs";
import { ADMIN_HEADERS, ADMIN_TOKEN } from "../support/tokens.mjs";

const PAGES = [
  "alerts.md",
  "monitors.md",
  "conditions.md",
  "badges-and-feeds.md",
  "subscribing.md",
  "history.md",
  "cost.md",
];

/** How the blocks begin that `documented-examples.test.mjs` runs: settings, conditions, addresses and two scripts. */
const RUN_ELSEWHERE = [
  /^\[\[?(vars|monitors)/,
  /^conditions = /,
  /^curl .*\/heartbeats\/backup/,
  /^\/api\/v1\/monitors\/api\/(memory|latency|uptime)/,
  /^!\[API\]\(https/,
  /^<script src="https/,
  /^GET {2}\/api\/v1\/admin\/export[\s\S]*\nPOST \/api\/v1\/admin\/import\?schema=/,
  /^from=0-0-0\nwhile/,
];

/** The blocks that were run here, by page and text. @type {Set<string>} */
const run = new Set();

/** Returns the one block of a page that begins like this. @param {string} page @param {string} begins */
function takeBlock(page, begins) {
  const found = readBlocks(page).filter((block) => block.startsWith(begins));
  assert.equal(found.length, 1, `docs/${page}: ${begins}`);
  run.add(`${page}: ${found[0]}`);
  return found[0];
}

/** @type {Edge} */ let edge;
/** The hosts of the examples: Slack and Discord by their paths, and a subscriber. @type {Target} */ let hosts;
let isHealthy = false;
/** What the subscriber received. @type {{ body: any, text: string, headers: import("node:http").IncomingHttpHeaders }[]} */
const received = [];

before(async () => {
  hosts = await Target.start(async (request, response) => {
    const text = await readBody(request);
    if (request.url === "/slack") return void response.end("ok");
    if (request.url === "/discord")
      return void response.writeHead(401).end('{"message": "Invalid Webhook Token", "code": 50027}');
    if (request.url === "/status") {
      const body = JSON.parse(text);
      received.push({ body, text, headers: request.headers });
      return void response.end(body.challenge ?? "");
    }
    if (isHealthy) response.end();
    else request.socket.destroy();
  });
  const ALERTS = [
    { id: "ops", kind: "slack", secret: "OPS" },
    { id: "dev", kind: "discord", secret: "DEV" },
  ];
  const secrets = { OPS: `${hosts.url}/slack`, DEV: `${hosts.url}/discord` };
  const vars = { ADMIN_TOKEN, ALERTS, ...secrets, SUBSCRIPTIONS: 20, STATUS_URL: "https://status.example.com" };
  edge = await Edge.start([{ id: "api", name: "API", kind: "http", url: `${hosts.url}/down` }], { vars });
});

after(async () => {
  await edge?.stop();
  await hosts?.stop();
});

/**
 * Runs a block of commands with `heapbeat` in the path, in a new directory with these files.
 * @param {import("node:test").TestContext} t @param {string} script @param {Record<string, string>} [files]
 * @returns {Promise<{ code: number, stdout: string, stderr: string, directory: string }>}
 */
async function runCommands(t, script, files = {}) {
  const directory = await createTempDir(t);
  mkdirSync(`${directory}/bin`);
  symlinkSync(resolve(HEAPBEAT), `${directory}/bin/heapbeat`);
  for (const [name, text] of Object.entries(files)) writeFileSync(`${directory}/${name}`, text);
  const env = { ...process.env, HEAPBEAT_BIN: undefined, PATH: `${directory}/bin:${process.env.PATH}` };
  const result = await promisify(execFile)("bash", ["-c", script], { cwd: directory, env }).then(
    (done) => ({ code: 0, ...done }),
    (failed) => failed,
  );
  return { ...result, directory };
}

/** Puts the edge of the test and its token in place of those of an example. @param {string} block */
const localize = (block) =>
  block
    .replaceAll(/https:\/\/(status\.example\.com|heapbeat\.example\.workers\.dev)/g, edge.url)
    .replaceAll("https://hooks.example.org", hosts.url)
    .replaceAll("HEAPBEAT_ADMIN_TOKEN=…", `HEAPBEAT_ADMIN_TOKEN=${ADMIN_TOKEN}`);

test("alerts.md: the command that tests the channels prints what the page says", async (t) => {
  const command = takeBlock("alerts.md", "HEAPBEAT_ADMIN_TOKEN=… heapbeat alerts test");
  const { stdout } = await runCommands(t, localize(command));
  assert.equal(stdout.trim(), takeBlock("alerts.md", "ops (slack): accepted"));
});

test("alerts.md and monitors.md: single settings are accepted", async (t) => {
  const quiet = parseToml(takeBlock("alerts.md", "quiet = "));
  const regions = parseToml(takeBlock("monitors.md", "regions = "));
  const monitor = { id: "api", kind: "http", url: "https://api.example.com", ...regions };
  const ALERTS = [{ id: "ops", kind: "slack", secret: "OPS", ...quiet }];
  const vars = { ADMIN_TOKEN, ALERTS, OPS: "https://hooks.example.org/x" };
  const other = await Edge.start([monitor], { vars });
  t.after(() => other.stop());
  const status = /** @type {any} */ (await (await other.requestAsAdmin("GET", "/admin/status")).json());
  assert.deepEqual(status.problems, []);
  assert.deepEqual([Object.keys(quiet), Object.keys(regions)], [["quiet", "time-zone"], ["regions"]]);
});

test("alerts.md: somebody on call acts on an incident as the page says", async () => {
  const [method, path] = takeBlock("alerts.md", "POST /api/v1/admin/incidents/{id}").split(/\s+/);
  const bodies = readInlineCode("alerts.md").filter((code) => /^\{"(note|acknowledge|resolve)"/.test(code));
  assert.equal(bodies.length, 3, "note, acknowledge, resolve");
  const incident = `api-${edge.now / 1000}`;
  await edge.tick();
  for (const body of bodies) {
    const response = await edge.request(path.replace("{id}", incident), { method, headers: ADMIN_HEADERS, body });
    assert.equal(response.status, 200, body);
  }
  const { closed } = /** @type {any} */ (await (await edge.request(`/api/v1/incidents/${incident}`)).json());
  assert.notEqual(closed, null);
});

test("alerts.md: the address of the owner's page is a page", async () => {
  const { pathname } = new URL(takeBlock("alerts.md", "https://status.example.com/owner"));
  const response = await edge.request(pathname, { headers: { accept: "text/html" } });
  assert.equal(response.status, 200);
  assert.match(await response.text(), /data-owner/);
});

test("monitors.md: the commands apply a file, and print mistakes as the page says", async (t) => {
  const commands = takeBlock("monitors.md", "export HEAPBEAT_ADMIN_TOKEN=…");
  const entry = (/** @type {string} */ id) => `[[monitors]]\nid = "${id}"\nkind = "http"\nurl = "https://a.example"\n`;
  const good = await runCommands(t, `set -e\n${localize(commands)}`, { "monitors.toml": entry("shop") });
  assert.equal(good.code, 0, good.stderr);
  const { monitors } = /** @type {any} */ (await (await edge.requestAsAdmin("GET", "/admin/monitors")).json());
  assert.deepEqual(
    monitors.map((/** @type {any} */ { id }) => id),
    ["shop"],
  );
  const secret = '[monitors.headers]\nauthorization = { secret = "MONITOR_B" }\n';
  const waiting = await runCommands(t, `set -e\n${localize(commands)}`, { "monitors.toml": `${entry("b")}${secret}` });
  assert.equal(waiting.code, 0, waiting.stderr);
  const warning = takeBlock("monitors.md", "warning: b: ");
  assert.ok(waiting.stderr.includes(warning), waiting.stderr);
  const file = `${entry("a")}\n${entry("C")}intervall = "60s"\n`;
  const bad = await runCommands(t, localize(commands), { "monitors.toml": file });
  assert.equal(bad.code, 1);
  const mistakes = takeBlock("monitors.md", "monitors.toml:7: ");
  assert.ok(bad.stderr.includes(mistakes) || bad.stdout.includes(mistakes), `${bad.stdout}\n${bad.stderr}`);
});

test("monitors.md: the command converts a configuration of Gatus", async (t) => {
  const gatus = 'endpoints:\n  - name: shop\n    url: "https://a.example"\n    conditions: ["[STATUS] == 200"]\n';
  const command = takeBlock("monitors.md", "heapbeat convert gatus.yaml");
  const { code, directory, stderr } = await runCommands(t, command, { "gatus.yaml": gatus });
  assert.equal(code, 0, stderr);
  const { monitors } = /** @type {any} */ (parseToml(readFileSync(`${directory}/monitors.toml`, "utf8")));
  assert.deepEqual([monitors[0].id, monitors[0].conditions], ["shop", ["[STATUS] == 200"]]);
});

test("conditions.md: the example of a test is one of the native tests", () => {
  takeBlock("conditions.md", "cargo run -p heapbeat-edge --example verdict");
  takeBlock("conditions.md", '{"conditions":["[STATUS] == 200","[BODY].ok == true"]');
  // It reads the lines from the page, and compares them with what the example program writes.
  assert.match(readFileSync("edge/tests/verdict.rs", "utf8"), /include_str!\("\.\.\/\.\.\/docs\/conditions\.md"\)/);
});

test("badges-and-feeds.md: Prometheus finds the metrics where the page says", async () => {
  const { scrape_configs } = parseYaml(takeBlock("badges-and-feeds.md", "scrape_configs:"));
  const [{ scheme, static_configs, metrics_path = "/metrics" }] = scrape_configs;
  assert.deepEqual([scheme, static_configs], ["https", [{ targets: ["status.example.com"] }]]);
  assert.match(await edge.readText(metrics_path), /heapbeat_edge_failing_channels \d/);
});

test("subscribing.md: the messages have the fields of the page, and its code verifies them", async (t) => {
  await edge.tickTimes(2);
  const done = await runCommands(
    t,
    localize(takeBlock("subscribing.md", "curl -X POST https://status.example.com/api/v1/subscriptions")),
  );
  assert.deepEqual([done.code, done.stdout], [0, ""], done.stderr);
  const challenge = JSON.parse(takeBlock("subscribing.md", '{"event":"subscribe"'));
  assert.deepEqual(Object.keys(received[0].body), Object.keys(challenge));
  assert.equal(received[0].body.page, challenge.page);

  // The incident that somebody resolved is over once the monitor is up; another one follows.
  isHealthy = true;
  await edge.tick();
  isHealthy = false;
  edge.now += 3_600_000;
  await edge.tickTimes(2);
  const documented = JSON.parse(takeBlock("subscribing.md", '{"key":"api-'));
  const message = received.find(({ body }) => body.event === "opened");
  assert.ok(message, JSON.stringify(received.map(({ body }) => body.title)));
  assert.deepEqual(Object.keys(message.body), Object.keys(documented));
  const shape = (/** @type {string} */ text) =>
    text.replaceAll(/\d{4}-\d\d-\d\dT[\d:]+Z|\d{10}|sub-[0-9a-f…]+/g, "#").replace(/: (connection|response) \w+/, "");
  for (const field of ["key", "incident", "monitor", "name", "severity", "link", "since", "at"])
    assert.equal(shape(message.body[field]), shape(documented[field]), field);
  assert.match(message.body.title, /^API is down: /);
  assert.match(message.body.text, /^Cause: .+\.\nSince .+Z\.$/);

  const code = takeBlock("subscribing.md", "const key = Buffer.from(secret");
  const verify = new Function("secret", "id", "timestamp", "body", "createHmac", "Buffer", `${code}\nreturn ours;`);
  const { headers, text } = message;
  const signature = verify(
    received[0].body.secret,
    headers["webhook-id"],
    headers["webhook-timestamp"],
    text,
    createHmac,
    Buffer,
  );
  assert.equal(headers["webhook-signature"], `v1,${signature}`);

  for (const line of takeBlock("subscribing.md", "GET    /api/v1/admin/subscriptions").split("\n")) {
    const [method, path] = line.split(/\s+/);
    const body = method === "DELETE" ? JSON.stringify({ url: `${hosts.url}/status` }) : undefined;
    const response = await edge.request(path, { method, headers: ADMIN_HEADERS, body });
    assert.equal(response.status, method === "GET" ? 200 : 204, line);
  }
});

test("subscribing.md: the keys of push messages, and the body by which a browser subscribes", async () => {
  const [command, goal] = takeBlock("subscribing.md", "make push-keys").split(" ");
  const { stdout } = await promisify(execFile)(command, ["--silent", goal]);
  for (const name of ["VAPID_PUBLIC_KEY", "VAPID_PRIVATE_KEY", "VAPID_SUBJECT"]) assert.match(stdout, new RegExp(name));
  const body = JSON.parse(takeBlock("subscribing.md", '{"url":"https://fcm.googleapis.com'));
  const document = JSON.parse(readFileSync("edge/assets/api/v1/openapi.json", "utf8"));
  const { SubscriptionRequest, Address } = document.components.schemas;
  for (const schema of [SubscriptionRequest, Address])
    for (const name of Object.keys(body)) assert.ok(schema.properties[name], `${name} of ${schema.description}`);
  assert.deepEqual(Object.keys(body.keys).sort(), ["auth", "p256dh"]);
});

test("history.md: the days have the form of the page", async () => {
  const [path, json] = takeBlock("history.md", "/api/v1/monitors/api/days").split(/\s+/);
  const [documented] = JSON.parse(json.replace(",…", ""));
  const days = /** @type {any} */ (await (await edge.request(path)).json());
  assert.deepEqual([days.length, Object.keys(days[0])], [90, Object.keys(documented)]);
});

test("cost.md: the command that measures a day exists", async () => {
  const [command, goal] = takeBlock("cost.md", "make budget").split(" ");
  const { stdout } = await promisify(execFile)(command, ["--dry-run", goal]);
  assert.match(stdout, /tools\/budget\.mjs/);
});

test("no block of these pages is left out", () => {
  for (const page of PAGES) {
    for (const block of readBlocks(page)) {
      const times = RUN_ELSEWHERE.filter((begin) => begin.test(block)).length + Number(run.has(`${page}: ${block}`));
      assert.equal(times, 1, `docs/${page}, run by ${times} tests:\n${block}`);
    }
  }
});
