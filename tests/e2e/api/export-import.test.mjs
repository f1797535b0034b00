// An export holds everything that a hub has stored. Another edge that imports it shows the public the same.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { renderHealth, Target } from "../support/target.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";
import { waitUntil } from "../support/wait.mjs";

const TICKS = 230;

/** @type {Target} */ let target;
/** @type {Edge} */ let source;
/** @type {Edge} */ let destination;
/** @type {string[]} */ let pages = [];
let isHealthy = true;

before(async () => {
  target = await Target.start((_, response) =>
    isHealthy ? response.end(renderHealth()) : response.writeHead(500).end(),
  );
  const monitors = [defineMonitor("api", `${target.url}/health`), defineMonitor("web", target.url, { kind: "http" })];
  source = await Edge.start(monitors, { vars: { ADMIN_TOKEN } });
  destination = await Edge.start(monitors, { vars: { ADMIN_TOKEN } });
  for (let minute = 0; minute < TICKS; minute += 1) {
    isHealthy = minute % 50 !== 7;
    await source.tick();
  }
  isHealthy = true;
  const weekly = { id: "weekly", schedule: "0 3 * * sun", duration: "30m" };
  await source.requestAsAdmin("PUT", "/admin/maintenance", { maintenance: [weekly] });
  pages = await source.exportPages();
});

after(async () => {
  await source?.stop();
  await destination?.stop();
  await target?.stop();
});

const countTicks = (/** @type {string[]} */ exported) => exported.join("").match(/"table":"tick"/g)?.length;

test("an export needs the admin token and has a row for every tick", async () => {
  assert.equal((await source.request("/api/v1/admin/export")).status, 401);
  assert.equal(countTicks(pages), TICKS);
});

test("an import with another schema or an unknown table is rejected as a whole", async () => {
  const { schema } = JSON.parse(pages[0].split("\n")[0]);
  assert.equal((await destination.requestImport(pages[0], schema + 1)).status, 400);
  const broken = await destination.requestImport(`${pages[0]}{"table":"secrets","row":[]}\n`, schema);
  assert.equal(broken.status, 400);
  assert.match(/** @type {any} */ (await broken.json()).detail, /^line \d+: unknown table `secrets`/);
  assert.equal((await destination.readStatus()).updated, null, "nothing was stored");
});

test("an imported hub shows the same monitors, maintenance windows and incidents, and goes on", async () => {
  destination.now = source.now;
  for (const page of pages) await destination.importPage(page);
  // Coverage moves with the clock, so both are read until they were read in the same moment.
  await waitUntil("the same status of both", async () => {
    const [before, after] = await Promise.all([source.readStatus(), destination.readStatus()]);
    assert.deepEqual(after.maintenance, before.maintenance);
    return JSON.stringify(after.monitors) === JSON.stringify(before.monitors);
  });
  assert.deepEqual(await destination.readIncidents(), await source.readIncidents());
  await destination.tick();
  assert.equal((await destination.readMonitor("api")).state, "up");
  assert.equal(countTicks(await destination.exportPages()), TICKS + 1);
});
