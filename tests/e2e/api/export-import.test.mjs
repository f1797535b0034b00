// Everything out of one hub as JSON lines, and into another: what the public reads there is what it read here.

import assert from "node:assert/strict";
import { test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { renderHealth, Target } from "../support/target.mjs";

const TOKEN = "0123456789abcdef0123";
const headers = { authorization: `Bearer ${TOKEN}` };

/** All pages. @param {Edge} edge */
async function everything(edge) {
  const pages = [];
  for (let from = "0-0"; from; ) {
    const answer = await fetch(`${edge.url}/api/v1/admin/export?from=${from}`, { headers });
    assert.equal(answer.status, 200);
    const page = await answer.text();
    pages.push(page);
    from = JSON.parse(page.trimEnd().split("\n").at(-1) ?? "{}").next;
  }
  return pages;
}

test("a hub moves", { timeout: 180_000 }, async (t) => {
  let fine = true;
  const target = await Target.start((_, response) =>
    fine ? response.end(renderHealth()) : response.writeHead(500).end(),
  );
  t.after(() => target.stop());
  const list = [defineMonitor("api", `${target.url}/health`), defineMonitor("web", target.url, { kind: "http" })];
  const vars = { ADMIN_TOKEN: TOKEN };
  const here = await Edge.start(list, { vars });
  t.after(() => here.stop());
  for (let minute = 0; minute < 230; minute += 1) {
    fine = minute % 50 !== 7;
    await here.tick();
  }
  const work = { maintenance: [{ id: "weekly", schedule: "0 3 * * sun", duration: "30m" }] };
  await fetch(`${here.url}/api/v1/admin/maintenance`, { method: "PUT", headers, body: JSON.stringify(work) });
  assert.equal((await fetch(`${here.url}/api/v1/admin/export`)).status, 401);
  const pages = await everything(here);
  assert.ok(pages.length > 0);
  const rows = pages.join("").match(/"table":"ring"/g) ?? [];
  assert.equal(rows.length, 230, "a row a tick");

  const there = await Edge.start(list, { vars });
  t.after(() => there.stop());
  there.now = here.now;
  const { schema } = JSON.parse(pages[0].split("\n")[0]);
  /** @param {string} body @param {number} [number] */
  const put = (body, number = schema) =>
    fetch(`${there.url}/api/v1/admin/import?schema=${number}`, { method: "POST", headers, body });
  assert.equal((await put(pages[0], schema + 1)).status, 400);
  const broken = await put(`${pages[0]}{"table":"secrets","row":[]}\n`);
  assert.equal(broken.status, 400);
  assert.match(/** @type {any} */ (await broken.json()).detail, /^line \d+ names no table/);
  assert.equal((await there.readStatus()).updated, null, "none of it was taken in");
  for (const page of pages) assert.equal((await put(page)).status, 200);

  const [before, after] = [await here.readStatus(), await there.readStatus()];
  assert.deepEqual(after.monitors, before.monitors);
  assert.deepEqual(after.maintenance, before.maintenance);
  const incidents = async (/** @type {Edge} */ edge) => (await fetch(`${edge.url}/api/v1/incidents`)).json();
  assert.deepEqual(await incidents(there), await incidents(here));
  fine = true;
  await there.tick();
  assert.equal((await there.readMonitor("api")).state, "up");
  assert.deepEqual((await everything(there)).join("").match(/"table":"ring"/g)?.length, 231, "and it goes on");
});
