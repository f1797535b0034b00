// When every target stops answering at once, the reference target decides whether the edge itself is offline.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AlertServices, defineChannels } from "../support/alert-services.mjs";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Target } from "../support/target.mjs";

/** @type {AlertServices} */ let services;
/** @type {Target} */ let target;
/** @type {Target} */ let reference;
/** @type {Edge} */ let edge;
let targetsAnswer = true;
let referenceAnswers = true;
let referenceRequests = 0;

before(async () => {
  services = await AlertServices.start();
  // A connection that is lost counts like one that times out, and the test need not wait for it.
  target = await Target.start((request, response) => (targetsAnswer ? response.end("ok") : request.socket.destroy()));
  reference = await Target.start((request, response) => {
    referenceRequests += 1;
    if (referenceAnswers) response.end();
    else request.socket.destroy();
  });
  const otherHost = target.url.replace("127.0.0.1", "localhost");
  edge = await Edge.start(
    [defineMonitor("one", target.url, { kind: "http" }), defineMonitor("two", otherHost, { kind: "http" })],
    { vars: { ...defineChannels(services.url), REFERENCES: reference.url } },
  );
  await edge.tickTimes(2);
});

after(async () => {
  await edge?.stop();
  await target?.stop();
  await reference?.stop();
  await services?.stop();
});

test("the reference is not probed while targets answer", async () => {
  assert.deepEqual(await edge.readStates(), ["up", "up"]);
  assert.equal(referenceRequests, 0);
});

test("monitors are unobserved and nobody is alerted while the reference does not respond either", async () => {
  targetsAnswer = false;
  referenceAnswers = false;
  await edge.tickTimes(7);
  assert.equal(referenceRequests, 7);
  assert.deepEqual(await edge.readStates(), ["unobserved", "unobserved"]);
  const { notices, monitors } = await edge.readStatus();
  assert.match(notices[0], /^Monitoring has been interrupted since 2026-01-01T00:02:00Z/);
  assert.match(monitors[0].reason, /monitoring is interrupted, as all checks failed/);
  assert.equal(services.accepted.hook.length, 0);
  targetsAnswer = true;
  await edge.tick();
  assert.deepEqual(await edge.readStates(), ["up", "up"]);
  assert.deepEqual((await edge.readStatus()).notices, []);
  assert.equal(monitors[0].uptime["24h"].percent, 100, "unobserved time is not downtime");
});

test("monitors are down at once while the reference answers", async () => {
  targetsAnswer = false;
  referenceAnswers = true;
  await edge.tick();
  assert.deepEqual(await edge.readStates(), ["down", "down"]);
  await edge.tickTimes(2);
  assert.equal(services.accepted.hook.length, 2);
});
