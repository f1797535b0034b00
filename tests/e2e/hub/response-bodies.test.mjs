// Character sets, content codings, Gatus's table of conditions and DNS answers, as conditions see them in workerd.

import assert from "node:assert/strict";
import { test } from "node:test";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { Edge } from "../support/edge.mjs";
import { Target } from "../support/target.mjs";

/**
 * A response, and the monitor of it: its conditions, and the reason if they do not hold.
 * @typedef {{ status?: number, type?: string, coding?: string, body: Uint8Array | string, conditions?: string[], reason?: string }} Case
 */

const TOKEN = "a-token-of-the-owner-for-tests-0001";
const OWNER = { headers: { authorization: `Bearer ${TOKEN}` } };

const JSON_TYPE = "application/json";
const UP = '{"status":"UP"}';
const IS_UP = ["[BODY].status == UP"];

/** JSON in which the name is these bytes. @param {number[]} name */
const named = (name) => Buffer.concat([Buffer.from('{"name":"'), Buffer.from(name), Buffer.from('"}')]);

/** @param {string} text */
const utf16be = (text) => Buffer.from(`\ufeff${text}`, "utf16le").swap16();

/** @type {Record<string, Case>} */
const CHARSETS = {
  "utf-8": { body: '{"name":"日本"}', conditions: ["[BODY].name == 日本"] },
  bom: { body: `\ufeff${UP}`, conditions: IS_UP },
  gbk: {
    type: `${JSON_TYPE}; charset=gbk`,
    body: named([0xc4, 0xe3, 0xba, 0xc3]),
    conditions: ["[BODY].name == 你好"],
  },
  gb2312: { type: 'text/plain; charset="GB2312"', body: Buffer.from([0xc4, 0xe3]), conditions: ["[BODY] == 你"] },
  big5: { type: "text/plain; charset=big5", body: Buffer.from([0xa4, 0xa4]), conditions: ["[BODY] == 中"] },
  "shift-jis": {
    type: "text/html; charset=Shift_JIS",
    body: Buffer.from([0x82, 0xa0]),
    conditions: ["[BODY] == pat(あ*)"],
  },
  "euc-kr": { type: "text/plain; charset=euc-kr", body: Buffer.from([0xb0, 0xa1]), conditions: ["[BODY] == 가"] },
  "latin-1": {
    type: `${JSON_TYPE};charset=latin-1`,
    body: named([0xfc]),
    conditions: ["[BODY].name == ü", "len([BODY].name) == 2"],
  },
  "iso-8859-15": { type: "text/plain; charset=ISO-8859-15", body: Buffer.from([0xa4]), conditions: ["[BODY] == €"] },
  "windows-1251": {
    type: "text/plain; charset=windows-1251",
    body: Buffer.from([0xe4, 0xe0]),
    conditions: ["[BODY] == да"],
  },
  "utf-16": { type: `${JSON_TYPE}; charset=utf-16`, body: Buffer.from(UP, "utf16le"), conditions: IS_UP },
  "utf-16-by-mark": { body: Buffer.from(`\ufeff${UP}`, "utf16le"), conditions: IS_UP },
  "utf-16be-by-mark": { type: "text/plain; charset=utf-16", body: utf16be(UP), conditions: IS_UP },
  "unknown-charset": {
    type: "text/plain; charset=x-nonsense",
    body: UP,
    conditions: IS_UP,
    reason: "response body has a character set that cannot be decoded",
  },
  "not-json": {
    body: "<html>(503)",
    conditions: IS_UP,
    reason: "condition failed: [BODY].status (not JSON: <html> 503 ) == UP",
  },
};

const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x0f, 0x79, 0, 0, ...Buffer.from(UP)]);
const undecodable = (/** @type {string} */ coding) => `response body is encoded as ${coding}, which cannot be decoded`;

/** @type {Record<string, Case>} */
const CODINGS = {
  gzip: { coding: "gzip", body: gzipSync(UP), conditions: IS_UP },
  br: { coding: "br", body: brotliCompressSync(UP), conditions: IS_UP },
  deflate: { coding: "deflate", body: deflateSync(UP), conditions: IS_UP },
  "raw-deflate": { coding: "deflate", body: deflateRawSync(UP), conditions: IS_UP },
  "x-gzip": { coding: "x-gzip", body: gzipSync(UP), conditions: IS_UP },
  "upper-case": { coding: "GZIP", body: gzipSync(UP), conditions: IS_UP },
  "gzip-and-gbk": {
    coding: "x-gzip",
    type: "text/plain; charset=gbk",
    body: gzipSync(Buffer.from([0xc4, 0xe3])),
    conditions: ["[BODY] == 你"],
  },
  zstd: { coding: "zstd", body: ZSTD, conditions: IS_UP, reason: undecodable("zstd") },
  "zstd-not": { coding: "zstd", body: ZSTD, conditions: ["[BODY] != pat(*error*)"], reason: undecodable("zstd") },
  "zstd-unread": { coding: "zstd", body: ZSTD, conditions: ["[STATUS] == 200"] },
  "zstd-500": {
    status: 500,
    coding: "zstd",
    body: ZSTD,
    conditions: ["[STATUS] == 200", ...IS_UP],
    reason: "HTTP status 500",
  },
  compress: {
    coding: "compress",
    body: Buffer.from([0x1f, 0x9d, 0x90]),
    conditions: IS_UP,
    reason: undecodable("compress"),
  },
  several: {
    coding: "gzip, br",
    body: brotliCompressSync(gzipSync(UP)),
    conditions: IS_UP,
    reason: "response body has an encoding that cannot be decoded",
  },
  "damaged-gzip": { coding: "gzip", body: UP, conditions: IS_UP, reason: undecodable("gzip") },
  "damaged-x-gzip": {
    coding: "x-gzip",
    body: gzipSync(UP).subarray(0, 12),
    conditions: IS_UP,
    reason: undecodable("gzip"),
  },
  "damaged-deflate": {
    coding: "deflate",
    body: deflateSync(UP).subarray(0, 6),
    conditions: IS_UP,
    reason: undecodable("deflate"),
  },
  bomb: {
    coding: "deflate",
    body: deflateSync(Buffer.alloc(20_000_000)),
    conditions: IS_UP,
    reason: "response too large",
  },
};

