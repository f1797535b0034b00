// Requests that fail while a program leaks 20 and 5 MB/s under a limit of 256 MB, at 200 requests a second for 60 s: heapbeat
// beside PM2 and, for Python, beside gunicorn's `--max-requests`. All of one step run at the same time and get the same load, so a
// busy machine is equally busy for each.
//
//   make bench BENCH=run-leak-node      make bench BENCH=run-leak-python      SECONDS=20 RATE=50: less

import { setTimeout as sleep } from "node:timers/promises";
import { formatLoad, startLoad } from "../tests/e2e/support/load.mjs";
import { loadAverage, toMb, watchPeakMemory } from "./support/conditions.mjs";
import { startAlone, startUnderHeapbeat, startUnderPm2 } from "./support/contenders.mjs";
import { prepareExpress, prepareFastApi } from "./support/examples.mjs";
import { installProgram } from "./support/programs.mjs";

const SECONDS = Number(process.env.SECONDS ?? 60);
const RATE = Number(process.env.RATE ?? 200);
const language = process.argv[2];

/** @typedef {import("./support/contenders.mjs").Contender} Contender */

/**
 * Of ten requests one leaks, one takes 200 ms, and the others are answered at once. Half of them open a connection of their own.
 * @param {number} mbPerSecond @returns {(n: number) => { path: string, keepAlive: boolean }}
 */
const leaking = (mbPerSecond) => (n) => {
  const path =
    n % 10 === 0 ? `/leak?kb=${Math.round((mbPerSecond * 1024 * 10) / RATE)}` : n % 10 === 5 ? "/slow?ms=200" : "/";
  return { path, keepAlive: n % 4 < 2 };
};

/** Runs the load against several at once, and prints a line for each. @param {string} title @param {number} mbPerSecond @param {Promise<Contender>[]} starting */
async function compare(title, mbPerSecond, ...starting) {
  const contenders = await Promise.all(starting);
  console.log(`== ${title}, ${RATE} requests/s, ${SECONDS} s, ${loadAverage()}`);
  await Promise.all(
    contenders.map(async (contender) => {
      const peak = watchPeakMemory(contender.pids);
      const load = startLoad({ port: contender.port, rate: RATE, requests: leaking(mbPerSecond) });
      await sleep(SECONDS * 1000);
      const result = await load.stop();
      const done = contender.describe();
      console.log(
        `${contender.name}: ${formatLoad(result)}; ${done ? `${done}, ` : ""}peak of all its processes ${toMb(await peak())} MB`,
      );
      await contender.stop();
    }),
  );
  console.log(loadAverage());
}

if (language === "node") {
  const express = prepareExpress();
  const slow = { ...express, name: "Express that starts in 5 s", env: { START_SECONDS: "5" } };
  const fixed = { ...express, name: "Express on a fixed port" };
  for (const rate of [20, 5]) {
    await compare(
      `leak of ${rate} MB/s`,
      rate,
      startUnderHeapbeat(express),
      startUnderPm2(express, "fork"),
      startUnderPm2(express, "cluster"),
    );
  }
  // What is slow to start has to catch up, so two at a time share the processors, and not four.
  for (const rate of [20, 5]) {
    await compare(`leak of ${rate} MB/s`, rate, startUnderHeapbeat(slow), startUnderPm2(slow, "fork"));
  }
  await compare(
    "leak of 20 MB/s",
    20,
    startOnFixedPort(fixed),
    startUnderHeapbeat(slow, { options: ["--single"], note: "one copy at a time" }),
  );
} else {
  const uvicorn = prepareFastApi();
  const gunicorn = {
    name: "Flask under gunicorn",
    cwd: installProgram.flask(),
    command: () => ["venv/bin/gunicorn", "--threads", "8", "app:app"],
  };
  for (const rate of [20, 5]) {
    // The number of requests after which 220 MB have leaked, as an owner who knows the leak would set it.
    const maxRequests = String(Math.round((220 / rate) * RATE));
    const renewing = (/** @type {string} */ workers) => ({
      ...gunicorn,
      name: `gunicorn --max-requests ${maxRequests} --workers ${workers}, Flask`,
      command: (/** @type {string} */ port) => [
        "venv/bin/gunicorn",
        "--threads",
        "8",
        "--workers",
        workers,
        "--max-requests",
        maxRequests,
        "-b",
        `127.0.0.1:${port}`,
        "app:app",
      ],
    });
    await compare(
      `leak of ${rate} MB/s`,
      rate,
      startUnderHeapbeat(uvicorn),
      startUnderHeapbeat(gunicorn),
      startAlone(renewing("1")),
      startAlone(renewing("2")),
      startUnderPm2(uvicorn, "fork"),
    );
  }
}

/** Starts a program that ignores PORT and listens on a port of its own. @param {import("./support/contenders.mjs").Program} program */
async function startOnFixedPort(program) {
  const { findFreePort } = await import("../tests/e2e/support/target.mjs");
  const port = String(await findFreePort());
  return startUnderHeapbeat(
    { ...program, command: () => ["sh", "-c", `PORT=${port} exec node server.js`] },
    { options: ["--upstream", port] },
  );
}
process.exit();
