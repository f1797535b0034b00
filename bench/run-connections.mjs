// What becomes of 100 WebSockets and 20 streams when the program is replaced. Ten streams of 8 s fit into the drain time and must be
// whole. The WebSockets and ten streams of 60 s outlast it: they must work until it ends, and then be closed. PM2's restart and reload
// of the same program beside it. And how soon `/health` is answered beside 5,000 connections that do nothing, and what they need of memory.
//
//   make bench BENCH=run-connections      PART=idle, PART=replacement: one of them

import { get } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { proportionalSetSize } from "../tests/e2e/support/process-tree.mjs";
import { waitUntil } from "../tests/e2e/support/wait.mjs";
import { loadAverage, toMb } from "./support/conditions.mjs";
import { startUnderHeapbeat, startUnderPm2 } from "./support/contenders.mjs";
import { prepareExpress, prepareFastApi } from "./support/examples.mjs";
import { installProgram } from "./support/programs.mjs";
import { WebSocketClient } from "./support/websocket.mjs";

const WEB_SOCKETS = 100;
const STREAMS = 10;
const SHORT_SECONDS = 8;
const LONG_SECONDS = 60;
/** Time between two messages of a WebSocket. */
const PING_MS = 500;
/** Longest time until a WebSocket's end is awaited. */
const WATCH_MS = 40_000;

/** Idle connections, and how many of them are opened at a time, as a listener's queue is short. */
const IDLE = 5000;
const AT_A_TIME = 100;
/** Requests for `/health`, each on a connection of its own. */
const HEALTH_REQUESTS = 50;

/** @typedef {{ events: number, complete: boolean, end?: string, endedAt: number }} Stream */

/** Reads a stream of server-sent events. @param {number} port @param {number} seconds @returns {Stream} */
function openStream(port, seconds) {
  /** @type {Stream} */
  const stream = { events: 0, complete: false, endedAt: Number.NaN };
  const ended = (/** @type {string} */ how) => {
    if (stream.end) return;
    stream.end = how;
    stream.endedAt = performance.now();
  };
  const request = get({ host: "127.0.0.1", port, path: `/stream?seconds=${seconds}`, agent: false }, (response) => {
    response.on("data", (data) => {
      stream.events += String(data).split("\n\n").length - 1;
      if (String(data).includes("data: end")) stream.complete = true;
    });
    response.on("end", () => ended(response.complete ? "complete" : "cut off"));
    response.on("error", (error) =>
      ended(/** @type {any} */ (error).code === "ECONNRESET" ? "cut off" : error.message),
    );
  });
  request.on("error", (error) => ended(/** @type {any} */ (error).code ?? error.message));
  return stream;
}

/** Counts values. @param {(string | undefined)[]} values */
function tally(values) {
  /** @type {Record<string, number>} */
  const counts = {};
  for (const value of values) counts[value ?? "open"] = (counts[value ?? "open"] ?? 0) + 1;
  return Object.entries(counts)
    .map(([value, count]) => `${count} ${value}`)
    .join(", ");
}

/** The smallest and the largest value in seconds since `from`. @param {number[]} times @param {number} from */
function range(times, from) {
  const seconds = times.filter(Number.isFinite).map((time) => (time - from) / 1000);
  return seconds.length > 0 ? `${Math.min(...seconds).toFixed(1)} to ${Math.max(...seconds).toFixed(1)} s` : "never";
}

/**
 * @param {import("./support/contenders.mjs").Contender} contender
 * @param {() => unknown} replace
 */
