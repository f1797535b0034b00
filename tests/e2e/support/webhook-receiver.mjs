// A subscriber's webhook. It answers the challenge, checks the signature of every message, and keeps what it accepts.

import { createHmac } from "node:crypto";
import { readBody, Target } from "./target.mjs";
import { HANG_TIMEOUT_MS } from "./wait.mjs";

/** Signs by the rules of Standard Webhooks, independently of the edge. @param {string} secret @param {string[]} parts */
const sign = (secret, parts) =>
  `v1,${createHmac("sha256", Buffer.from(secret.slice("whsec_".length), "base64"))
    .update(parts.join("."))
    .digest("base64")}`;

export class WebhookReceiver {
  constructor() {
    /** @type {Target | undefined} */ this.target = undefined;
    /** Every request: its path and its body. @type {{ path: string, body: any }[]} */
    this.requests = [];
    /** The signing secret of each path. @type {Record<string, string>} */
    this.secrets = {};
    /** The messages that each path accepted. @type {Record<string, any[]>} */
    this.accepted = {};
    /** The rules that requests broke. @type {string[]} */
    this.violations = [];
    /** Answers a challenge. @type {(challenge: string) => string} */
    this.answerChallenge = (challenge) => challenge;
    /** The answer to messages: a status, and `Retry-After`. @type {{ status: number, retryAfter?: string }} */
    this.response = { status: 200 };
    /** Whether it never answers anything. */
    this.hangs = false;
  }

  static async start() {
    const receiver = new WebhookReceiver();
    receiver.target = await Target.start((request, response) => receiver.#respond(request, response));
    return receiver;
  }

  /** The URL of a path. @param {string} path */
  urlOf(path) {
    return `${/** @type {Target} */ (this.target).url}${path}`;
  }

  /** Summarizes what a path accepted: monitor and event of each message. @param {string} path */
  listEvents(path) {
    return (this.accepted[path] ?? []).map((message) => `${message.monitor} ${message.event}`);
  }

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  async #respond(request, response) {
    const text = await readBody(request);
    const path = request.url ?? "";
    const body = JSON.parse(text);
    this.requests.push({ path, body });
    if (this.hangs) return;
    if (path.startsWith("/redirect")) return void response.writeHead(307, { location: "/redirected" }).end();
    if (body.challenge) {
      if (body.event === "subscribe") this.secrets[path] = body.secret;
      return void response.end(this.answerChallenge(body.challenge));
    }
    this.#verify(path, text, request.headers);
    const { status, retryAfter } = this.response;
    if (status === 200) {
      this.accepted[path] ??= [];
      this.accepted[path].push(body);
    }
    response.writeHead(status, retryAfter ? { "retry-after": retryAfter } : {}).end();
  }

  /** @param {string} path @param {string} text @param {import("node:http").IncomingHttpHeaders} headers */
  #verify(path, text, headers) {
    const id = String(headers["webhook-id"]);
    const seconds = String(headers["webhook-timestamp"]);
    if (Math.abs(Date.now() - Number(seconds) * 1000) > HANG_TIMEOUT_MS)
      this.violations.push(`${path}: sent at ${seconds}`);
    if (headers["webhook-signature"] !== sign(this.secrets[path], [id, seconds, text]))
      this.violations.push(`${path}: the signature is wrong`);
    if (JSON.parse(text).key !== id) this.violations.push(`${path}: the id is not the key of the message`);
  }

  async stop() {
    await this.target?.stop();
  }
}
