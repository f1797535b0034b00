// A day full of faults, through the real hub in the real workerd. It counts lost, duplicated and false alerts, the error of the
// uptime, lost samples, and the time to notice an outage. The truth is written down here, minute by minute; the edge learns of
// it only by probing.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { SECRET, SignedServer } from "../support/signed-server.mjs";
import { readBody, Target } from "../support/target.mjs";
import { listWorkerdPids } from "../support/workerd-processes.mjs";

const MINUTE = 60_000;
const START = Date.UTC(2026, 0, 1);
const LAST_MINUTE = 1439;

/** @param {number} minute @param {number} from @param {number} to */
const isWithin = (minute, from, to) => minute >= from && minute < to;

// The truth. `api` signs its reports; it is OOM-killed fifteen seconds after a tick and is back twenty seconds later.
const KILL = /** @type {[number, number]} */ ([START + 600 * MINUTE + 15_000, START + 600 * MINUTE + 35_000]);
const IS_DOWN = {
  web: (/** @type {number} */ minute) => isWithin(minute, 200, 230) || isWithin(minute, 1200, 1206),
  flap: (/** @type {number} */ minute) => isWithin(minute, 400, 460) && minute % 2 === 1,
  db: () => false,
};
const DOWN_SECONDS = { api: 20, web: 36 * 60, flap: 30 * 60, db: 0 };

/**
 * Unobserved minutes of the last day, where a probe counts for a minute and a half: half an hour without ticks (29.5), three
 * minutes without (2.5), two single minutes, four minutes of which only one tick of two was stored, and four whose tick came too
 * late (0.5 each), the minutes by which the clock was set forward (4.5), and the minute before the first tick.
 */
const UNOBSERVED_MINUTES = 29.5 + 2.5 + 10 * 0.5 + 4.5 + 1;

/** Samples between the last tick and the kill, which only the next instance can report. */
const RECOVERED_SAMPLES = 14;

/** The alerts of each monitor, in order. There must be no others. */
const EXPECTED_ALERTS = {
  // The first outage came and went while the webhook was down.
  web: ["past", "opened", "recovered"],
  // Alerts as usual until the third outage within an hour. From then on it is flapping, and the next alert is its recovery.
  flap: ["opened", "recovered", "opened", "recovered", "opened", "recovered"],
  // First a warning, as memory runs full; then the kill.
  api: ["opened", "worse", "recovered"],
};

// The faults of the edge itself, by minute.
const MISSING_TICKS = [100, 101, 102, 300, 555];
const DUPLICATED_TICKS = [150, 205, 601, 1000];
/** These ticks come while the one before still runs. */
const OVERLAPPING_TICKS = [160, 215, 610, 1001];
/** These ticks come after the one that follows them. */
const LATE_TICKS = [170, 222, 620, 1002];
const NO_TICKS = [700, 730];
/** The edge's clock is five minutes ahead for five minutes, and is then set back. */
const CLOCK_AHEAD = [900, 905];
const WEBHOOK_DOWN = [180, 300];
/** The edge is killed after it sent an alert and before it can store that. */
const EDGE_KILLED = 1200;

/** @type {Edge} */ let edge;
/** @type {SignedServer} */ let server;
/** @type {Target} */ let targets;
/** @type {Target} */ let webhook;
const stateDir = mkdtempSync(join(tmpdir(), "heapbeat-fault-day-"));

let minute = 0;
/** The alerts that the webhook accepted. @type {{ minute: number, key: string, monitor: keyof typeof EXPECTED_ALERTS, event: string }[]} */
const accepted = [];
let kills = 0;
/** The real time at which the day was over. */
let endedAt = 0;

