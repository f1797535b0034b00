// What a day of the edge costs of Cloudflare's free plan, measured: the real worker in the real workerd, a tick for each
// minute of a simulated day, against a target on this machine. A hub holds at most 40 monitors, and more of them are more
// hubs: so hubs of each size are measured, and what many cost together is their sum.
//
//   make budget                    BUDGET_MINUTES=120 make budget    a part of the day, counted up to all of it

import { Edge, monitor } from "../tests/e2e/harness/edge.mjs";
import { healthBody, Target } from "../tests/e2e/harness/target.mjs";

const MINUTES = Number(process.env.BUDGET_MINUTES ?? 1440);
const DAY = 1440;
const QUOTAS = { requests: 100_000, rows_read: 5_000_000, rows_written: 100_000, gb_seconds: 13_000 };
/** What an object is billed with, whatever it uses. */
const GIGABYTES = 0.125;

const target = await Target.start((_, response) => response.end(healthBody()));

/** A day of one hub with `count` monitors. @param {number} count */
async function hub(count) {
  const list = Array.from({ length: count }, (_, i) => monitor(`m${i}`, `${target.url}/health`));
  const edge = await Edge.start(list);
  const began = performance.now();
  for (let minute = 0; minute < MINUTES; minute += 1) await edge.tick();
  const seconds = (performance.now() - began) / 1000;
  const status = await edge.status();
  await edge.stop();
  const down = status.monitors.filter((/** @type {any} */ it) => it.state !== "up");
  if (down.length > 0) throw new Error(`${down.length} of ${count} monitors are not up`);
  const whole = DAY / MINUTES;
  const { requests, rows_read, rows_written, subrequests, busiest_tick_subrequests } = status.edge;
  return {
    requests: requests * whole,
    rows_read: rows_read * whole,
    rows_written: rows_written * whole,
    gb_seconds: seconds * whole * GIGABYTES,
    subrequests: subrequests * whole,
    busiest: busiest_tick_subrequests,
    milliseconds: (1000 * seconds) / MINUTES,
  };
}

/** Monitors, and the hubs that they make: how many of which size. */
const CASES = [
  { monitors: 1, hubs: 1, size: 1 },
  { monitors: 50, hubs: 2, size: 25 },
  { monitors: 1000, hubs: 25, size: 40 },
];

console.log(`a day of ${MINUTES} simulated minutes, every monitor at 60 s, nobody looks at the page\n`);
console.log("monitors  hubs     requests    rows read  rows written        GB-s   busiest tick  tick of a hub");
let over = false;
for (const { monitors, hubs, size } of CASES) {
  const one = await hub(size);
  const share = (/** @type {keyof typeof QUOTAS} */ name) => {
    const used = (100 * hubs * one[name]) / QUOTAS[name];
    over ||= used > 100;
    return `${used.toFixed(2)} %`;
  };
  console.log(
    String(monitors).padStart(8),
    String(hubs).padStart(5),
    share("requests").padStart(12),
    share("rows_read").padStart(12),
    share("rows_written").padStart(13),
    share("gb_seconds").padStart(11),
    `${one.busiest} of 50`.padStart(14),
    `${one.milliseconds.toFixed(1)} ms`.padStart(14),
  );
}
console.log("\nA monitor with signed reports writes two rows an hour and one a day more; a change of state one, an");
console.log("incident a few. The time of a tick is that of this machine, requests to the target included.");
await target.stop();
if (over) process.exitCode = 1;
