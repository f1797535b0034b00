// Measures how much of Cloudflare's free plan a day of the edge uses: the real Worker in the real workerd, with a cron tick for
// each minute of a simulated day, against a target on this machine. The monitors are applied and probed twice before the day
// begins, so that the day is an ordinary one.
//
//   make budget                                     a day each of 1, 50 and 1,000 monitors; the last takes half an hour
//   BUDGET_MINUTES=120 make budget                  a part of a day, extrapolated
//   BUDGET_CASES=1000 make budget                   other numbers of monitors
//   BUDGET_CASES=signed:40 BUDGET_MINUTES=360 ...   monitors of servers that sign reports with a minute's samples

import { defineMonitor, Edge } from "../tests/e2e/support/edge.mjs";
import { SECRET, SignedServer } from "../tests/e2e/support/signed-server.mjs";
import { renderHealth, Target } from "../tests/e2e/support/target.mjs";
import { logNote } from "./log.mjs";

const DAY = 1440;
const MINUTES = Number(process.env.BUDGET_MINUTES ?? DAY);
const CASES = (process.env.BUDGET_CASES ?? "1,50,1000").split(",");
const QUOTAS = { requests: 100_000, rows_read: 5_000_000, rows_written: 100_000, gb_seconds: 13_000 };
/** Memory that each Durable Object is billed for, in GB, whatever it uses. */
const BILLED_GIGABYTES = 0.125;
const TOKEN = "0123456789abcdef0123";
const BEGIN = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;

/** The time of the ticks, by which the target reports its uptime. */
let clock = BEGIN;
const target = await Target.start((_, response) =>
  response.end(renderHealth({ uptime: 3600 + (clock - BEGIN) / 1000 })),
);

/** Measures a day with this number of monitors. @param {number} count @param {boolean} signed */
async function measureDay(count, signed) {
  const reports = { from: BEGIN - 2 * MINUTE, until: BEGIN + MINUTES * MINUTE, deaths: [] };
  const signer = signed ? await SignedServer.start(reports) : undefined;
  const url = signer?.url ?? `${target.url}/health`;
  const edge = await Edge.start([], { vars: { ADMIN_TOKEN: TOKEN, ...(signed ? { HEAPBEAT_SECRET: SECRET } : {}) } });
  try {
    const monitors = Array.from({ length: count }, (_, i) => defineMonitor(`m${i}`, url, { timeout: "10s" }));
    const applied = await fetch(`${edge.url}/api/v1/admin/monitors`, {
      method: "PUT",
      headers: { authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify({ monitors }),
    });
    if (!applied.ok) throw new Error(`the monitors were refused: ${await applied.text()}`);
    const tick = async () => {
      clock = edge.now;
      if (signer) signer.now = edge.now;
      await edge.tick();
    };
    // The usage of a tick is counted by the next one.
    edge.now = BEGIN - 2 * MINUTE;
    await tick();
    await tick();
    const began = performance.now();
    for (let minute = 0; minute < MINUTES; minute += 1) {
      await tick();
      if (process.stderr.isTTY && minute % 10 === 9) logNote(`${count} monitors: minute ${minute + 1} of ${MINUTES}`);
    }
    const seconds = (performance.now() - began) / 1000;
    const status = await edge.readStatus();
    const down = status.monitors.filter((/** @type {any} */ it) => it.state !== "up").length;
    if (down > 0 || status.monitors.length !== count) {
      throw new Error(`${down} of ${status.monitors.length} monitors are not up; ${count} were applied`);
    }
    const used = status.edge;
    if (used.ticks !== MINUTES) throw new Error(`${used.ticks} of ${MINUTES} ticks were processed`);
    const hubs = used.hubs ?? 1;
    const whole = DAY / MINUTES;
    return {
      hubs,
      requests: used.requests * whole,
      rows_read: used.rows_read * whole,
      rows_written: used.rows_written * whole,
      // Hubs work in parallel and are awake for the duration of their tick; all the time that passed here is an upper bound.
      gb_seconds: seconds * whole * BILLED_GIGABYTES * hubs,
      busiest: used.max_tick_subrequests,
      milliseconds: (1000 * seconds) / MINUTES,
    };
  } finally {
    await edge.stop();
    await signer?.stop();
  }
}

console.log(`a day of ${MINUTES} simulated minutes, every monitor at 60 s, no page views\n`);
console.log("monitors       hubs     requests    rows read  rows written   GB-s (max)   busiest tick   time of a tick");
let over = false;
for (const name of CASES) {
  const [kind, number] = name.includes(":") ? name.split(":") : ["", name];
  const one = await measureDay(Number(number), kind === "signed");
  const share = (/** @type {keyof typeof QUOTAS} */ of) => {
    const used = (100 * one[of]) / QUOTAS[of];
    over ||= used > 100;
    return `${used.toFixed(2)} %`;
  };
  console.log(
    name.padEnd(13),
    String(one.hubs).padStart(5),
    share("requests").padStart(12),
    share("rows_read").padStart(12),
    share("rows_written").padStart(13),
    share("gb_seconds").padStart(12),
    `${one.busiest} of 50`.padStart(14),
    `${one.milliseconds.toFixed(0)} ms`.padStart(16),
  );
}
console.log(
  "\nA change of state writes one more row, an incident a few. The time of a tick is measured on this machine and includes",
);
console.log("the requests to the target; GB-s assume that every hub is awake for all of it.");
await target.stop();
if (over) process.exitCode = 1;