/** Starts the edge with what is stored so far. */
const startEdge = () =>
  Edge.start(
    [
      defineMonitor("api", server.url, { "failure-threshold": 1 }),
      ...["web", "flap", "db"].map((id) =>
        defineMonitor(id, `${targets.url}/${id}`, { kind: "http", "failure-threshold": 1 }),
      ),
    ],
    {
      stateDir,
      vars: {
        HEAPBEAT_SECRET: SECRET,
        ALERTS: [{ id: "hook", kind: "webhook", secret: "HOOK" }],
        HOOK: `${webhook.url}/hook`,
      },
    },
  );

before(async () => {
  server = await SignedServer.start({ from: START, until: START + LAST_MINUTE * MINUTE, deaths: [KILL] });
  targets = await Target.start((request, response) => {
    const id = /** @type {keyof typeof IS_DOWN} */ ((request.url ?? "").slice(1));
    response.writeHead(IS_DOWN[id](minute) ? 503 : 200).end();
  });
  webhook = await Target.start(async (request, response) => {
    const text = await readBody(request);
    if (isWithin(minute, WEBHOOK_DOWN[0], WEBHOOK_DOWN[1])) {
      response.writeHead(500).end();
      return;
    }
    const { key, monitor: id, event } = JSON.parse(text);
    assert.equal(request.headers["idempotency-key"], key);
    accepted.push({ minute, key, monitor: id, event });
    if (minute === EDGE_KILLED && kills === 0) {
      kills += 1;
      for (const pid of listWorkerdPids()) process.kill(Number(pid), "SIGKILL");
      return;
    }
    response.end();
  });
  edge = await startEdge();
});

after(async () => {
  await edge?.stop();
  await Promise.all([server?.stop(), targets?.stop(), webhook?.stop()]);
  rmSync(stateDir, { recursive: true, force: true });
});

/** Runs the tick of a minute of the edge's clock. @param {number} scheduled */
const runTick = (scheduled) => edge.runScheduled("edge", START + scheduled * MINUTE);

test("the edge gets through a day of faults", async () => {
  for (minute = 0; minute <= LAST_MINUTE; minute += 1) {
    server.now = START + minute * MINUTE;
    if (MISSING_TICKS.includes(minute) || isWithin(minute, NO_TICKS[0], NO_TICKS[1]) || LATE_TICKS.includes(minute))
      continue;
    const scheduled = isWithin(minute, CLOCK_AHEAD[0], CLOCK_AHEAD[1]) ? minute + 5 : minute;
    if (OVERLAPPING_TICKS.includes(minute + 1)) continue;
    if (OVERLAPPING_TICKS.includes(minute)) await Promise.all([runTick(scheduled - 1), runTick(scheduled)]);
    else if (minute === EDGE_KILLED) {
      await runTick(scheduled).catch(() => {});
      assert.equal(kills, 1, "the edge was killed once");
      await edge.stop().catch(() => {});
      edge = await startEdge();
    } else await runTick(scheduled);
    if (DUPLICATED_TICKS.includes(minute)) await runTick(scheduled);
    if (LATE_TICKS.includes(minute - 1)) await runTick(scheduled - 1);
  }
  endedAt = Date.now();
});

test("no alert is lost, duplicated or false", (t) => {
  const keys = new Map();
  for (const { key } of accepted) keys.set(key, (keys.get(key) ?? 0) + 1);
  const repeated = [...keys].filter(([, times]) => times > 1);
  assert.equal(repeated.length, 1, "only the alert that could not be stored is sent again, with the same key");
  assert.equal(accepted.filter(({ minute }) => minute >= EDGE_KILLED && minute <= EDGE_KILLED + 2).length >= 2, true);
  const distinct = accepted.filter(({ key }, index) => accepted.findIndex((other) => other.key === key) === index);
  for (const [id, events] of Object.entries(EXPECTED_ALERTS)) {
    assert.deepEqual(
      distinct.filter((it) => it.monitor === id).map(({ event }) => event),
      events,
      id,
    );
  }
  assert.equal(distinct.length, Object.values(EXPECTED_ALERTS).flat().length, "no other alerts");
  t.diagnostic(
    `${distinct.length} alerts: 0 lost, 0 false, 0 duplicated; 1 sent again with its key, as it could not be stored`,
  );
});

