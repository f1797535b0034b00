// `heapbeat alerts test`: the real command line has the real worker test its channels.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { AlertServices, defineChannels, SERVICE_NAMES } from "../support/alert-services.mjs";
import { Edge } from "../support/edge.mjs";
import { HEAPBEAT } from "../support/server.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";

/** Runs `heapbeat alerts test`. @param {string} url @param {string[]} [options] @param {string} [token] */
const runTest = (url, options = [], token = ADMIN_TOKEN) =>
  new Promise((resolve) => {
    const env = { ...process.env, HEAPBEAT_BIN: undefined, HEAPBEAT_ADMIN_TOKEN: token };
    execFile(HEAPBEAT, ["alerts", "test", "--url", url, ...options], { env }, (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, stdout, stderr }),
    );
  });

test("the command prints what each channel did with the message, and its exit code says whether all accepted it", async (t) => {
  const services = await AlertServices.start();
  t.after(() => services.stop());
  const vars = { ...defineChannels(services.url), ADMIN_TOKEN };
  const edge = await Edge.start([], { vars });
  t.after(() => edge.stop());
  const good = await runTest(edge.url);
  assert.deepEqual([good.code, good.stdout.split("\n").length], [0, SERVICE_NAMES.length + 1]);
  assert.match(good.stdout, /^slack \(slack\): accepted\n/);
  assert.ok(SERVICE_NAMES.every((name) => services.accepted[name].length === 1));
  const wrongToken = await runTest(edge.url, [], "a wrong token");
  assert.deepEqual([wrongToken.code, wrongToken.stdout], [1, ""]);

  const broken = await Edge.start([], { vars: { ...vars, SLACK: `${services.url}/slack/bad`, HOOK: "nowhere" } });
  t.after(() => broken.stop());
  const bad = await runTest(broken.url);
  assert.equal(bad.code, 1);
  assert.match(
    bad.stdout,
    /^slack \(slack\): the service refused the message: status 404, with the reply: no_service$/m,
  );
  assert.match(bad.stdout, /^hook \(webhook\): its secret is not an address$/m);
  assert.match(bad.stdout, /^discord \(discord\): accepted$/m);
  const json = JSON.parse((await runTest(broken.url, ["--json"])).stdout);
  assert.equal(json.channels.filter((/** @type {any} */ it) => it.accepted).length, SERVICE_NAMES.length - 2);
});
