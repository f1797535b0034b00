// A WebSocket client for small text messages that also shows how the connection ended: by a close frame, by the end of the stream, or
// by a reset. (RFC 6455; the browser's WebSocket reports 1006 for both of the latter.)

import { randomBytes } from "node:crypto";
import { request as sendRequest } from "node:http";

const TEXT = 0x1;
const CLOSE = 0x8;
/** Longest payload whose length fits the second byte. */
const MAX_PAYLOAD = 125;

export class WebSocketClient {
  /** @param {import("node:net").Socket} socket */
  constructor(socket) {
    this.socket = socket;
    /** Messages that were received. @type {string[]} */
    this.received = [];
    /** How the connection ended: `close frame 1001`, `end of stream` or `reset`; undefined while it is open. @type {string | undefined} */
    this.end = undefined;
    /** When it ended (performance.now()). */
    this.endedAt = Number.NaN;
    let data = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      data = Buffer.concat([data, chunk]);
      for (;;) {
        const length = (data[1] ?? 0) & 0x7f;
        if (data.length < 2 || data.length < 2 + length) return;
        const payload = data.subarray(2, 2 + length);
        const kind = (data[0] ?? 0) & 0x0f;
        if (kind === TEXT) this.received.push(payload.toString());
        if (kind === CLOSE)
          this.#ended(`close frame ${payload.length >= 2 ? payload.readUInt16BE(0) : "without code"}`);
        data = data.subarray(2 + length);
      }
    });
    socket.on("end", () => this.#ended("end of stream"));
    socket.on("error", () => this.#ended("reset"));
    socket.on("close", () => this.#ended("end of stream"));
  }

  /** @param {string} how */
  #ended(how) {
    if (this.end) return;
    this.end = how;
    this.endedAt = performance.now();
    this.socket.end();
  }

  /** Opens a connection. @param {number} port @param {string} path @returns {Promise<WebSocketClient>} */
  static open(port, path) {
    return new Promise((resolve, reject) => {
      const headers = {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": randomBytes(16).toString("base64"),
      };
      const request = sendRequest({ host: "127.0.0.1", port, path, headers, agent: false });
      request.on("upgrade", (_response, socket) => resolve(new WebSocketClient(socket)));
      request.on("response", (response) => reject(new Error(`no upgrade: ${response.statusCode}`)));
      request.on("error", reject);
      request.end();
    });
  }

  /** Sends a text of at most 125 bytes; a client must mask it. @param {string} text */
  send(text) {
    if (this.end) return;
    const payload = Buffer.from(text).subarray(0, MAX_PAYLOAD);
    const mask = randomBytes(4);
    for (let i = 0; i < payload.length; i++) payload[i] = (payload[i] ?? 0) ^ (mask[i % 4] ?? 0);
    this.socket.write(Buffer.concat([Buffer.from([0x80 | TEXT, 0x80 | payload.length]), mask, payload]));
  }
}
