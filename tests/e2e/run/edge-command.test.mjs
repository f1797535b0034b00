// `heapbeat-edge` in the folder of a project: it says what is wrong with the settings, the port and the folder before anybody has to read a log.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { findLine } from "../../../tools/edge/config-check.mjs";
import { describeOldNode } from "../../../tools/edge/node-version.mjs";
import { RunningCommand, runIn } from "../support/packages.mjs";
import { commandOf, findDescendants } from "../support/process-tree.mjs";
import { findFreePort, startTcpServer } from "../support/target.mjs";
import { createTempDir } from "../support/temp-dir.mjs";
import { waitUntil } from "../support/wait.mjs";

const COMMAND = [process.execPath, resolve("tools/edge/heapbeat-edge.mjs")];

/** The settings of the repository that are not about monitors, with the Worker that was built here. */
const [FIXED = ""] = readFileSync("wrangler.toml", "utf8")
  .replace(/^\[build\]\n.*\n/m, "")
  .replace('"edge/build/index.js"', JSON.stringify(resolve("edge/build/index.js")))
  .replace('"edge/assets"', JSON.stringify(resolve("edge/assets")))
  .split("# The monitors.");

const MISTAKES = `
[vars.PAGE]
titel = "Shop"

[[vars.MONITORS]]
id = "shop"
kind = "http"
url = "https://shop.invalid/"
intervall = "5m"

[[vars.MONITORS]]
id = "api"
kind = "htpp"
url = "https://api.invalid/"
conditions = ["[STATUS] == 200"]

[[vars.ALERT]]
id = "ops"
kind = "slack"
secret = "OPS_SLACK_URL"
`;

const SOUND = `
[[vars.MONITORS]]
id = "shop"
kind = "http"
url = "https://shop.invalid/"

[[vars.ALERTS]]
id = "ops"
kind = "slack"
secret = "OPS_SLACK_URL"
`;

/** A folder with these settings. @param {import("node:test").TestContext} t @param {string} settings */
async function createProject(t, settings) {
  const folder = await createTempDir(t);
  writeFileSync(join(folder, "wrangler.toml"), settings);
  return folder;
}

/** The line of a text, from 1. @param {string} text @param {string} part */
const lineOf = (text, part) => text.slice(0, text.indexOf(part)).split("\n").length;

/** What each mistake is reported as. @param {string} text @param {[string, string, RegExp][]} mistakes @returns {RegExp[]} */
const describe = (text, mistakes) =>
  mistakes.map(([at, position, reason]) => {
    const place = `wrangler.toml:${lineOf(text, at)}: ${position}: `.replace(/[.[\]]/g, "\\$&");
    return new RegExp(place + reason.source);
  });

/** @type {[string, string, RegExp][]} */
const REPORTED = [
  ["titel =", "PAGE.titel", /.*`?title`?/],
  ["intervall =", "MONITORS[0].intervall", /.*interval/],
  ['kind = "htpp"', "MONITORS[1].kind", /.*http/],
  ["[[vars.ALERT]]", "ALERT", /.*did you mean `ALERTS`/],
];

const ENV = { NO_COLOR: "1", CI: "true" };

test("deploy refuses settings that the edge rejects, with the line of each", async (t) => {
  const settings = `STATUS_URL = "https://status.invalid"\n${FIXED}${MISTAKES}`;
  const folder = await createProject(t, settings);
  await assert.rejects(runIn(folder, [...COMMAND, "deploy", "--yes"], ENV), (/** @type {Error} */ { message }) => {
    assert.match(message, /ended with 2/);
    for (const report of describe(settings, REPORTED)) assert.match(message, report);
    assert.match(message, /wrangler\.toml:1: STATUS_URL: .*below \[vars\]/);
    assert.match(message, /nothing was deployed: correct these settings, or .*--ignore-problems/);
    return true;
  });
});

test("deploy accepts sound settings, and names a secret that is not here", async (t) => {
  const folder = await createProject(t, FIXED + SOUND);
  await assert.rejects(runIn(folder, [...COMMAND, "deploy"], ENV), (/** @type {Error} */ { message }) => {
    assert.match(message, /no problems/);
    assert.match(message, /OPS_SLACK_URL is not in \.dev\.vars: .*npx wrangler secret put OPS_SLACK_URL/);
    assert.match(message, /nothing was deployed: without a terminal/);
    return true;
  });
});

test("deploy goes on with a note where the settings cannot be checked, as no Worker runs there", async (t) => {
  const folder = await createProject(t, FIXED + SOUND);
  const env = { ...ENV, MINIFLARE_WORKERD_PATH: "/bin/false" };
  await assert.rejects(runIn(folder, [...COMMAND, "deploy"], env), (/** @type {Error} */ { message }) => {
    assert.match(message, /the settings could not be checked/);
    assert.match(message, /nothing was deployed: without a terminal/);
    return true;
  });
});

