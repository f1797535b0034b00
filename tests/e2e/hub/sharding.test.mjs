// More monitors than one hub watches: a hundred are three hubs, which the public does not notice.

import assert from "node:assert/strict";
import { test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { renderHealth, Target } from "../support/target.mjs";

const TOKEN = "0123456789abcdef0123";
const headers = { authorization: `Bearer ${TOKEN}` };

/** Puts a list. @param {Edge} edge @param {object[]} monitors */
async function apply(edge, monitors) {
  const body = JSON.stringify({ monitors });
  const answer = await fetch(`${edge.url}/api/v1/admin/monitors`, { method: "PUT", headers, body });
  return { status: answer.status, body: /** @type {any} */ (await answer.json()) };
}

/** @param {Edge} edge @param {string} path @param {RequestInit} [init] @returns {Promise<any>} */
async function read(edge, path, init) {
  const answer = await fetch(`${edge.url}/api/v1/${path}`, init);
  return answer.status === 204 ? null : answer.json();
}

/** Monitors by their state. @param {{ monitors: { state: string }[] }} status */
function states({ monitors }) {
  /** @type {Record<string, number>} */
  const count = {};
  for (const { state } of monitors) count[state] = (count[state] ?? 0) + 1;
  return count;
}

test("a hundred monitors", { timeout: 180_000 }, async (t) => {
  let fine = true;
  const target = await Target.start((request, response) =>
    request.url === "/99" && !fine ? response.writeHead(500).end() : response.end(renderHealth()),
  );
  t.after(() => target.stop());
  const edge = await Edge.start([defineMonitor("fixed", target.url)], {
    vars: { ADMIN_TOKEN: TOKEN },
    faultInjection: true,
  });
  t.after(() => edge.stop());
  const job = { id: "job", kind: "heartbeat", interval: "1h" };
  const list = Array.from({ length: 100 }, (_, i) => defineMonitor(`m${i}`, `${target.url}/${i}`, { kind: "http" }));

  // As it was before there were hubs: a list that one holds, and a history.
  assert.equal((await apply(edge, list.slice(0, 30))).status, 200);
  await edge.tick();
  assert.deepEqual(states(await edge.readStatus()), { up: 31 });
  assert.equal((await edge.readStatus()).edge.hubs, 1);
  const { since } = await edge.readMonitor("m29");

  const all = [...list, job];
  const applied = await apply(edge, all);
  assert.equal(applied.status, 200, JSON.stringify(applied.body));
  assert.deepEqual([applied.body.added.length, applied.body.unchanged.length], [71, 30]);
  await edge.tick();
  const status = await edge.readStatus();
  assert.deepEqual(states(status), { up: 101, unobserved: 1 });
  assert.equal(status.edge.hubs, 3);
  assert.equal(status.edge.subrequests, 31 + 101, "each was probed once a tick");
  assert.equal((await edge.readMonitor("m29")).since, since, "whoever has a place keeps it");
  assert.equal((await read(edge, "admin/monitors", { headers })).monitors.length, 101);
  const again = await apply(edge, all);
  assert.deepEqual([again.status, again.body.unchanged.length], [200, 101]);

  // Whoever it is about answers.
  fine = false;
  await edge.tick();
  await edge.tick();
  const uptime = await read(edge, "monitors/m99/uptime");
  assert.deepEqual([uptime.monitor, uptime.percent < 100], ["m99", true]);
  assert.equal((await read(edge, "monitors/m0/uptime")).percent, 100);
  const { incidents } = await read(edge, "incidents");
  assert.deepEqual(
    incidents.map((/** @type {any} */ it) => it.monitor),
    ["m99"],
  );
  const note = JSON.stringify({ note: "we know" });
  const noted = await read(edge, `admin/incidents/${incidents[0].id}`, { method: "POST", headers, body: note });
  assert.match(JSON.stringify(noted.timeline), /we know/);
  assert.deepEqual((await read(edge, `incidents/${incidents[0].id}`)).timeline, noted.timeline);
  await read(edge, "heartbeats/job", { method: "POST", headers });
  await edge.tick();
  assert.equal((await edge.readMonitor("job")).state, "up");
  assert.equal((await edge.readStatus()).status, "down");
  assert.equal((await fetch(`${edge.url}/api/v1/monitors/nobody/uptime`)).status, 404);

  // Work is everybody's.
  const work = {
    maintenance: [{ id: "w", monitors: ["m98"], from: "2026-01-01T00:00:00Z", to: "2026-01-02T00:00:00Z" }],
  };
  const put = await read(edge, "admin/maintenance", { method: "PUT", headers, body: JSON.stringify(work) });
  assert.deepEqual(put, { applied: true, problems: [] });
  await edge.tick();
  assert.equal((await edge.readMonitor("m98")).state, "maintenance");
  assert.equal((await edge.readStatus()).maintenance.length, 1, "told once");
  await read(edge, "admin/maintenance", { method: "PUT", headers, body: '{"maintenance":[]}' });

  // Removed and back again, in the place where the history is.
  fine = true;
  const before = await read(edge, "monitors/m99/uptime");
  assert.equal(
    (
      await apply(
        edge,
        all.filter(({ id }) => id !== "m99" && id !== "m45"),
      )
    ).status,
    200,
  );
  await edge.tick();
  assert.deepEqual([await edge.readMonitor("m99"), (await edge.readStatus()).monitors.length], [undefined, 100]);
  assert.equal((await fetch(`${edge.url}/api/v1/monitors/m99/uptime`)).status, 404);
  const more = [...all, ...Array.from({ length: 5 }, (_, i) => defineMonitor(`n${i}`, target.url))];
  assert.equal((await apply(edge, more)).status, 200);
  await edge.tick();
  assert.equal((await edge.readMonitor("m99")).state, "up");
  assert.ok((await read(edge, "monitors/m99/uptime")).percent < 100, `with its history: ${before.percent}`);

  // A hub that does not answer costs its own monitors.
  await edge.injectFault("hub-1");
  await edge.tick();
  const part = await edge.readStatus();
  const silent = part.monitors.filter((/** @type {any} */ it) => it.state === "unobserved").length;
  assert.deepEqual([silent, part.monitors.length, part.status], [40, 107, "up"]);
  const html = await (await fetch(edge.url)).text();
  assert.equal(html.match(/<article class="card/g)?.length, 107, "the page has them, too");
  assert.equal(html.match(/<article class="card[^>]*unobserved/g)?.length, 40);
  assert.match(html, /A part of the edge that watches 40 of the monitors does not answer/);
  assert.match(part.notices[0], /^A part of the edge that watches 40 of the monitors does not answer/);
  assert.equal((await fetch(`${edge.url}/api/v1/monitors/m50/uptime`)).status, 503);
  assert.equal((await fetch(`${edge.url}/api/v1/monitors/m99/uptime`)).status, 200);

  // A list that it did not hear of is in force elsewhere, and the next tick tells it.
  const renamed = more.map((it) => ({ ...it, name: `new ${it.id}` }));
  const half = await apply(edge, renamed);
  assert.equal(half.status, 503);
  assert.match(half.body.detail, /1 of the hubs did not hear of it, hub-1/);
  await edge.clearFault();
  await edge.tick();
  const names = (await edge.readStatus()).monitors.map((/** @type {any} */ it) => it.name.startsWith("new "));
  assert.deepEqual([names.filter(Boolean).length, names.length], [106, 107]);
  assert.deepEqual((await edge.readStatus()).notices, []);
  assert.equal((await apply(edge, renamed)).status, 200);

  const dependents = all.map((it, i) => (i < 41 ? { ...it, "depends-on": [`m${i + 1}`] } : it));
  const refused = await apply(edge, dependents);
  assert.equal(refused.status, 422);
  assert.match(refused.body.problems[0].reason, /^is one of 42 monitors that depend on one another/);
  assert.equal(refused.body.problems[0].position, "monitors[40]");
});

test("hubs move", { timeout: 180_000 }, async (t) => {
  const target = await Target.start((_, response) => response.end(renderHealth()));
  t.after(() => target.stop());
  const list = Array.from({ length: 60 }, (_, i) => defineMonitor(`m${i}`, target.url));
  const [here, there] = [
    await Edge.start([], { vars: { ADMIN_TOKEN: TOKEN } }),
    await Edge.start([], { vars: { ADMIN_TOKEN: TOKEN } }),
  ];
  t.after(() => Promise.all([here.stop(), there.stop()]));
  assert.equal((await apply(here, list)).status, 200);
  for (let minute = 0; minute < 3; minute += 1) await here.tick();

  const pages = [];
  for (let from = "0-0"; from; ) {
    const page = await (await fetch(`${here.url}/api/v1/admin/export?from=${from}`, { headers })).text();
    pages.push(page);
    from = JSON.parse(page.trimEnd().split("\n").at(-1) ?? "{}").next;
  }
  const { schema } = JSON.parse(pages[0].split("\n")[0]);
  assert.deepEqual(
    pages.map((page) => JSON.parse(page.split("\n")[0]).hub),
    [0, 1],
  );
  for (const body of pages) {
    const taken = await fetch(`${there.url}/api/v1/admin/import?schema=${schema}`, { method: "POST", headers, body });
    assert.equal(taken.status, 200, await taken.text());
  }
  assert.deepEqual((await there.readStatus()).monitors, (await here.readStatus()).monitors);
  there.now = here.now;
  await there.tick();
  assert.deepEqual(states(await there.readStatus()), { up: 60 });
  const again = await apply(there, list);
  assert.deepEqual([again.status, again.body.unchanged.length], [200, 60]);
});
