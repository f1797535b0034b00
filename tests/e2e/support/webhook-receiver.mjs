// Somebody's webhook, which answers the challenge and keeps what it is told, if its signature is right.

import { createHmac } from "node:crypto";
import { Target } from "./target.mjs";

/** What Standard Webhooks signs, computed here and not by the edge. @param {string} secret @param {string[]} parts */
const signature = (secret, parts) =>
  `v1,${createHmac("sha256", Buffer.from(secret.slice("whsec_".length), "base64"))
    .update(parts.join("."))
    .digest("base64")}`;

export class Receiver {
  constructor() {
    /** @type {Target | undefined} */ this.target = undefined;
    /** Every request: its path and what it said. @type {{ path: string, body: any }[]} */
    this.asked = [];
    /** The secret of each path. @type {Record<string, string>} */
    this.secrets = {};
    /** What each path took. @type {Record<string, any[]>} */
    this.taken = {};
    /** What is wrong with what came. @type {string[]} */
    this.wrong = [];
    /** What it answers to a challenge. @type {(challenge: string) => string} */
    this.echo = (challenge) => challenge;
    /** What it answers to messages: a status, and `Retry-After`. @type {{ status: number, after?: string }} */
    this.mood = { status: 200 };
    /** How long it takes for everything, or that it never answers. @type {"at once" | "never"} */
    this.pace = "at once";
  }

  static async start() {
    const receiver = new Receiver();
    receiver.target = await Target.start((request, response) => receiver.#answer(request, response));
    return receiver;
  }

  /** The address of a path. @param {string} path */
  at(path) {
    return `${/** @type {Target} */ (this.target).url}${path}`;
  }

  /** What a path took, in short. @param {string} path */
  events(path) {
    return (this.taken[path] ?? []).map((message) => `${message.monitor} ${message.event}`);
  }

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  async #answer(request, response) {
    let whole = "";
    for await (const chunk of request) whole += chunk;
    const path = request.url ?? "";
    const body = JSON.parse(whole);
    this.asked.push({ path, body });
    if (this.pace === "never") return;
    if (path.startsWith("/elsewhere")) return void response.writeHead(307, { location: "/moved" }).end();
    if (body.challenge) {
      if (body.event === "subscribe") this.secrets[path] = body.secret;
      return void response.end(this.echo(body.challenge));
    }
    this.#check(path, whole, request.headers);
    const { status, after } = this.mood;
    if (status === 200) {
      this.taken[path] ??= [];
      this.taken[path].push(body);
    }
    response.writeHead(status, after ? { "retry-after": after } : {}).end();
  }

  /** @param {string} path @param {string} whole @param {import("node:http").IncomingHttpHeaders} headers */
  #check(path, whole, headers) {
    const id = String(headers["webhook-id"]);
    const seconds = String(headers["webhook-timestamp"]);
    if (Math.abs(Date.now() / 1000 - Number(seconds)) > 60) this.wrong.push(`${path}: sent at ${seconds}`);
    if (headers["webhook-signature"] !== signature(this.secrets[path], [id, seconds, whole]))
      this.wrong.push(`${path}: the signature is wrong`);
    if (JSON.parse(whole).key !== id) this.wrong.push(`${path}: the id is not the message's`);
  }

  async stop() {
    await this.target?.stop();
  }
}
