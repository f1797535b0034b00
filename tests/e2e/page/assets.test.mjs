// Files that the platform serves by itself, with headers for caching and against misuse.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Edge } from "../support/edge.mjs";

/** @type {Edge} */ let edge;

before(async () => {
  edge = await Edge.start([]);
});

after(() => edge?.stop());

test("the style sheet of the page is served and cached forever", async () => {
  const page = await edge.readText("/");
  const [, path] = page.match(/href="(\/style\.css\?[0-9a-f]{16})"/) ?? assert.fail(page);
  const response = await edge.request(path);
  assert.equal(response.status, 200);
  assert.match(await response.text(), /light-dark/);
  assert.equal(response.headers.get("cache-control"), "public, max-age=31536000, immutable");
  assert.equal(response.headers.get("x-content-type-options"), "nosniff");
  assert.match(String(response.headers.get("content-security-policy")), /default-src 'none'/);
});

test("the headers file is not served", async () => {
  assert.equal((await edge.request("/_headers")).status, 404);
});