test("deploy that is interrupted leaves neither the edge nor a copy of the secrets", async (t) => {
  const folder = await createProject(t, FIXED + SOUND);
  const temporary = await createTempDir(t);
  writeFileSync(join(folder, ".dev.vars"), 'HEAPBEAT_SECRET="0123456789abcdef0123456789abcdef"\n');
  const env = { ...process.env, ...ENV, TMPDIR: temporary };
  const command = new RunningCommand(folder, [...COMMAND, "deploy", "--yes"], env);
  t.after(() => command.stop());
  const copy = () => readdirSync(temporary).find((it) => it.startsWith("heapbeat-check-"));
  await waitUntil("the edge runs", () => existsSync(join(temporary, copy() ?? "", "state")));
  const edges = findDescendants(command.pid);
  assert.ok(edges.length > 0);
  process.kill(command.pid, "SIGINT");
  const [code] = await command.exit;
  assert.equal(code, 130, command.log.join("\n"));
  assert.equal(copy(), undefined);
  await waitUntil("the edge has ended", () => edges.every((pid) => commandOf(pid) === ""));
  assert.ok(!command.log.some((line) => line.startsWith("== monitors")), "it did not go on");
});

test("dev says what is wrong with the settings, and a second one in the folder is refused", async (t) => {
  const settings = FIXED + MISTAKES;
  const folder = await createProject(t, settings);
  const start = async () =>
    new RunningCommand(folder, [...COMMAND, "dev"], {
      ...process.env,
      ...ENV,
      EDGE_PORT: String(await findFreePort()),
    });
  const first = await start();
  t.after(() => first.stop());
  for (const report of describe(settings, REPORTED)) {
    await waitUntil(String(report), () => first.hasPrinted(report));
  }
  const second = await start();
  const [code] = await second.exit;
  assert.equal(code, 2);
  const said = second.log.join("\n");
  assert.match(said, new RegExp(`runs already \\(process ${first.pid}\\), .*HEAPBEAT_STATE=\\.heapbeat-2`));
});

test("a folder whose edge was killed can be used again", async (t) => {
  const folder = await createProject(t, FIXED + SOUND);
  const lock = join(folder, "claim.mjs");
  const module = resolve("tools/edge/dev-lock.mjs");
  writeFileSync(
    lock,
    `import { claimStateDir } from ${JSON.stringify(module)};
console.log((await claimStateDir("state")) ?? "claimed");
if (process.argv[2]) process.kill(process.pid, "SIGKILL");\n`,
  );
  await assert.rejects(runIn(folder, [process.execPath, lock, "killed"]), /SIGKILL:\nclaimed/);
  assert.match(await runIn(folder, [process.execPath, lock]), /^claimed/);
});

test("a port that is taken stops dev with one that is free", async (t) => {
  const { server, port } = await startTcpServer();
  t.after(() => server.close());
  const folder = await createProject(t, FIXED + SOUND);
  const refused = runIn(folder, [...COMMAND, "dev"], { ...ENV, EDGE_PORT: String(port) });
  await assert.rejects(refused, new RegExp(`port ${port} is taken .*EDGE_PORT=\\d+ npx heapbeat-edge dev`));
});

test("a position in the settings has its line", () => {
  const text = `name = "x"
[vars]
STATUS_URL = "x"
MAINTENANCE = [ { id = "a" } ]
[[vars.MONITORS]]
id = "one"
interval = "x"
[[vars.MONITORS]]
id = "two"
[vars.MONITORS.headers]
x-a = "b"
[observability]
enabled = true
[[vars.ALERTS]]
id = "ops"
"quiet" = "x"
[vars.PAGE]
links = []
`;
  for (const [position, line] of /** @type {const} */ ([
    ["STATUS_URL", 3],
    ["MAINTENANCE[0].duration", 4],
    ["MONITORS[0].interval", 7],
    ["MONITORS[0].timeout", 5],
    ["MONITORS[1]", 8],
    ["MONITORS[1].headers.x-a", 10],
    ["two", 8],
    ["ALERTS.ops", 14],
    ["ALERTS[0].quiet", 16],
    ["PAGE.links[0].url", 18],
    ["store.samples", undefined],
  ])) {
    assert.equal(findLine(text, position), line, position);
  }
});

test("an old version of Node is named before wrangler ends because of it", () => {
  for (const [version, isOld] of /** @type {const} */ ([
    ["18.20.8", true],
    ["20.20.2", true],
    ["22.11.0", true],
    ["22.12.0", false],
    ["24.0.1", false],
  ])) {
    assert.equal(describeOldNode(version) !== undefined, isOld, version);
  }
  assert.match(describeOldNode("20.20.2") ?? "", /^this is Node 20\.20\.2, and wrangler runs on 22\.12 or later/);
});
