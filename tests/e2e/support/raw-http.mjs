// HTTP/1.1 as it is typed: what fetch would refuse to send, or would put right first.

import { connect } from "node:net";

/** @typedef {{ status: number, head: string, headers: Map<string, string>, body: string }} Answer */

/** Sends bytes and gathers whatever comes back until the other side is done. @param {string} url @param {string} bytes */
export async function spoken(url, bytes) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const gone = new Promise((resolve) => socket.once("close", resolve));
  // Whoever breaks the protocol may be cut off: what was said until then counts.
  socket.on("error", () => {});
  socket.setTimeout(10_000, () => socket.destroy());
  let all = "";
  socket.on("data", (chunk) => {
    all += chunk.toString("latin1");
  });
  socket.write(bytes, "latin1");
  await gone;
  return all;
}

/**
 * One request, whose every byte is the caller's, and its answer.
 * @param {string} url where the server listens
 * @param {string} target what stands between the method and the version
 * @param {{ method?: string, headers?: string[], host?: string, body?: string }} [more]
 * @returns {Promise<Answer>}
 */
export async function ask(url, target, { method = "GET", headers = [], host = new URL(url).host, body = "" } = {}) {
  const lines = [`${method} ${target} HTTP/1.1`, `Host: ${host}`, "Connection: close", ...headers];
  return answer(await spoken(url, `${lines.join("\r\n")}\r\n\r\n${body}`));
}

/** The first answer of what was received. @param {string} text @returns {Answer} */
export function answer(text) {
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
