// A vendor's push service, and the browsers behind it: takes what RFC 8030 has it take, from whom RFC 8292 lets it, and reads what it
// was sent with the browser's own keys, as RFC 8291 has it. Nothing of it is the edge's: it is made of Node's own cryptography.

import { createDecipheriv, createECDH, createPublicKey, hkdfSync, randomBytes, verify } from "node:crypto";
import { Target } from "./target.mjs";

/** @param {string} text */
const raw = (text) => Buffer.from(text, "base64url");

/** A pair of keys as `make push-keys` prints them. */
export function vapidKeys() {
  const pair = createECDH("prime256v1");
  pair.generateKeys();
  // Its own may be a byte short.
  const number = Buffer.concat([Buffer.alloc(32), pair.getPrivateKey()]).subarray(-32);
  return { VAPID_PUBLIC_KEY: pair.getPublicKey("base64url"), VAPID_PRIVATE_KEY: number.toString("base64url") };
}

export class PushService {
  /** @param {string} key the public key for which browsers ask here */
  constructor(key) {
    this.key = key;
    /** @type {Target | undefined} */ this.target = undefined;
    /** Browsers by their path. @type {Record<string, { pair: import("node:crypto").ECDH, auth: Buffer }>} */
    this.browsers = {};
    /** What each was told. @type {Record<string, any[]>} */
    this.told = {};
    /** The topic of each message. @type {Record<string, string[]>} */
    this.topics = {};
    /** What is wrong with what came. @type {string[]} */
    this.wrong = [];
    /** The tokens that came. @type {Set<string>} */
    this.tokens = new Set();
    /** What it answers where all is right: a status, and `Retry-After`. @type {{ status: number, after?: string }} */
    this.mood = { status: 201 };
    this.asked = 0;
  }

  /** @param {string} key */
  static async start(key) {
    const service = new PushService(key);
    service.target = await Target.start((request, response) => service.#answer(request, response));
    return service;
  }

  get url() {
    return /** @type {Target} */ (this.target).url;
  }

  /** What `PushSubscription.toJSON` of a new browser says, as the edge wants it. @param {string} name */
  browser(name) {
    const pair = createECDH("prime256v1");
    pair.generateKeys();
    const auth = randomBytes(16);
    const path = `/push/${name}`;
    this.browsers[path] = { pair, auth };
    this.told[path] = [];
    this.topics[path] = [];
    const keys = { p256dh: pair.getPublicKey("base64url"), auth: auth.toString("base64url") };
    return { url: `${this.url}${path}`, keys };
  }

  /** What a browser was told, in short. @param {string} name */
  events(name) {
    return (this.told[`/push/${name}`] ?? []).map(({ monitor, event }) => (monitor ? `${monitor} ${event}` : event));
  }

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  async #answer(request, response) {
    const parts = [];
    for await (const chunk of request) parts.push(chunk);
    this.asked += 1;
    const path = request.url ?? "";
    const browser = this.browsers[path];
    if (!browser) return void response.writeHead(404).end();
    try {
      this.#check(request);
      const message = open(Buffer.concat(parts), browser);
      const { status, after } = this.mood;
      if (status < 300) {
        this.told[path].push(JSON.parse(message));
        this.topics[path].push(String(request.headers.topic));
      }
      response.writeHead(status, after ? { "retry-after": after } : {}).end();
    } catch (error) {
      this.wrong.push(`${path}: ${error}`);
      response.writeHead(400).end();
    }
  }

  /** @param {import("node:http").IncomingMessage} request */
  #check({ method, headers }) {
    const must = (/** @type {boolean} */ holds, /** @type {string} */ what) => {
      if (!holds) throw new Error(what);
    };
    must(method === "POST", `${method}`);
    must(headers["content-encoding"] === "aes128gcm", `encoded as ${headers["content-encoding"]}`);
    must(/^\d+$/.test(String(headers.ttl)), `a TTL of ${headers.ttl}`);
    must(["very-low", "low", "normal", "high"].includes(String(headers.urgency)), `urgency ${headers.urgency}`);
    must(/^[A-Za-z0-9_-]{1,32}$/.test(String(headers.topic)), `topic ${headers.topic}`);
    const [, token, key] = /^vapid t=([^, ]+), k=([A-Za-z0-9_-]+)$/.exec(headers.authorization ?? "") ?? [];
    must(key === this.key, "signed for another key");
    this.tokens.add(token);
    const [head, claims, code] = token.split(".");
    const point = raw(key);
    const jwk = {
      kty: "EC",
      crv: "P-256",
      x: point.subarray(1, 33).toString("base64url"),
      y: point.subarray(33).toString("base64url"),
    };
    const signer = {
      key: createPublicKey({ key: jwk, format: "jwk" }),
      dsaEncoding: /** @type {const} */ ("ieee-p1363"),
    };
    must(verify("sha256", Buffer.from(`${head}.${claims}`), signer, raw(code)), "a wrong signature");
    must(JSON.parse(raw(head).toString()).alg === "ES256", "another algorithm");
    const { aud, exp, sub } = JSON.parse(raw(claims).toString());
    const left = exp - Date.now() / 1000;
    must(aud === this.url, `for ${aud}`);
    must(left > 0 && left <= 86_400, `good for ${left} s`);
    must(/^(mailto:|https:)/.test(sub), `from ${sub}`);
  }

  async stop() {
    await this.target?.stop();
  }
}

/** Reads a record of RFC 8188, which is the whole message. @param {Buffer} body @param {{ pair: import("node:crypto").ECDH, auth: Buffer }} browser */
function open(body, { pair, auth }) {
  if (body.length > 4096) throw new Error(`${body.length} bytes`);
  const [salt, size, length] = [body.subarray(0, 16), body.readUInt32BE(16), body.readUInt8(20)];
  const sender = body.subarray(21, 21 + length);
  const record = body.subarray(21 + length);
  if (length !== 65 || record.length > size) throw new Error("no single record");
  const who = Buffer.concat([Buffer.from("WebPush: info\0"), pair.getPublicKey(), sender]);
  const secret = hkdfSync("sha256", pair.computeSecret(sender), auth, who, 32);
  const part = (/** @type {string} */ what, /** @type {number} */ bytes) =>
    Buffer.from(hkdfSync("sha256", Buffer.from(secret), salt, Buffer.from(`Content-Encoding: ${what}\0`), bytes));
  const cipher = createDecipheriv("aes-128-gcm", part("aes128gcm", 16), part("nonce", 12));
  cipher.setAuthTag(record.subarray(-16));
  const plain = Buffer.concat([cipher.update(record.subarray(0, -16)), cipher.final()]);
  const end = plain.lastIndexOf(2);
  if (end < 0 || plain.subarray(end + 1).some((byte) => byte !== 0)) throw new Error("no end of the last record");
  return plain.subarray(0, end).toString();
}
