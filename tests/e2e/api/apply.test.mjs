// `heapbeat apply`: the real command line against the real worker.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { renderHealth, Target } from "../support/target.mjs";

const TOKEN = "a token of the owner's";

/** @param {string} path @param {string} url @param {string[]} [options] @param {string} [token] */
const apply = (path, url, options = [], token = TOKEN) =>
  new Promise((resolve) => {
    const env = { ...process.env, HEAPBEAT_ADMIN_TOKEN: token };
    execFile("target/debug/heapbeat", ["apply", path, "--url", url, ...options], { env }, (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, stdout, stderr }),
    );
  });

/** @param {string} id @param {string} url @param {string} [more] */
const block = (id, url, more = "") => `[[monitors]]\nid = "${id}"\nkind = "http"\nurl = "${url}"\n${more}\n`;

test("a file is applied, changed, refused and taken back", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "heapbeat-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const target = await Target.start((_, response) => response.end(renderHealth()));
  t.after(() => target.stop());
  const edge = await Edge.start([defineMonitor("fixed", target.url)], { vars: { ADMIN_TOKEN: TOKEN } });
  t.after(() => edge.stop());
  const path = join(directory, "monitors.toml");
  const states = async () => {
    const { monitors } = await edge.readStatus();
    return monitors.map((/** @type {any} */ m) => `${m.id} ${m.state}`);
  };

  await writeFile(path, block("a", target.url) + block("b", target.url));
  const dry = await apply(path, edge.url, ["--dry-run"]);
  assert.equal(dry.stdout, "+ a\n+ b\nWould be applied: 2 added, 0 changed, 0 removed, 0 as before.\n");
  await edge.tick();
  assert.deepEqual(await states(), ["fixed up"], "a dry run changes nothing");

  const first = await apply(path, edge.url);
  assert.deepEqual([first.code, first.stdout], [0, "+ a\n+ b\nApplied: 2 added, 0 changed, 0 removed, 0 as before.\n"]);
  await edge.tick();
  assert.deepEqual(await states(), ["fixed up", "a up", "b up"]);
  const again = await apply(path, edge.url);
  assert.equal(again.stdout, "Nothing to change: 0 added, 0 changed, 0 removed, 2 as before.\n");

  await writeFile(path, block("b", target.url, 'interval = "2m"') + block("c", target.url));
  const json = await apply(path, edge.url, ["--json"]);
  const expected = { applied: true, added: ["c"], changed: ["b"], removed: ["a"], unchanged: [], problems: [] };
  assert.deepEqual(JSON.parse(json.stdout), expected);
  const before = (await edge.readMonitor("b")).since;
  await edge.tick();
  assert.deepEqual(await states(), ["fixed up", "b up", "c up"]);
  assert.equal((await edge.readMonitor("b")).since, before, "what was changed goes on with its history");

  // What the file alone shows to be wrong, with its line, all at once.
  await writeFile(path, block("b", "ftp://x") + block("C", target.url, 'intervall = "2m"'));
  const wrong = await apply(path, edge.url);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /monitors\.toml:4: monitors\[0\]\.url: should begin with https/);
  assert.match(wrong.stderr, /monitors\.toml:7: monitors\[1\]\.id: `C` is no id/);
  assert.match(wrong.stderr, /monitors\.toml:10: monitors\[1\]\.intervall: .*did you mean `interval`/);

  // What only the edge knows.
  await writeFile(path, block("c", target.url) + block("fixed", target.url));
  const taken = await apply(path, edge.url);
  assert.equal(taken.code, 1);
  assert.match(taken.stderr, /monitors\.toml:7: monitors\[1\]\.id: `fixed` is a monitor of wrangler\.toml already/);
  assert.deepEqual(await states(), ["fixed up", "b up", "c up"], "a refused list changes nothing");

  const stranger = await apply(path, edge.url, [], "somebody else's token");
  assert.deepEqual([stranger.code, stranger.stdout], [1, ""]);
  assert.match(stranger.stderr, /answered 401/);
  assert.doesNotMatch(stranger.stderr, /somebody/);

  await writeFile(path, "monitors = []");
  assert.equal(
    (await apply(path, edge.url)).stdout,
    "- b\n- c\nApplied: 0 added, 0 changed, 2 removed, 0 as before.\n",
  );
  assert.deepEqual(await states(), ["fixed up"]);
});

test("what was applied outlives the worker", async (t) => {
  const state = await mkdtemp(join(tmpdir(), "heapbeat-"));
  t.after(() => rm(state, { recursive: true, force: true }));
  const target = await Target.start((_, response) => response.end(renderHealth()));
  t.after(() => target.stop());
  const vars = { ADMIN_TOKEN: TOKEN };
  const first = await Edge.start([], { stateDir: state, vars });
  const path = join(state, "monitors.toml");
  await writeFile(path, block("a", target.url));
  assert.equal((await apply(path, first.url)).code, 0);
  await first.tick();
  await first.stop();
  const second = await Edge.start([], { stateDir: state, vars });
  t.after(() => second.stop());
  const { monitors, problems } = await second.readStatus();
  assert.deepEqual([monitors.length, monitors[0].id, problems], [1, "a", []]);
});
