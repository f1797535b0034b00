// Environment variables of `make run`, checked before anything is built.

import { fail } from "./log.mjs";

/** Seconds in each unit that TICK may have. */
const UNITS = { ms: 0.001, s: 1, m: 60, h: 3600 };

/** @param {string} name @param {string} fallback */
function readPort(name, fallback) {
  const text = process.env[name] || fallback;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 65535) {
    fail(`${name} is "${text}": a port is a number from 1 to 65535`, 2);
  }
  return number;
}

function readTick() {
  const text = process.env.TICK || "60s";
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  const seconds = match ? Number(match[1]) * UNITS[/** @type {keyof typeof UNITS} */ (match[2])] : Number.NaN;
  if (!(seconds >= 5 && seconds <= 3600)) {
    fail(`TICK is "${text}": the time between two ticks is from 5s to 1h, such as 5s, 60s or 5m`, 2);
  }
  return seconds;
}

/** Reads the ports, the interval of the ticks and the directory of the local history. */
export function readEnv() {
  const serverPort = readPort("PORT", "8080");
  const edgePort = readPort("EDGE_PORT", "8787");
  if (serverPort === edgePort) fail(`PORT and EDGE_PORT are both ${serverPort}: each half needs a port of its own`, 2);
  return { serverPort, edgePort, tickSeconds: readTick(), stateDir: process.env.HEAPBEAT_STATE || ".heapbeat" };
}