const USERS = JSON.stringify({
  user: { name: "john.doe" },
  data: [{ id: 1 }, { id: 2 }],
  name: "john.doe",
  age: 1,
  id: 1,
  users: [{ name: "a" }],
});

/** Gatus's table of conditions: what its documentation says of each. */
const GATUS_HOLDS = [
  "[STATUS] == 200",
  "[STATUS] < 300",
  "[STATUS] <= 299",
  "[STATUS] == any(200, 429)",
  "[CONNECTED] == true",
  "[RESPONSE_TIME] < 29s",
  "[BODY].user.name == john.doe",
  "[BODY].data[0].id == 1",
  "[BODY].age == [BODY].id",
  "len([BODY].data) < 5",
  "len([BODY].name) == 8",
  "has([BODY].errors) == false",
  "has([BODY].users[0].name) == true",
  "[BODY].name == pat(john*)",
  "[BODY].id == any(1, 2)",
];
const GATUS_FAILS = [
  ["[STATUS] > 400", "HTTP status 200"],
  ["[BODY].user.name == jane", "condition failed: [BODY].user.name (john.doe) == jane"],
  ["len([BODY].data) > 2", "condition failed: len([BODY].data) (2) > 2"],
  ["has([BODY].errors) == true", "condition failed: has([BODY].errors) (false) == true"],
  ["[BODY].name == pat(bob*)", "condition failed: [BODY].name (john.doe) == pat(bob*)"],
];

/** @type {Record<string, Case>} */
const GATUS = {
  holds: { body: USERS, conditions: GATUS_HOLDS },
  ...Object.fromEntries(
    GATUS_FAILS.map(([condition, reason], place) => [
      `fails-${place}`,
      { body: USERS, conditions: [condition], reason },
    ]),
  ),
};

/** Probes each case once. @param {import("node:test").TestContext} t @param {Record<string, Case>} cases */
async function probeAll(t, cases) {
  const target = await Target.start((request, response) => {
    const { status = 200, type = JSON_TYPE, coding, body } = cases[String(request.url).slice(1)];
    response.writeHead(status, { "content-type": type, ...(coding && { "content-encoding": coding }) }).end(body);
  });
  t.after(() => target.stop());
  const edge = await Edge.start(
    Object.entries(cases).map(([id, { conditions }]) => ({
      id,
      kind: "http",
      url: `${target.url}/${id}`,
      timeout: "30s",
      conditions,
    })),
  );
  t.after(() => edge.stop());
  await edge.tick();
  assert.deepEqual(
    await edge.readReasons(),
    Object.entries(cases).map(([id, { reason = null }]) => [id, reason === null ? "up" : "down", reason]),
  );
}

test("a body is decoded from its character set", (t) => probeAll(t, CHARSETS));

test("a body is decompressed, or the reason names its coding", (t) => probeAll(t, CODINGS));

test("the conditions of Gatus's documentation have their meaning", (t) => probeAll(t, GATUS));