test("the error of the downtime is less than the probe interval", async (t) => {
  const errors = [];
  for (const [id, seconds] of Object.entries(DOWN_SECONDS)) {
    const { uptime } = await edge.readMonitor(id);
    const { percent, coverage } = uptime["24h"];
    const recorded = 864 * coverage * (1 - percent / 100);
    errors.push(`${id} ${(recorded - seconds).toFixed(1)} s`);
    assert.ok(Math.abs(recorded - seconds) <= 60, `${id}: ${recorded} s recorded as down instead of ${seconds} s`);
    // The window ends now, and the edge's clock goes on from its last tick.
    const elapsed = (Date.now() - endedAt) / MINUTE;
    assert.ok(
      Math.abs(14.4 * (100 - coverage) - UNOBSERVED_MINUTES) < 1 + elapsed,
      `${id}: ${coverage} % were observed`,
    );
  }
  t.diagnostic(`error of the recorded downtime: ${errors.join(", ")}`);
});

test("no sample is lost or duplicated", async (t) => {
  const rows = [];
  const end = START + LAST_MINUTE * MINUTE;
  for (let from = START; from <= end; from += 180 * MINUTE) {
    const to = Math.min(from + 180 * MINUTE, end + 1);
    const answer = await fetch(`${edge.url}/api/v1/monitors/api/memory?from=${from}&to=${to}`);
    const { resolution, samples, gaps } = /** @type {any} */ (await answer.json());
    assert.deepEqual([resolution, gaps], ["1s", []]);
    rows.push(...samples.map((/** @type {number[]} */ [at]) => at));
  }
  const expected = LAST_MINUTE * 60 + 1 - DOWN_SECONDS.api;
  assert.equal(new Set(rows).size, rows.length);
  assert.equal(rows.length, expected, "one for each second that the server ran");
  const [killed] = KILL;
  const last = rows.filter((at) => at < killed && at > killed - (killed % MINUTE));
  assert.equal(last.length, RECOVERED_SAMPLES, "up to the second of the kill");
  t.diagnostic(
    `${rows.length} samples of ${expected}; ${RECOVERED_SAMPLES} of them reported by the instance after the kill`,
  );
});

test("outages are noticed within a probe interval, and after a failing webhook within its retry interval", async (t) => {
  const { incidents } = /** @type {any} */ (await (await fetch(`${edge.url}/api/v1/incidents`)).json());
  assert.deepEqual(
    incidents.map((/** @type {any} */ it) => it.monitor).sort(),
    ["api", "flap", "web", "web"],
    "one incident for each outage, and no other",
  );
  const api = incidents.find((/** @type {any} */ it) => it.monitor === "api");
  assert.equal(api.cause, "out of memory");
  const findAlert = (/** @type {string} */ id, /** @type {string} */ event, /** @type {number} */ from) =>
    accepted.find((it) => it.monitor === id && it.event === event && it.minute >= from)?.minute ?? Number.NaN;
  const delays = {
    "web, in the first tick after it went down": (findAlert("web", "opened", 1200) - 1200) * 60,
    "flap, at its first failure": (findAlert("flap", "opened", 400) - 401) * 60,
    "api, after the kill": findAlert("api", "worse", 600) * 60 - (KILL[0] - START) / 1000,
    "web, with the webhook down": (findAlert("web", "past", 200) - 200) * 60,
  };
  for (const [what, seconds] of Object.entries(delays)) t.diagnostic(`${what}: ${seconds} s`);
  const [first, second, third, last] = Object.values(delays);
  assert.ok(first <= 60 && second <= 60 && third <= 60, JSON.stringify(delays));
  // A failing channel is retried after a quarter of an hour at the latest.
  assert.ok(last >= 100 * 60 && last <= 116 * 60, JSON.stringify(delays));
});
