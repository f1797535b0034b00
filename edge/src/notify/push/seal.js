// The cryptography of web push, by the platform's SubtleCrypto. It is JavaScript, as the bindings for WebAssembly would be three times as
// long. All keys are in Base64 for URLs.

const { subtle } = crypto;
const POINT = { namedCurve: "P-256" };

/** For how long a token is valid (a push service accepts at most a day), and for how long it is used, in seconds. */
const VALID_SECONDS = 12 * 3600;
const REUSE_SECONDS = 6 * 3600;

/** The maximum number of push services whose tokens are kept. */
const MAX_TOKENS = 8;

/** @param {string} text */
const utf8 = (text) => new TextEncoder().encode(text);

/** @param {string} text */
const bytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

/** @param {ArrayBuffer | Uint8Array} bytes */
const text = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

/** @param {...(ArrayBuffer | Uint8Array | number[])} parts */
const joined = (...parts) => Uint8Array.from(parts.flatMap((part) => [...new Uint8Array(part)]));

/**
 * Derives `length` bytes by HKDF with SHA-256.
 * @param {ArrayBuffer} secret @param {Uint8Array<ArrayBuffer>} salt @param {Uint8Array<ArrayBuffer>} info @param {number} length
 */
async function derive(secret, salt, info, length) {
  const key = await subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  return subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt, info }, key, length * 8);
}

/**
 * Encrypts `message` for the browser with these keys: RFC 8291, as one record of RFC 8188. `ours` and `salt` are generated for each
 * message; the standard's example has its own.
 * @param {string} message @param {string} point @param {string} auth
 * @param {CryptoKeyPair} [ours] @param {Uint8Array<ArrayBuffer>} [salt]
 */
export async function sealed(message, point, auth, ours, salt = crypto.getRandomValues(new Uint8Array(16))) {
  const pair = ours ?? (await subtle.generateKey({ name: "ECDH", ...POINT }, true, ["deriveBits"]));
  const sender = await subtle.exportKey("raw", pair.publicKey);
  const theirs = await subtle.importKey("raw", bytes(point), { name: "ECDH", ...POINT }, false, []);
  const common = await subtle.deriveBits({ name: "ECDH", public: theirs }, pair.privateKey, 256);
  const who = joined(utf8("WebPush: info\0"), bytes(point), sender);
  const secret = await derive(common, bytes(auth), who, 32);
  const key = await derive(secret, salt, utf8("Content-Encoding: aes128gcm\0"), 16);
  const iv = await derive(secret, salt, utf8("Content-Encoding: nonce\0"), 12);
  const cipher = await subtle.importKey("raw", key, "AES-GCM", false, ["encrypt"]);
  const record = await subtle.encrypt({ name: "AES-GCM", iv }, cipher, joined(utf8(message), [2]));
  // The salt, a record's size of 4096, how long the sender's point is, that, and the record.
  return joined(salt, [0, 0, 16, 0, 65], sender, record);
}

/** The tokens in use; a service verifies one that it knows faster. */
const tokens = new Map();

/**
 * Returns the header `Authorization` for the push service at `url`: RFC 8292. `now` is in seconds.
 * @param {string} url @param {number} now @param {string} subject @param {string} point @param {string} number
 */
export async function authorization(url, now, subject, point, number) {
  const audience = new URL(url).origin;
  const about = [audience, subject, point, number].join(" ");
  const kept = tokens.get(about);
  if (kept && now >= kept.from && now < kept.from + REUSE_SECONDS) return kept.header;
  const claims = { aud: audience, exp: now + VALID_SECONDS, sub: subject };
  const said = [{ typ: "JWT", alg: "ES256" }, claims].map((part) => text(utf8(JSON.stringify(part)))).join(".");
  const raw = bytes(point);
  const jwk = { kty: "EC", crv: "P-256", x: text(raw.slice(1, 33)), y: text(raw.slice(33)), d: number };
  const key = await subtle.importKey("jwk", jwk, { name: "ECDSA", ...POINT }, false, ["sign"]);
  const code = await subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, utf8(said));
  const header = `vapid t=${said}.${text(code)}, k=${point}`;
  if (tokens.size >= MAX_TOKENS) tokens.clear();
  tokens.set(about, { from: now, header });
  return header;
}

/**
 * Returns the header `Authorization` and the encrypted body of one message.
 * @param {string} url @param {string} message @param {string} point @param {string} auth @param {number} now
 * @param {string} subject @param {string} ours @param {string} number
 */
export const preparePush = (url, message, point, auth, now, subject, ours, number) =>
  Promise.all([authorization(url, now, subject, ours, number), sealed(message, point, auth)]);
