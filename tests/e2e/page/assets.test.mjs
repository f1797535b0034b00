// Files that the platform serves by itself: kept by browsers, usable as nothing but what they are.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Edge } from "../support/edge.mjs";

/** @type {Edge} */ let edge;

before(async () => {
  edge = await Edge.start([]);
});

after(() => edge?.stop());

test("the style sheet that the page names is there, and may be kept for ever", async () => {
  const page = await (await fetch(`${edge.url}/`)).text();
  const [, path] = page.match(/href="(\/style\.css\?[0-9a-f]{16})"/) ?? assert.fail(page);
  const answer = await fetch(edge.url + path);
  assert.equal(answer.status, 200);
  assert.match(await answer.text(), /light-dark/);
  assert.equal(answer.headers.get("cache-control"), "public, max-age=31536000, immutable");
  assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
  assert.match(String(answer.headers.get("content-security-policy")), /default-src 'none'/);
});

test("the file with the headers is no file for browsers", async () => {
  assert.equal((await fetch(`${edge.url}/_headers`)).status, 404);
});