async function measure(contender, replace) {
  const sockets = await Promise.all(
    Array.from({ length: WEB_SOCKETS }, () => WebSocketClient.open(contender.port, "/ws")),
  );
  const sent = sockets.map(() => 0);
  const ping = setInterval(() => {
    for (const [index, socket] of sockets.entries()) {
      if (!socket.end) socket.send(String(sent[index]++));
    }
  }, PING_MS);
  const streams = [SHORT_SECONDS, LONG_SECONDS].map((seconds) =>
    Array.from({ length: STREAMS }, () => openStream(contender.port, seconds)),
  );
  await waitUntil(
    "the first messages",
    () => streams.flat().every((it) => it.events > 0) && sockets.every((it) => it.received.length > 0),
  );
  const began = performance.now();
  await replace();
  const deadline = began + WATCH_MS;
  while (performance.now() < deadline && !(sockets.every((it) => it.end) && streams.flat().every((it) => it.end)))
    await sleep(50);
  clearInterval(ping);
  // A message that was sent less than an interval before the end may have no answer.
  const lost = sockets.filter((it, index) => (sent[index] ?? 0) - it.received.length > 1).length;
  const inOrder = sockets.every((it) => it.received.every((text, index) => text === String(index)));
  const [short = [], long = []] = streams;
  console.log(`${contender.name}:`);
  console.log(
    `  ${WEB_SOCKETS} WebSockets: ended after ${range(
      sockets.map((it) => it.endedAt),
      began,
    )} (${tally(sockets.map((it) => it.end))}); ` +
      `${lost} with more than the last message unanswered, ${inOrder ? "all answers in order" : "answers missing"}`,
  );
  console.log(
    `  ${STREAMS} streams of ${SHORT_SECONDS} s: ${short.filter((it) => it.complete).length} whole (${tally(short.map((it) => it.end))})`,
  );
  console.log(
    `  ${STREAMS} streams of ${LONG_SECONDS} s: ended after ${range(
      long.map((it) => it.endedAt),
      began,
    )} (${tally(long.map((it) => it.end))})`,
  );
  for (const socket of sockets) socket.socket.destroy();
  await contender.stop();
}

/** Opens a connection, and sends a request on it if there is one. @param {number} port @param {string} [request] */
const openIdle = (port, request) =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      if (!request) return resolve(socket);
      socket.once("data", () => resolve(socket));
      socket.write(request);
    });
    socket.on("error", () => resolve(socket));
  });

/** The time in milliseconds until `/health` is answered on a connection of its own, by status. @param {number} port */
function timeHealth(port) {
  const began = performance.now();
  return new Promise((resolve) => {
    const request = get({ host: "127.0.0.1", port, path: "/health", agent: false }, (response) => {
      response.resume();
      response.on("end", () => resolve({ status: String(response.statusCode), ms: performance.now() - began }));
    });
    request.on("error", (error) => resolve({ status: error.message, ms: performance.now() - began }));
  });
}

/** Measures `/health` and memory beside idle connections. @param {string} title @param {string} [request] what is sent on each before */
async function measureIdle(title, request) {
  const contender = await startUnderHeapbeat(prepareExpress());
  const memory = () => toMb(proportionalSetSize(contender.guardPids()));
  const before = memory();
  /** @type {import("node:net").Socket[]} */
  const sockets = [];
  while (sockets.length < IDLE) {
    const opened = Array.from({ length: AT_A_TIME }, () => openIdle(contender.port, request));
    sockets.push(...(await Promise.all(opened)));
  }
  // A connection gives its buffers back a second after its last response.
  await sleep(1500);
  const during = memory();
  const answers = [];
  for (let n = 0; n < HEALTH_REQUESTS; n++) answers.push(await timeHealth(contender.port));
  const times = answers.map((it) => it.ms).toSorted((a, b) => a - b);
  console.log(
    `${IDLE} connections ${title}, ${sockets.filter((it) => !it.destroyed).length} open: /health ` +
      `${tally(answers.map((it) => it.status))}, p50 ${times[times.length >> 1]?.toFixed(1)} ms, longest ${times.at(-1)?.toFixed(1)} ms; ` +
      `heapbeat's processes ${before} MB before, ${during} MB with them (PSS)`,
  );
  for (const socket of sockets) socket.destroy();
  await contender.stop();
}

const parts = (process.env.PART ?? "idle,replacement").split(",");
if (parts.includes("idle")) {
  console.log(`== idle connections, ${loadAverage()}`);
  await measureIdle("without a request");
  await measureIdle("kept after a request", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  console.log(loadAverage());
}
if (!parts.includes("replacement")) process.exit();

const express = prepareExpress();
const uvicorn = prepareFastApi();
const fastify = { name: "Fastify", cwd: installProgram.fastify(), command: () => ["npm", "start"] };
const drain = { env: { HEAPBEAT_DRAIN_TIMEOUT: "17s" }, note: "drain timeout 17 s" };
console.log(`== replacement with open connections, ${loadAverage()}`);
const [first, second, third, fork, cluster] = await Promise.all([
  startUnderHeapbeat(express, drain),
  startUnderHeapbeat(fastify, drain),
  startUnderHeapbeat(uvicorn, drain),
  startUnderPm2(express, "fork"),
  startUnderPm2(express, "cluster"),
]);
await Promise.all([
  ...[first, second, third].map((contender) => measure(contender, () => contender.guarded.replace())),
  measure(fork, () => fork.reload()),
  measure(cluster, () => cluster.reload()),
]);
console.log(loadAverage());
process.exit();
