// Every example of the pages about the edge is run: settings, conditions, addresses and commands.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { parse } from "smol-toml";
import { PAGES, readBlocks, readInlineCode } from "../support/documents.mjs";
import { Edge } from "../support/edge.mjs";
import { Target } from "../support/target.mjs";
import { createTempDir } from "../support/temp-dir.mjs";
import { ADMIN_TOKEN, HEARTBEAT_TOKEN } from "../support/tokens.mjs";

const run = promisify(execFile);

/** A monitor with the id that the examples use, its incident, and a job. */
const API = { id: "api", kind: "http", url: "https://api.example.com/status" };
const INCIDENT = "api-1767225900";
const BACKUP = { id: "backup", kind: "heartbeat", interval: "24h" };

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
let isHealthy = true;

before(async () => {
  target = await Target.start((_, response) => response.writeHead(isHealthy ? 200 : 503).end());
  const monitors = [{ id: "api", kind: "http", url: target.url }, BACKUP];
  edge = await Edge.start(monitors, { vars: { ADMIN_TOKEN, HEARTBEAT_TOKEN } });
  // The incident of the examples opens in the sixth minute.
  for (let minute = 0; minute < 8; minute += 1) {
    isHealthy = minute < 5;
    await edge.tick();
  }
});

after(async () => {
  await edge?.stop();
  await target?.stop();
});

/** Starts an edge with these variables, and returns the problems that its owner sees. @param {Record<string, any>} vars */
async function readProblems({ MONITORS = [API], ...vars }) {
  const other = await Edge.start(MONITORS, { vars: { ADMIN_TOKEN, ...vars } });
  try {
    const status = /** @type {any} */ (await (await other.requestAsAdmin("GET", "/admin/status")).json());
    return status.problems;
  } finally {
    await other.stop();
  }
}

test("the edge accepts every block of settings", async () => {
  let count = 0;
  for (const page of PAGES) {
    for (const block of readBlocks(page).filter((text) => text.startsWith("["))) {
      const { vars = {}, monitors } = /** @type {any} */ (parse(block));
      if (monitors) vars.MONITORS = monitors;
      if (Object.keys(vars).length === 0) continue;
      const secrets = [...JSON.stringify(vars).matchAll(/"secret":"(\w+)"/g)].map(([, name]) => name);
      const values = Object.fromEntries(secrets.map((name) => [name, "https://hooks.example.org/0123456789abcdef"]));
      assert.deepEqual(await readProblems({ ...vars, ...values }), [], `docs/${page}: ${block}`);
      count += 1;
    }
  }
  assert.ok(count >= 8, `only ${count} blocks were found`);
});

test("the edge accepts every condition, and rejects those that are said to be rejected", async () => {
  const isCondition = (/** @type {string} */ code) => /^[[a-z][^"].* (==|!=|<|<=|>|>=) \S/.test(code);
  const pages = ["conditions.md", "monitors.md"];
  const inline = pages.flatMap(readInlineCode).filter(isCondition);
  // Texts that are shown to the owner have the values found in parentheses, and one example lacks a bracket.
  const valid = inline.filter((code) => !/\] \(|\)?\w \(|\[STATUS ==/.test(code));
  const lists = readBlocks("conditions.md").filter((block) => block.startsWith("conditions"));
  const tables = lists.map((block) => /** @type {any} */ (parse(block)));
  // Each alone, as some of them contradict each other.
  const alone = valid.map((condition) => [condition]);
  const monitors = [...alone, ...tables.map(({ conditions }) => conditions), ...tables.map(({ degraded }) => degraded)];
  assert.ok(valid.length >= 5 && tables.length > 0, JSON.stringify(valid));
  const entries = monitors.map((conditions, index) => ({ ...API, id: `m${index}`, conditions }));
  assert.deepEqual(await readProblems({ MONITORS: entries }), []);

  const rejected = ["[IP]", "[CERTIFICATE_EXPIRATION]", "[CONTEXT]"];
  const mistakes = ["[STATSU]", "[COOKIE].x", "length([BODY])", "[BODY].a[x]"];
  const code = readInlineCode("conditions.md");
  for (const example of [...rejected, ...mistakes]) assert.ok(code.includes(example), `${example} is not on the page`);
  const wrong = [...rejected, ...mistakes].map((value) => `${value} == 1`).concat("[STATUS == 200");
  const problems = await readProblems({ MONITORS: [API, { ...API, id: "wrong", conditions: wrong }] });
  assert.deepEqual(
    problems.map((/** @type {any} */ { position }) => position),
    wrong.map((_, index) => `MONITORS[1].conditions[${index}]`),
  );
});

test("every documented address answers", async () => {
  const addresses = new Set();
  for (const page of ["api.md", "badges-and-feeds.md", "history.md", "monitors.md", "status-page.md"]) {
    for (const code of [...readBlocks(page), ...readInlineCode(page)]) {
      for (const [, path] of code.matchAll(
        /(?:^|[\s'"(]|GET\s+)(?:https:\/\/status\.example\.com)?(\/[a-z][^\s'")]*)/g,
      )) {
        addresses.add(path);
      }
    }
  }
  const known = /^\/(api\/v1\/|badge\/|feed\.|calendar|metrics|widget)/;
  const needsMore = /…|\/admin\/|\/heartbeats|\/subscriptions/;
  const paths = [...addresses].filter((path) => known.test(path) && !needsMore.test(path));
  assert.ok(paths.length >= 15, `only ${paths} were found`);
  for (const path of paths) {
    const response = await edge.request(path.replace("incidents/{id}", `incidents/${INCIDENT}`).replace("{id}", "api"));
    await response.arrayBuffer();
    assert.equal(response.status, 200, path);
  }
});

test("the commands of a job report its start and its end", async () => {
  const block = readBlocks("monitors.md").find((text) => text.includes("/heartbeats/backup?event=start"));
  const script = String(block).replaceAll("https://…", edge.url).replaceAll("./backup.sh", "true");
  assert.equal((await edge.readMonitor("backup")).state, "unobserved");
  await run("bash", ["-e", "-c", script], { env: { ...process.env, TOKEN: HEARTBEAT_TOKEN } });
  assert.equal((await edge.tickAndReadMonitor("backup")).state, "up");
});

test("the commands that copy everything write all pages", async (t) => {
  const block = readBlocks("history.md").find((text) => text.startsWith("from=0-0-0"));
  const directory = await createTempDir(t);
  const env = { ...process.env, TOKEN: ADMIN_TOKEN };
  await run("bash", ["-e", "-c", String(block).replaceAll("https://…", edge.url)], { cwd: directory, env });
  const pages = readdirSync(directory).map((name) => readFileSync(`${directory}/${name}`, "utf8"));
  assert.match(pages.join(""), /"table":"heartbeat"/);
  const { schema } = JSON.parse(pages[0].split("\n")[0]);
  assert.ok(readBlocks("history.md").some((text) => text.includes(`/api/v1/admin/import?schema=${schema}`)));
});
