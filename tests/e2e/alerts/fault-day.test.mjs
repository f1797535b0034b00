// A day in which everything goes wrong, through the real hub in the real workerd, and what came of it, counted: alerts lost,
// doubled and false, uptime, samples, and how long it took to notice. What is true is written down here, by the minute; the
// edge learns of it only by asking.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { SECRET, SignedServer } from "../support/signed-server.mjs";
import { Target } from "../support/target.mjs";
import { listWorkerdPids } from "../support/workerd-processes.mjs";

const MINUTE = 60_000;
const BEGAN = Date.UTC(2026, 0, 1);
const LAST = 1439;

/** Whether a minute is within. @param {number} minute @param {number} from @param {number} to */
const within = (minute, from, to) => minute >= from && minute < to;

// What is true. `api` signs; it is killed for want of memory fifteen seconds after a tick and is back twenty seconds later.
const DEATH = /** @type {[number, number]} */ ([BEGAN + 600 * MINUTE + 15_000, BEGAN + 600 * MINUTE + 35_000]);
const DOWN = {
  web: (/** @type {number} */ minute) => within(minute, 200, 230) || within(minute, 1200, 1206),
  flap: (/** @type {number} */ minute) => within(minute, 400, 460) && minute % 2 === 1,
  db: () => false,
};
const DOWN_SECONDS = { api: 20, web: 36 * 60, flap: 30 * 60, db: 0 };

/**
 * Minutes of the last day that nobody vouched for; a probe does for a minute and a half: half an hour without ticks (29.5), three
 * minutes (2.5), two of one, four of which only one tick of two was taken in, and four whose tick came too late (0.5 each), the
 * minutes by which the clock was set forward (4.5), and the minute before the first tick.
 */
const UNSEEN = 29.5 + 2.5 + 10 * 0.5 + 4.5 + 1;

/** Samples that were taken after the last tick before the death, so that only the next instance could tell of them. */
const HANDED_OVER = 14;

/** What those on call have to hear, in order, and of nobody else anything. */
const TO_BE_TOLD = {
  web: ["opened", "recovered", "opened", "recovered"],
  // Like any other until the third outage within an hour: from then on it flaps, and is told of when that is over.
  flap: ["opened", "recovered", "opened", "recovered", "opened", "recovered"],
  // Memory runs full, which is a warning; then it dies.
  api: ["opened", "worse", "recovered"],
};

// What goes wrong with the edge itself.
const MISSED = [100, 101, 102, 300, 555];
const DOUBLED = [150, 205, 601, 1000];
/** They come while the one before is still at work. */
const OVERLAPPING = [160, 215, 610, 1001];
/** They come after the one that follows them. */
const LATE = [170, 222, 620, 1002];
const AWAY = [700, 730];
/** The edge's clock is five minutes ahead for five minutes, and is then set back. */
const AHEAD = [900, 905];
const WEBHOOK_DOWN = [180, 300];
/** The edge is killed when it has sent what it then cannot write down. */
const KILLED = 1200;

/** @type {Edge} */ let edge;
/** @type {SignedServer} */ let server;
/** @type {Target} */ let targets;
/** @type {Target} */ let hook;
const state = mkdtempSync(join(tmpdir(), "heapbeat-fault-day-"));

let minute = 0;
/** What the webhook took. @type {{ minute: number, key: string, monitor: keyof typeof TO_BE_TOLD, event: string }[]} */
const taken = [];
let kills = 0;
/** When the day was over, by our clock. */
let ended = 0;

/** An edge with what was stored so far. */
const begin = () =>
  Edge.start(
    [
      defineMonitor("api", server.url, { "failure-threshold": 1 }),
      ...["web", "flap", "db"].map((id) =>
        defineMonitor(id, `${targets.url}/${id}`, { kind: "http", "failure-threshold": 1 }),
      ),
    ],
    {
      stateDir: state,
      vars: {
        HEAPBEAT_SECRET: SECRET,
        ALERTS: [{ id: "hook", kind: "webhook", secret: "HOOK" }],
        HOOK: `${hook.url}/hook`,
      },
    },
  );

before(async () => {
  server = await SignedServer.start({ from: BEGAN, until: BEGAN + LAST * MINUTE, deaths: [DEATH] });
  targets = await Target.start((request, response) => {
    const id = /** @type {keyof typeof DOWN} */ ((request.url ?? "").slice(1));
    response.writeHead(DOWN[id](minute) ? 503 : 200).end();
  });
  hook = await Target.start(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    if (within(minute, WEBHOOK_DOWN[0], WEBHOOK_DOWN[1])) {
      response.writeHead(500).end();
      return;
    }
    const { key, monitor: id, event } = JSON.parse(text);
    assert.equal(request.headers["idempotency-key"], key);
    taken.push({ minute, key, monitor: id, event });
    if (minute === KILLED && kills === 0) {
      kills += 1;
      for (const pid of listWorkerdPids()) process.kill(Number(pid), "SIGKILL");
      return;
    }
    response.end();
  });
  edge = await begin();
});

after(async () => {
  await edge?.stop();
  await Promise.all([server?.stop(), targets?.stop(), hook?.stop()]);
  rmSync(state, { recursive: true, force: true });
});

/** A tick that was meant for a minute of the edge's clock. @param {number} meant */
const tick = (meant) => edge.runScheduled("edge", BEGAN + meant * MINUTE);

