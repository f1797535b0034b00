// `heapbeat apply`: the real command line applies a file of monitors to the real worker.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { HEAPBEAT } from "../support/server.mjs";
import { Target } from "../support/target.mjs";
import { createTempDir } from "../support/temp-dir.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";

/** Runs `heapbeat apply`. @param {string} path @param {string} url @param {string[]} [options] @param {string} [token] */
const runApply = (path, url, options = [], token = ADMIN_TOKEN) =>
  new Promise((resolve) => {
    const env = { ...process.env, HEAPBEAT_BIN: undefined, HEAPBEAT_ADMIN_TOKEN: token };
    execFile(HEAPBEAT, ["apply", path, "--url", url, ...options], { env }, (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, stdout, stderr }),
    );
  });

/** Renders an entry of the file. @param {string} id @param {string} url @param {string} [more] */
const renderEntry = (id, url, more = "") => `[[monitors]]\nid = "${id}"\nkind = "http"\nurl = "${url}"\n${more}\n`;

test("a file is applied, changed, refused and emptied", async (t) => {
  const directory = await createTempDir(t);
  const target = await Target.startHealthy();
  t.after(() => target.stop());
  const edge = await Edge.start([defineMonitor("fixed", target.url)], { vars: { ADMIN_TOKEN } });
  t.after(() => edge.stop());
  const path = join(directory, "monitors.toml");
  const listStates = async () => {
    const { monitors } = await edge.readStatus();
    return monitors.map((/** @type {any} */ it) => `${it.id} ${it.state}`);
  };

  await writeFile(path, renderEntry("a", target.url) + renderEntry("b", target.url));
  const dry = await runApply(path, edge.url, ["--dry-run"]);
  assert.equal(dry.stdout, "+ a\n+ b\nWould apply: 2 added, 0 changed, 0 removed, 0 unchanged.\n");
  await edge.tick();
  assert.deepEqual(await listStates(), ["fixed up"], "a dry run changes nothing");

  const first = await runApply(path, edge.url);
  assert.deepEqual([first.code, first.stdout], [0, "+ a\n+ b\nApplied: 2 added, 0 changed, 0 removed, 0 unchanged.\n"]);
  await edge.tick();
  assert.deepEqual(await listStates(), ["fixed up", "a up", "b up"]);
  const again = await runApply(path, edge.url);
  assert.equal(again.stdout, "Nothing to change: 0 added, 0 changed, 0 removed, 2 unchanged.\n");

  await writeFile(path, renderEntry("b", target.url, 'interval = "2m"') + renderEntry("c", target.url));
  const json = await runApply(path, edge.url, ["--json"]);
  const expected = {
    applied: true,
    added: ["c"],
    changed: ["b"],
    removed: ["a"],
    unchanged: [],
    problems: [],
    warnings: [],
  };
  assert.deepEqual(JSON.parse(json.stdout), expected);
  const before = (await edge.readMonitor("b")).since;
  await edge.tick();
  assert.deepEqual(await listStates(), ["fixed up", "b up", "c up"]);
  assert.equal((await edge.readMonitor("b")).since, before, "a changed monitor keeps its history");

  // A secret that the Worker does not have keeps a monitor from being probed, not from being applied.
  const secret = 'headers = { authorization = { secret = "MONITOR_B" } }';
  await writeFile(path, renderEntry("b", target.url, secret) + renderEntry("c", target.url));
  const missing = "warning: b: the Worker has no secret `MONITOR_B`; set it by `wrangler secret put MONITOR_B`\n";
  for (const options of [["--dry-run"], []]) {
    const warned = await runApply(path, edge.url, options);
    assert.deepEqual([warned.code, warned.stderr], [0, missing]);
  }

  // Problems that the file alone shows are reported all at once, with their lines.
  await writeFile(path, renderEntry("b", "ftp://x") + renderEntry("C", target.url, 'intervall = "2m"'));
  const invalid = await runApply(path, edge.url);
  assert.equal(invalid.code, 1);
  assert.match(invalid.stderr, /monitors\.toml:4: monitors\[0\]\.url: must begin with https/);
  assert.match(invalid.stderr, /monitors\.toml:7: monitors\[1\]\.id: `C` is not a valid id/);
  assert.match(invalid.stderr, /monitors\.toml:10: monitors\[1\]\.intervall: .*did you mean `interval`/);

  // A problem that only the edge knows.
  await writeFile(path, renderEntry("c", target.url) + renderEntry("fixed", target.url));
  const conflicting = await runApply(path, edge.url);
  assert.equal(conflicting.code, 1);
  assert.match(
    conflicting.stderr,
    /monitors\.toml:7: monitors\[1\]\.id: `fixed` is already the id of a monitor in wrangler\.toml/,
  );
  assert.deepEqual(await listStates(), ["fixed up", "b up", "c up"], "a refused list changes nothing");

  const unauthorized = await runApply(path, edge.url, [], "a wrong token");
  assert.deepEqual([unauthorized.code, unauthorized.stdout], [1, ""]);
  assert.match(unauthorized.stderr, /answered 401/);
  assert.doesNotMatch(unauthorized.stderr, /a wrong token/);

  await writeFile(path, "monitors = []");
  assert.equal(
    (await runApply(path, edge.url)).stdout,
    "- b\n- c\nApplied: 0 added, 0 changed, 2 removed, 0 unchanged.\n",
  );
  assert.deepEqual(await listStates(), ["fixed up"]);
});

test("an applied list survives a restart of the worker", async (t) => {
  const stateDir = await createTempDir(t);
  const target = await Target.startHealthy();
  t.after(() => target.stop());
  const vars = { ADMIN_TOKEN };
  const firstEdge = await Edge.start([], { stateDir, vars });
  const path = join(stateDir, "monitors.toml");
  await writeFile(path, renderEntry("a", target.url));
  assert.equal((await runApply(path, firstEdge.url)).code, 0);
  await firstEdge.tick();
  await firstEdge.stop();
  const secondEdge = await Edge.start([], { stateDir, vars });
  t.after(() => secondEdge.stop());
  const { monitors, problems } = await secondEdge.readStatus();
  assert.deepEqual([monitors.length, monitors[0].id, problems], [1, "a", []]);
});