test("a dns monitor asks its resolver by HTTPS", async (t) => {
  /** @type {any[]} */ const requests = [];
  const records = (/** @type {number} */ type, /** @type {string[]} */ ...data) =>
    JSON.stringify({ Status: 0, Answer: data.map((it) => ({ name: "a.example", type, TTL: 60, data: it })) });
  /** @type {Record<string, string>} */
  const answers = {
    "a.example A": records(1, "192.0.2.1", "192.0.2.2"),
    "a.example MX": records(15, "10 mail.example."),
    "none.example A": JSON.stringify({ Status: 3 }),
  };
  const target = await Target.start((request, response) => {
    const { pathname, searchParams } = new URL(String(request.url), "http://resolver");
    requests.push([pathname, request.headers.accept]);
    const answer = answers[`${searchParams.get("name")} ${searchParams.get("type")}`];
    response.writeHead(answer ? 200 : 502, { "content-type": "application/dns-json" }).end(answer ?? "bad gateway");
  });
  t.after(() => target.stop());
  const define = (/** @type {string} */ id, /** @type {object} */ more) => ({
    id,
    kind: "dns",
    "query-name": "a.example",
    resolver: `${target.url}/dns-query`,
    timeout: "30s",
    ...more,
  });
  const edge = await Edge.start([
    define("a", {
      conditions: ["[DNS_RCODE] == NOERROR", "[BODY] == 192.0.2.2", "[CONNECTED] == true", "[RESPONSE_TIME] < 29s"],
    }),
    define("mx", { "query-type": "MX", conditions: ["[BODY] == pat(*.example.)"] }),
    define("moved", { conditions: ["[BODY] == 198.51.100.1"] }),
    define("gone", { "query-name": "none.example" }),
    define("not-there", { "query-name": "none.example", conditions: ["[DNS_RCODE] == NXDOMAIN"] }),
    define("broken", { "query-name": "broken.example" }),
  ]);
  t.after(() => edge.stop());
  await edge.tick();
  assert.deepEqual(await edge.readReasons(), [
    ["a", "up", null],
    ["mx", "up", null],
    ["moved", "down", "condition failed: [BODY] (192.0.2.2) == 198.51.100.1"],
    ["gone", "down", "condition failed: [DNS_RCODE] (NXDOMAIN) == NOERROR"],
    ["not-there", "up", null],
    ["broken", "down", "DNS lookup failed"],
  ]);
  assert.deepEqual(requests[0], ["/dns-query", "application/dns-json"]);
  assert.equal(requests.length, 6, "one request for each monitor");
});

test("the expiration of a domain is looked up once, one domain in each round", async (t) => {
  const DAY = 86_400_000;
  /** @type {Record<string, number>} */
  const days = { "example.com": 40, "example.net": 10 };
  /** @type {string[]} */ const lookups = [];
  const target = await Target.start((request, response) => {
    const url = String(request.url);
    if (url.startsWith("/dns-query")) {
      response.end(JSON.stringify({ Status: 0 }));
      return;
    }
    lookups.push(url);
    const [, service, , domain] = url.split("/");
    if (service === "rdap") response.writeHead(302, { location: `/registry/domain/${domain}` }).end();
    else if (!days[domain]) response.writeHead(404).end('{"errorCode":404}');
    else {
      const eventDate = new Date(Date.now() + days[domain] * DAY).toISOString();
      response.end(JSON.stringify({ events: [{ eventAction: "expiration", eventDate }] }));
    }
  });
  t.after(() => target.stop());
  const names = ["www.example.com", "example.net", "example.org", "api.example.com"];
  const edge = await Edge.start(
    names.map((name, place) => ({
      id: `d${place}`,
      kind: "dns",
      "query-name": name,
      resolver: `${target.url}/dns-query`,
      timeout: "30s",
      conditions: ["[DNS_RCODE] == NOERROR", "[DOMAIN_EXPIRATION] > 720h"],
    })),
    { vars: { RDAP: `${target.url}/rdap`, ADMIN_TOKEN: TOKEN } },
  );
  t.after(() => edge.stop());
  await edge.tickTimes(6);
  const { monitors } = await edge.readStatus();
  assert.deepEqual(
    monitors.map((/** @type {any} */ it) => it.state),
    ["up", "down", "up", "up"],
  );
  assert.match(monitors[1].reason, /^condition failed: \[DOMAIN_EXPIRATION\] \((?:239h59m[\d.]+s|240h)\) > 720h$/);
  assert.deepEqual(lookups.sort(), [
    "/rdap/domain/example.com",
    "/rdap/domain/example.net",
    "/rdap/domain/example.org",
    "/registry/domain/example.com",
    "/registry/domain/example.net",
    "/registry/domain/example.org",
  ]);
  const { problems } = await edge.readJson("/api/v1/admin/status", OWNER);
  assert.equal(problems.length, 1);
  assert.match(problems[0].reason, /the expiration of the domain `example\.org` cannot be looked up by RDAP/);
});

test("a condition that can never hold is told to the owner", async (t) => {
  const edge = await Edge.start(
    [
      { id: "a", kind: "http", url: "https://a.example", conditions: ["[STATUS] == 99999"] },
      { id: "b", kind: "http", url: "https://a.example", conditions: ["[BODY].status (DOWN) == UP"] },
      { id: "c", kind: "tcp", url: "tcp://104.16.0.1:443" },
    ],
    { vars: { ADMIN_TOKEN: TOKEN } },
  );
  t.after(() => edge.stop());
  const { problems } = await edge.readJson("/api/v1/admin/status", OWNER);
  const reasons = problems.map((/** @type {any} */ it) => `${it.position}: ${it.reason}`).join("\n");
  assert.match(reasons, /MONITORS\[0\]\.conditions\[0\]: can never hold: \[STATUS\] is a whole number from 100 to 999/);
  assert.match(reasons, /MONITORS\[1\]\.conditions\[0\]: .*has a value in parentheses/);
  assert.match(reasons, /MONITORS\[2\]\.url: `104\.16\.0\.1` is an address of Cloudflare/);
});