test("the day", { timeout: 600_000 }, async () => {
  for (minute = 0; minute <= LAST; minute += 1) {
    server.now = BEGAN + minute * MINUTE;
    if (MISSED.includes(minute) || within(minute, AWAY[0], AWAY[1]) || LATE.includes(minute)) continue;
    const meant = within(minute, AHEAD[0], AHEAD[1]) ? minute + 5 : minute;
    if (OVERLAPPING.includes(minute + 1)) continue;
    if (OVERLAPPING.includes(minute)) await Promise.all([tick(meant - 1), tick(meant)]);
    else if (minute === KILLED) {
      await tick(meant).catch(() => {});
      assert.equal(kills, 1, "it was killed in the middle");
      await edge.stop().catch(() => {});
      edge = await begin();
    } else await tick(meant);
    if (DOUBLED.includes(minute)) await tick(meant);
    if (LATE.includes(minute - 1)) await tick(meant - 1);
  }
  ended = Date.now();
});

test("alerts: none lost, none doubled, none false", (t) => {
  const keys = new Map();
  for (const { key } of taken) keys.set(key, (keys.get(key) ?? 0) + 1);
  const twice = [...keys].filter(([, times]) => times > 1);
  assert.equal(twice.length, 1, "only what was sent and could not be written down is sent again, with the same key");
  assert.equal(taken.filter(({ minute }) => minute >= KILLED && minute <= KILLED + 2).length >= 2, true);
  const once = taken.filter(({ key }, index) => taken.findIndex((other) => other.key === key) === index);
  for (const [id, events] of Object.entries(TO_BE_TOLD)) {
    assert.deepEqual(
      once.filter((it) => it.monitor === id).map(({ event }) => event),
      events,
      id,
    );
  }
  assert.equal(once.length, Object.values(TO_BE_TOLD).flat().length, "and of nobody else");
  t.diagnostic(`${once.length} alerts: 0 lost, 0 false, 0 doubled; 1 sent again with its key, as nobody could know`);
});

test("uptime is off by less than a probe's interval", async (t) => {
  const errors = [];
  for (const [id, seconds] of Object.entries(DOWN_SECONDS)) {
    const { uptime } = await edge.readMonitor(id);
    const { percent, coverage } = uptime["24h"];
    const booked = 864 * coverage * (1 - percent / 100);
    errors.push(`${id} ${(booked - seconds).toFixed(1)} s`);
    assert.ok(Math.abs(booked - seconds) <= 60, `${id}: ${booked} s are booked as down, ${seconds} s were`);
    // The window ends now, and the edge's clock goes on from its last tick.
    const since = (Date.now() - ended) / MINUTE;
    assert.ok(Math.abs(14.4 * (100 - coverage) - UNSEEN) < 1 + since, `${id}: ${coverage} % were observed`);
  }
  t.diagnostic(`error of the time booked as down: ${errors.join(", ")}`);
});

test("no sample is lost, and none is told twice", async (t) => {
  const rows = [];
  const end = BEGAN + LAST * MINUTE;
  for (let from = BEGAN; from <= end; from += 180 * MINUTE) {
    const to = Math.min(from + 180 * MINUTE, end + 1);
    const answer = await fetch(`${edge.url}/api/v1/monitors/api/memory?from=${from}&to=${to}`);
    const { resolution, samples, gaps } = /** @type {any} */ (await answer.json());
    assert.deepEqual([resolution, gaps], ["1s", []]);
    rows.push(...samples.map((/** @type {number[]} */ [at]) => at));
  }
  const lived = LAST * 60 + 1 - DOWN_SECONDS.api;
  assert.equal(new Set(rows).size, rows.length);
  assert.equal(rows.length, lived, "one for each second that it lived");
  const [killed] = DEATH;
  const last = rows.filter((at) => at < killed && at > killed - (killed % MINUTE));
  assert.equal(last.length, HANDED_OVER, "up to the second of its death");
  t.diagnostic(`${rows.length} samples of ${lived}; ${HANDED_OVER} of them told by the instance after the kill`);
});

test("how long it took to notice", async (t) => {
  const { incidents } = /** @type {any} */ (await (await fetch(`${edge.url}/api/v1/incidents`)).json());
  assert.deepEqual(
    incidents.map((/** @type {any} */ it) => it.monitor).sort(),
    ["api", "flap", "web", "web"],
    "an incident each, and no other",
  );
  const api = incidents.find((/** @type {any} */ it) => it.monitor === "api");
  assert.equal(api.cause, "it ran out of memory");
  const heard = (/** @type {string} */ id, /** @type {string} */ event, /** @type {number} */ from) =>
    taken.find((it) => it.monitor === id && it.event === event && it.minute >= from)?.minute ?? Number.NaN;
  const delays = {
    "web, in the first tick after it went down": (heard("web", "opened", 1200) - 1200) * 60,
    "flap, at its first failure": (heard("flap", "opened", 400) - 401) * 60,
    "api's death": heard("api", "worse", 600) * 60 - (DEATH[0] - BEGAN) / 1000,
    "web, with the webhook down": (heard("web", "opened", 200) - 200) * 60,
  };
  for (const [what, seconds] of Object.entries(delays)) t.diagnostic(`${what}: ${seconds} s`);
  const [first, second, third, last] = Object.values(delays);
  assert.ok(first <= 60 && second <= 60 && third <= 60, JSON.stringify(delays));
  // A channel that fails is asked again a quarter of an hour later at the latest.
  assert.ok(last >= 100 * 60 && last <= 116 * 60, JSON.stringify(delays));
});
