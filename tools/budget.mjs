// What a day of the edge costs of Cloudflare's free plan, measured: the real worker in the real workerd, its list applied as an
// owner applies it, a cron tick for each minute of a simulated day, all hubs at work, against a target on this machine. The list
// is applied, and everything probed twice, before the day begins; so what is counted is a day like any other.
//
//   make budget                                     a day each of 1, 50 and 1,000 monitors; the last takes half an hour
//   BUDGET_MINUTES=120 make budget                  a part of it, counted up to the whole day
//   BUDGET_CASES=1000 make budget                   other numbers of monitors
//   BUDGET_CASES=signed:40 BUDGET_MINUTES=360 ...   each signs a report with a minute's samples

import { defineMonitor, Edge } from "../tests/e2e/support/edge.mjs";
import { SECRET, SignedServer } from "../tests/e2e/support/signed-server.mjs";
import { renderHealth, Target } from "../tests/e2e/support/target.mjs";
import { logNote } from "./log.mjs";

const DAY = 1440;
const MINUTES = Number(process.env.BUDGET_MINUTES ?? DAY);
const CASES = (process.env.BUDGET_CASES ?? "1,50,1000").split(",");
const QUOTAS = { requests: 100_000, rows_read: 5_000_000, rows_written: 100_000, gb_seconds: 13_000 };
/** What an object is billed with, whatever it uses. */
const GIGABYTES = 0.125;
const TOKEN = "0123456789abcdef0123";
const BEGIN = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;

/** The clock of the ticks: a server that went on for as long has not been restarted. */
let clock = BEGIN;
const target = await Target.start((_, response) =>
  response.end(renderHealth({ uptime: 3600 + (clock - BEGIN) / 1000 })),
);

/** A day of so many monitors. @param {number} count @param {boolean} signed */
async function day(count, signed) {
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
    if (!applied.ok) throw new Error(`the list was refused: ${await applied.text()}`);
    const tick = async () => {
      clock = edge.now;
      if (signer) signer.now = edge.now;
      await edge.tick();
    };
    // What a tick writes is counted by the next one.
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
    if (used.ticks !== MINUTES) throw new Error(`${used.ticks} ticks were taken in, of ${MINUTES}`);
    const hubs = used.hubs ?? 1;
    const whole = DAY / MINUTES;
    return {
      hubs,
      requests: used.requests * whole,
      rows_read: used.rows_read * whole,
      rows_written: used.rows_written * whole,
      // Hubs work side by side, each awake for as long as its tick takes: at most all the time that passed here.
      gb_seconds: seconds * whole * GIGABYTES * hubs,
      busiest: used.busiest_tick_subrequests,
      milliseconds: (1000 * seconds) / MINUTES,
    };
  } finally {
    await edge.stop();
    await signer?.stop();
  }
}

console.log(`a day of ${MINUTES} simulated minutes, every monitor at 60 s, nobody looks at the page\n`);
console.log("monitors       hubs     requests    rows read  rows written   GB-s, most   busiest tick   all of a tick");
let over = false;
for (const name of CASES) {
  const [kind, number] = name.includes(":") ? name.split(":") : ["", name];
  const one = await day(Number(number), kind === "signed");
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
    `${one.milliseconds.toFixed(0)} ms`.padStart(15),
  );
}
console.log(
  "\nA change of state writes a row besides, an incident a few. The time of a tick is that of this machine, requests to",
);
console.log("the target included; GB-s are counted from it, as if every hub took as long as all of them.");
await target.stop();
if (over) process.exitCode = 1;
