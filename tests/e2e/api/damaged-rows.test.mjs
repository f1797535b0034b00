// Rows that cannot be read: an import with one is refused as a whole, and a stored one is left out and named.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Target } from "../support/target.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;

before(async () => {
  target = await Target.start((_, response) => response.end());
  edge = await Edge.start([defineMonitor("web", target.url, { kind: "http" })], { vars: { ADMIN_TOKEN } });
  await edge.tickTimes(2);
});

after(async () => {
  await edge?.stop();
  await target?.stop();
});

test("an import with a row that cannot be read changes nothing, and the hub goes on", async () => {
  const [page] = await edge.exportPages();
  const { schema } = JSON.parse(page.split("\n")[0]);
  const good = JSON.stringify({ table: "ledger", row: ["gone", 1767225600000, "up"] });
  const bad = [
    ["ledger", ["A B", 1767225600000, "up"]],
    ["ledger", ["web", 1767225600000, "sideways"]],
    ["setting", ["fleet", "7 9"]],
    ["setting", ["membership", '{"number":7,"hub_count":9,"out_of_sync":[],"assignment":{}}']],
    ["setting", ["monitors", '[{"id":"x","kind":"http","url":"ftp://x"}]']],
    ["incident", ["web", 1767225600000, null, { base64: "AAAA" }, null]],
    ["tick", [3, 1767225600000, 1767225600000, { base64: "AQ==" }, { base64: "nw==" }, { base64: "" }]],
  ];
  for (const [table, row] of bad) {
    const response = await edge.requestImport(`${good}\n${JSON.stringify({ table, row })}\n`, schema);
    const { detail } = /** @type {any} */ (await response.json());
    assert.equal(response.status, 400, detail);
    assert.match(detail, /^line 2: the row of `.*` cannot be read: .*no row was imported/);
    assert.equal((await edge.tickAndReadMonitor("web")).state, "up");
  }
  assert.ok(!(await edge.exportPages()).join("").includes('"gone"'), "not the good row beside a bad one either");
  await edge.importPage(page);
  assert.equal((await edge.tickAndReadMonitor("web")).state, "up");
  assert.deepEqual((await edge.readStatus()).problems, []);
});
