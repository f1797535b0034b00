// A browser vendor's push service and the browsers behind it. It accepts a message by the rules of RFC 8030 (delivery) and
// RFC 8292 (VAPID), and decrypts it with the keys of the browser (RFC 8291). It uses Node's cryptography, none of the edge's.

import { createDecipheriv, createECDH, createPublicKey, hkdfSync, randomBytes, verify } from "node:crypto";
import { Target } from "./target.mjs";

/** @param {string} text */
const decodeBase64Url = (text) => Buffer.from(text, "base64url");

/** Generates a pair of keys as `make push-keys` prints them. */
export function generateVapidKeys() {
  const pair = createECDH("prime256v1");
  pair.generateKeys();
  // Node leaves leading zeros out.
  const privateKey = Buffer.concat([Buffer.alloc(32), pair.getPrivateKey()]).subarray(-32);
  return { VAPID_PUBLIC_KEY: pair.getPublicKey("base64url"), VAPID_PRIVATE_KEY: privateKey.toString("base64url") };
}

export class PushService {
  /** @param {string} key the public VAPID key with which browsers subscribe */
  constructor(key) {
    this.key = key;
    /** @type {Target | undefined} */ this.target = undefined;
    /** The subscribed browsers by their path. @type {Record<string, { pair: import("node:crypto").ECDH, auth: Buffer }>} */
    this.browsers = {};
    /** The messages of each browser. @type {Record<string, any[]>} */
    this.messages = {};
    /** The topic of each message, by path. @type {Record<string, string[]>} */
    this.topics = {};
    /** The rules that requests broke. @type {string[]} */
    this.violations = [];
    /** The VAPID tokens of all requests. @type {Set<string>} */
    this.tokens = new Set();
    /** The answer to a valid request: a status, and `Retry-After`. @type {{ status: number, retryAfter?: string }} */
    this.response = { status: 201 };
    this.requestCount = 0;
  }

  /** @param {string} key */
  static async start(key) {
    const service = new PushService(key);
    service.target = await Target.start((request, response) => service.#respond(request, response));
    return service;
  }

  get url() {
    return /** @type {Target} */ (this.target).url;
  }

  /** Subscribes a new browser and returns what the edge needs of its `PushSubscription.toJSON()`. @param {string} name */
  subscribeBrowser(name) {
    const pair = createECDH("prime256v1");
    pair.generateKeys();
    const auth = randomBytes(16);
    const path = `/push/${name}`;
    this.browsers[path] = { pair, auth };
    this.messages[path] = [];
    this.topics[path] = [];
    const keys = { p256dh: pair.getPublicKey("base64url"), auth: auth.toString("base64url") };
    return { url: `${this.url}${path}`, keys };
  }

  /** Summarizes the messages of a browser: monitor and event of each. @param {string} name */
  listEvents(name) {
    return (this.messages[`/push/${name}`] ?? []).map(({ monitor, event }) =>
      monitor ? `${monitor} ${event}` : event,
    );
  }

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  async #respond(request, response) {
    const parts = [];
    for await (const chunk of request) parts.push(chunk);
    this.requestCount += 1;
    const path = request.url ?? "";
    const browser = this.browsers[path];
    if (!browser) return void response.writeHead(404).end();
    try {
      this.#verify(request);
      const message = decrypt(Buffer.concat(parts), browser);
      const { status, retryAfter } = this.response;
      if (status < 300) {
        this.messages[path].push(JSON.parse(message));
        this.topics[path].push(String(request.headers.topic));
      }
      response.writeHead(status, retryAfter ? { "retry-after": retryAfter } : {}).end();
    } catch (error) {
      this.violations.push(`${path}: ${error}`);
      response.writeHead(400).end();
    }
  }

  /** @param {import("node:http").IncomingMessage} request */
  #verify({ method, headers }) {
    const requireThat = (/** @type {boolean} */ condition, /** @type {string} */ problem) => {
      if (!condition) throw new Error(problem);
    };
    requireThat(method === "POST", `method ${method}`);
    requireThat(headers["content-encoding"] === "aes128gcm", `encoded as ${headers["content-encoding"]}`);
    requireThat(/^\d+$/.test(String(headers.ttl)), `a TTL of ${headers.ttl}`);
    requireThat(["very-low", "low", "normal", "high"].includes(String(headers.urgency)), `urgency ${headers.urgency}`);
    requireThat(/^[A-Za-z0-9_-]{1,32}$/.test(String(headers.topic)), `topic ${headers.topic}`);
    const [, token, key] = /^vapid t=([^, ]+), k=([A-Za-z0-9_-]+)$/.exec(headers.authorization ?? "") ?? [];
    requireThat(key === this.key, "signed for another key");
    this.tokens.add(token);
    const [head, claims, signature] = token.split(".");
    const point = decodeBase64Url(key);
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
    requireThat(
      verify("sha256", Buffer.from(`${head}.${claims}`), signer, decodeBase64Url(signature)),
      "a wrong signature",
    );
    requireThat(JSON.parse(decodeBase64Url(head).toString()).alg === "ES256", "another algorithm");
    const { aud, exp, sub } = JSON.parse(decodeBase64Url(claims).toString());
    const secondsLeft = exp - Date.now() / 1000;
    requireThat(aud === this.url, `audience ${aud}`);
    requireThat(secondsLeft > 0 && secondsLeft <= 86_400, `valid for ${secondsLeft} s`);
    requireThat(/^(mailto:|https:)/.test(sub), `subject ${sub}`);
  }

  async stop() {
    await this.target?.stop();
  }
}

/** Decrypts the single record of RFC 8188 that a message is. @param {Buffer} body @param {{ pair: import("node:crypto").ECDH, auth: Buffer }} browser */
function decrypt(body, { pair, auth }) {
  if (body.length > 4096) throw new Error(`${body.length} bytes`);
  const [salt, size, length] = [body.subarray(0, 16), body.readUInt32BE(16), body.readUInt8(20)];
  const sender = body.subarray(21, 21 + length);
  const record = body.subarray(21 + length);
  if (length !== 65 || record.length > size) throw new Error("not a single record");
  const info = Buffer.concat([Buffer.from("WebPush: info\0"), pair.getPublicKey(), sender]);
  const secret = hkdfSync("sha256", pair.computeSecret(sender), auth, info, 32);
  const derive = (/** @type {string} */ purpose, /** @type {number} */ bytes) =>
    Buffer.from(hkdfSync("sha256", Buffer.from(secret), salt, Buffer.from(`Content-Encoding: ${purpose}\0`), bytes));
  const cipher = createDecipheriv("aes-128-gcm", derive("aes128gcm", 16), derive("nonce", 12));
  cipher.setAuthTag(record.subarray(-16));
  const plain = Buffer.concat([cipher.update(record.subarray(0, -16)), cipher.final()]);
  const end = plain.lastIndexOf(2);
  if (end < 0 || plain.subarray(end + 1).some((byte) => byte !== 0)) throw new Error("the last record has no end");
  return plain.subarray(0, end).toString();
}
