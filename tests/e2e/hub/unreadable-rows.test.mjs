// Rows of the store that cannot be read, as a disk, a mistake or an older version may leave them: each is set aside and named to the owner, and
// the hub goes on with the rest. The rows are changed in the files of workerd while it does not run.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Target } from "../support/target.mjs";
import { createTempDir } from "../support/temp-dir.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";

/** @type {Target} */ let target;
let isHealthy = true;

before(async () => {
  target = await Target.start((_, response) => response.writeHead(isHealthy ? 200 : 503).end());
});

after(async () => target?.stop());

/** Opens the database of the hub. @param {string} stateDir */
function openDatabase(stateDir) {
  const files = readdirSync(stateDir, { recursive: true }).map(String);
  for (const file of files.filter((name) => name.endsWith(".sqlite"))) {
    const database = new DatabaseSync(join(stateDir, file));
    if (database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'tick'").get()) return database;
    database.close();
  }
  throw new Error(`no database of a hub among ${files.join(", ")}`);
}

/** One damage for each table, and how the owner is told. @type {Record<string, string[]>} */
const DAMAGES = {
  ledger: [
    "UPDATE ledger SET state = 'sideways' WHERE monitor = 'web'",
    "INSERT INTO ledger VALUES ('A B', 1767225600000, 'up')",
  ],
  incident: ["UPDATE incident SET body = x'ff'"],
  heartbeat: ["UPDATE heartbeat SET body = x'9f'"],
  notification: ["INSERT OR REPLACE INTO notification VALUES ('ops', x'00')"],
  setting: ["UPDATE setting SET body = '7 9' WHERE name = 'maintenance'"],
  tick: [
    "UPDATE tick SET states = x'9f' WHERE at_ms = (SELECT max(at_ms) FROM tick)",
    "UPDATE tick SET probes = x'' WHERE at_ms = (SELECT min(at_ms) FROM tick)",
  ],
};

test("rows that cannot be read are set aside, named, and the hub goes on", async (t) => {
  const stateDir = await createTempDir(t);
  const options = {
    stateDir,
    vars: {
      ADMIN_TOKEN,
      ALERTS: [{ id: "ops", kind: "webhook", secret: "OPS_URL" }],
      OPS_URL: "https://hooks.invalid/x",
    },
  };
  const monitors = [
    defineMonitor("web", target.url, { kind: "http", "failure-threshold": 1 }),
    defineMonitor("api", target.url, { kind: "http", "failure-threshold": 1 }),
    { id: "job", kind: "heartbeat", interval: "1h" },
  ];
  const first = await Edge.start(monitors, options);
  await first.tickTimes(3);
  const window = { id: "move", title: "We move", from: "2026-02-01T00:00Z", to: "2026-02-01T01:00Z" };
  assert.equal((await first.requestAsAdmin("PUT", "/admin/maintenance", { maintenance: [window] })).status, 200);
  assert.equal((await first.requestAsAdmin("POST", "/heartbeats/job")).status, 204);
  isHealthy = false;
  await first.tickTimes(2);
  isHealthy = true;
  await first.tickTimes(20);
  assert.equal((await first.readIncidents()).length, 2);
  await first.stop();

  const database = openDatabase(stateDir);
  for (const statements of Object.values(DAMAGES)) for (const statement of statements) database.exec(statement);
  database.close();

  const second = await Edge.start(monitors, options);
  t.after(() => second.stop());
  second.now = first.now;
  const status = await second.readStatus();
  assert.equal(status.monitors.length, 3, "the hub answers before its first tick");
  await second.tickTimes(2);
  const { problems, monitors: shown } = /** @type {any} */ (
    await (await second.requestAsAdmin("GET", "/admin/status")).json()
  );
  const named = problems
    .map((/** @type {any} */ it) => it.position)
    .filter((/** @type {string} */ it) => it.startsWith("store."));
  assert.deepEqual(
    named.sort(),
    Object.keys(DAMAGES)
      .map((table) => `store.${table}`)
      .sort(),
    JSON.stringify(problems),
  );
  for (const id of ["web", "api"]) {
    const monitor = shown.find((/** @type {any} */ it) => it.id === id);
    assert.equal(monitor.state, "up", `${id} is probed`);
  }
  assert.deepEqual((await second.readStatus()).problems, [], "the public gets no names of tables");
  assert.equal((await second.requestAsAdmin("PUT", "/admin/maintenance", { maintenance: [window] })).status, 200);
  assert.equal((await second.requestAsAdmin("POST", "/heartbeats/job")).status, 204);

  isHealthy = false;
  await second.tick();
  isHealthy = true;
  assert.equal((await second.readIncidents()).length, 2, "a new outage opens its incidents");
  for (const path of ["/", "/monitors/web", "/feed.atom", "/metrics"])
    assert.equal((await second.request(path)).status, 200, path);
  const pages = await second.exportPages();
  assert.ok(pages.join("").includes('"tick"'), "what is stored can be exported");
});
