// HTTP/1.1 byte for byte: requests that fetch would refuse to send, or would correct first.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { HANG_TIMEOUT_MS } from "./wait.mjs";

/** @typedef {{ status: number, head: string, headers: Map<string, string>, body: string }} RawResponse */

/** Sends bytes and collects everything that comes back until the connection closes. @param {string} url @param {string} bytes */
export async function sendBytes(url, bytes) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const closed = new Promise((resolve) => socket.once("close", resolve));
  // The server may cut off a client that breaks the protocol: what came until then counts.
  socket.on("error", () => {});
  socket.setTimeout(HANG_TIMEOUT_MS, () => socket.destroy());
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
  });
  socket.write(bytes, "latin1");
  await closed;
  return received;
}

/**
 * Sends one request, of which the caller decides every byte, and reads its response.
 * @param {string} url where the server listens
 * @param {string} target stands between the method and the version
 * @param {{ method?: string, headers?: string[], host?: string, body?: string }} [more]
 * @returns {Promise<RawResponse>}
 */
export async function sendRaw(url, target, { method = "GET", headers = [], host = new URL(url).host, body = "" } = {}) {
  const lines = [`${method} ${target} HTTP/1.1`, `Host: ${host}`, "Connection: close", ...headers];
  return parseResponse(await sendBytes(url, `${lines.join("\r\n")}\r\n\r\n${body}`));
}

/** Parses the first response in what was received; status 0 when there is none. @param {string} text @returns {RawResponse} */
export function parseResponse(text) {
  const end = text.indexOf("\r\n\r\n");
  const head = end < 0 ? text : text.slice(0, end);
  const [first, ...lines] = head.split("\r\n");
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  return { status: Number(first.split(" ")[1] ?? 0), head, headers, body: end < 0 ? "" : text.slice(end + 4) };
}

/**
 * Asserts what holds for every response: no redirect, no cookie, no content sniffing, no framing.
 * @param {RawResponse} response @param {string} name
 */
export function assertHarmless(response, name) {
  assert.equal(response.headers.get("location"), undefined, `${name}: no redirect`);
  assert.equal(response.headers.get("set-cookie"), undefined, `${name}: no cookie`);
  assert.equal(response.headers.get("x-content-type-options"), "nosniff", name);
  assert.match(
    response.headers.get("content-security-policy") ?? "",
    /default-src 'none'.*frame-ancestors 'none'/,
    name,
  );
  assert.equal(response.headers.get("access-control-allow-credentials"), undefined, name);
  assert.doesNotMatch(response.head, /^x-evil|^evil/im, `${name}: no header of the attacker's`);
}
