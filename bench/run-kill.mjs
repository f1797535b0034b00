// Requests that fail when the program is killed (`kill -9`) twenty times, 2 s apart and while it serves, at 200 requests a second: heapbeat beside PM2, at
// the same time. One request in ten is a POST, which must not be repeated; at most those in flight may fail.
//
//   make bench BENCH=run-kill

import { setTimeout as sleep } from "node:timers/promises";
import { formatLoad, startLoad } from "../tests/e2e/support/load.mjs";
import { waitUntil } from "../tests/e2e/support/wait.mjs";
import { loadAverage } from "./support/conditions.mjs";
import { startUnderHeapbeat, startUnderPm2 } from "./support/contenders.mjs";
import { prepareExpress, prepareFastApi } from "./support/examples.mjs";

const KILLS = Number(process.env.KILLS ?? 20);
const PAUSE_MS = 2000;
const RATE = Number(process.env.RATE ?? 200);

const express = prepareExpress();
const uvicorn = prepareFastApi();

/** @param {number} n */
const mixed = (n) => {
  const keepAlive = n % 4 < 2;
  if (n % 10 === 0) return { path: "/orders", method: "POST", keepAlive };
  return { path: n % 10 === 5 ? "/slow?ms=200" : "/", keepAlive };
};

console.log(`== ${KILLS} kills, ${PAUSE_MS / 1000} s apart, ${RATE} requests/s, ${loadAverage()}`);
const contenders = await Promise.all([
  startUnderHeapbeat(express),
  startUnderPm2(express, "fork"),
  startUnderPm2(express, "cluster"),
  startUnderHeapbeat(uvicorn),
]);
await Promise.all(
  contenders.map(async (contender) => {
    const load = startLoad({ port: contender.port, rate: RATE, requests: mixed });
    let inFlight = 0;
    let killed = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      await sleep(PAUSE_MS);
      // A program that is killed before it serves is another case: a crash loop. On a busy machine a start takes longer than the pause.
      const { answered } = load.counts;
      await waitUntil(
        "the program to serve all that waited",
        () => load.counts.answered > answered && load.open() < RATE / 2,
      );
      const pids = contender.pids();
      inFlight += load.open("POST");
      killed += pids.length > 0 ? 1 : 0;
      for (const pid of pids) process.kill(pid, "SIGKILL");
    }
    await sleep(PAUSE_MS);
    const result = await load.stop();
    const methods = Object.entries(result.failedMethods).map(([method, count]) => `${count} ${method}`);
    console.log(
      `${contender.name}: ${killed} kills; ${formatLoad(result)}; ` +
        `POST in flight at the kills: ${inFlight}; failed by method: ${methods.join(", ") || "none"}`,
    );
    await contender.stop();
  }),
);
console.log(loadAverage());
process.exit();
