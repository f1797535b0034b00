// Everything falls silent at once: whether that is us is for the reference target to say.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AlertServices, defineChannels } from "../support/alert-services.mjs";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Target } from "../support/target.mjs";

/** @type {AlertServices} */ let services;
/** @type {Target} */ let target;
/** @type {Target} */ let reference;
/** @type {Edge} */ let edge;
let silent = false;
let cut = false;
let asked = 0;

before(async () => {
  services = await AlertServices.start();
  target = await Target.start((_, response) => void (silent || response.end("ok")));
  reference = await Target.start((_, response) => {
    asked += 1;
    if (!cut) response.end();
  });
  const other = target.url.replace("127.0.0.1", "localhost");
  const more = { kind: "http", timeout: "500ms" };
  edge = await Edge.start([defineMonitor("one", target.url, more), defineMonitor("two", other, more)], {
    vars: { ...defineChannels(services.url), REFERENCES: reference.url },
  });
  await edge.tick();
  await edge.tick();
});

after(async () => {
  await edge?.stop();
  await target?.stop();
  await reference?.stop();
  await services?.stop();
});

const states = async () => (await edge.readStatus()).monitors.map((/** @type {any} */ it) => it.state);

test("while all is well nobody asks the reference", async () => {
  assert.deepEqual(await states(), ["up", "up"]);
  assert.equal(asked, 0);
});

test("where it is silent as well it is us: nobody is down, and nobody is told", { timeout: 120_000 }, async () => {
  silent = true;
  cut = true;
  for (let minute = 0; minute < 7; minute += 1) await edge.tick();
  assert.equal(asked, 7);
  assert.deepEqual(await states(), ["unobserved", "unobserved"]);
  const { notices, monitors } = await edge.readStatus();
  assert.match(notices[0], /^Everything has failed at once since 2026-01-01T00:02:00Z/);
  assert.match(monitors[0].reason, /it is the edge that cannot see/);
  assert.equal(services.accepted.hook.length, 0);
  silent = false;
  await edge.tick();
  assert.deepEqual(await states(), ["up", "up"]);
  assert.deepEqual((await edge.readStatus()).notices, []);
  const { percent } = monitors[0].uptime["24h"];
  assert.equal(percent, 100, "what nobody saw was no downtime");
});

test("where it answers it is them, at once", { timeout: 60_000 }, async () => {
  silent = true;
  cut = false;
  await edge.tick();
  assert.deepEqual(await states(), ["down", "down"]);
  await edge.tick();
  await edge.tick();
  assert.equal(services.accepted.hook.length, 2);
});
