// Attacks by name, each sendBytes byte for byte to a running edge: paths, methods, hosts, tokens, guesses, requests in requests.
// What is required stands beside each. Texts from outside: security/hostile-text.test.mjs; caches: security/cache-poisoning.test.mjs.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { parseResponse, sendBytes, sendRaw } from "../support/raw-http.mjs";
import { findFreePort, renderHealth, Target } from "../support/target.mjs";

const TOKEN = "0123456789abcdef-Right-Token";
const JOB_TOKEN = "fedcba9876543210-job-token";

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
/** An incident of the monitor that nobody may know of. */ let hidden = "";
/** The page as everybody gets it. */ let page = "";

/** What of a page does not move with the clock. @param {string} html */
const still = (html) => html.replace(/<main[\s\S]*<\/main>/, "").replaceAll(/\d+/g, "0");

before(async () => {
  target = await Target.start((_, response) => response.end(renderHealth()));
  const gone = `http://127.0.0.1:${await findFreePort()}/`;
  edge = await Edge.start(
    [
      defineMonitor("api", target.url),
      defineMonitor("web", gone, { "failure-threshold": 1 }),
      defineMonitor("secret", gone, { public: false, "failure-threshold": 1 }),
      { id: "job", name: "Job", kind: "heartbeat", interval: "1h" },
    ],
    { vars: { ADMIN_TOKEN: TOKEN, HEARTBEAT_TOKEN: JOB_TOKEN, SUBSCRIPTIONS: "5" } },
  );
  hidden = `secret-${edge.now / 1000}`;
  await edge.tick();
  page = still((await sendRaw(edge.url, "/")).body);
  const note = {
    method: "POST",
    headers: [`Authorization: Bearer ${TOKEN}`, "Content-Length: 12"],
    body: '{"note":"x"}',
  };
  assert.equal(
    (await sendRaw(edge.url, `/api/v1/admin/incidents/${hidden}`, note)).status,
    200,
    "the guess below is right",
  );
});

after(async () => {
  await edge?.stop();
  await target?.stop();
});

/**
 * What every answer owes: nobody is sent elsewhere, no cookie, nothing that a browser could take for something else or show
 * in a frame.
 * @param {import("../support/raw-http.mjs").RawResponse} told @param {string} name
 */
function isHarmless(told, name) {
  assert.equal(told.headers.get("location"), undefined, `${name}: leads nowhere`);
  assert.equal(told.headers.get("set-cookie"), undefined, `${name}: no cookie`);
  assert.equal(told.headers.get("x-content-type-options"), "nosniff", name);
  assert.match(told.headers.get("content-security-policy") ?? "", /default-src 'none'.*frame-ancestors 'none'/, name);
  assert.equal(told.headers.get("access-control-allow-credentials"), undefined, name);
  assert.doesNotMatch(told.head, /^x-evil|^evil/im, `${name}: no header of the attacker's`);
}

/** Paths that are none, though they look like one: 404, as a problem document. */
const NOWHERE = {
  "another site by two slashes": "//evil.example",
  "another site by a backslash": "/\\evil.example",
  "another site by an encoded backslash": "/%5cevil.example/",
  "another site by encoded slashes": "/%2f%2fevil.example",
  "another site in full": "/https://evil.example/",
  "another site and back again": "//evil.example/%2e%2e",
  "a slash too many before": "//api/v1/status",
  "a slash too many behind": "/api/v1/status/",
  "a dot behind": "/api/v1/status.",
  "a space behind": "/api/v1/status%20",
  "a parameter of a path": "/api/v1/status;x=1",
  "a NUL behind": "/api/v1/status%00",
  "a NUL and another ending": "/api/v1/status%00.css",
  "a style sheet of it (cache deception)": "/api/v1/admin/status/x.css",
  "upper case": "/API/V1/STATUS",
  "letters encoded": "/%61pi/v1/status",
  "encoded once more": "/%2561pi/v1/status",
  "overlong UTF-8 for dots": "/%c0%ae%c0%ae/api/v1/status",
  "half an encoding": "/api/v1/status%",
  "a header in the path": "/api/v1/status%0d%0ax-evil:1",
  "the owner's by upper case": "/api/v1/Admin/status",
  "the owner's by an encoded letter": "/api/v1/%61dmin/status",
  "the owner's by an encoded slash": "/api/v1/admin%2fstatus",
  "the owner's through an id": "/api/v1/monitors/..%2fadmin%2fstatus",
  "the owner's through a page": "/monitors/%2e%2e/admin",
  "a slash in an id": "/monitors/api%2fpage",
  "a part more than an id": "/monitors/api/page",
  "an id with upper case": "/monitors/API",
  "an id with an encoded letter": "/monitors/%61pi",
  "an id with a header": "/monitors/api%0d%0ax-evil:1",
  "an id beyond any": `/monitors/${"a".repeat(5_000)}`,
  "an incident of no time": "/incidents/api-99999999999999999999",
  "an incident before time": "/incidents/api--1",
  "what only hubs are asked: a page": "/page",
  "what only hubs are asked: all": "/status/all",
  "what only hubs are asked: a tick": "/tick?at=1",
  "what only hubs are asked: hubs": "/hubs",
  "what only hubs are asked: a share": "/share",
  "what only hubs are asked: an import": "/import?1",
  "what only hubs are asked, behind the API's name": "/api/v1/page",
  "the headers' file": "/_headers",
  "the headers' file from a folder": "/pages/..%2f_headers",
  "the Worker itself": "/index_bg.wasm",
  "a list of files": "/pages/",
  "the scheduler of a local run": "/cdn-cgi/handler/scheduled",
  "the scheduler of a local run, its other name": "/__scheduled",
  "a file of the machine": "/..%2f..%2f..%2fetc%2fpasswd",
};

for (const [name, path] of Object.entries(NOWHERE)) {
  test(`no path: ${name}`, async () => {
    const told = await sendRaw(edge.url, path);
    assert.equal(told.status, 404);
    assert.equal(told.headers.get("content-type"), "application/problem+json");
    assert.equal(told.headers.get("cache-control"), "no-store");
    assert.equal(JSON.parse(told.body).status, 404);
    isHarmless(told, name);
  });
}

/** Paths and queries that come to something that there is: what everybody gets, whatever else stands there. */
const PLAIN = {
  "out of the root": "/..",
  "out of the root, encoded": "/%2e%2e/%2e%2e/",
  "in and out": "/api/v1/admin/../../../",
  "another site in the middle": "/%2fevil.example/..",
  "where to go next": "/?next=//evil.example&url=https://evil.example&redirect=/\\evil.example",
  "a language that is an address": "/?lang=//evil.example",
  "a language that is a path": "/?lang=../../_headers%23",
  "a language that is markup": "/?lang=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
  "a language that is a header": "/?lang=de%0d%0ax-evil:1",
  "a theme that is markup": "/?theme=%22onload=%22alert(1)",
};

for (const [name, path] of Object.entries(PLAIN)) {
  test(`the plain page: ${name}`, async () => {
    const told = await sendRaw(edge.url, path);
    assert.equal(told.status, 200);
    assert.equal(still(told.body), page);
    assert.doesNotMatch(told.body, /evil|alert|onload|_headers/);
    isHarmless(told, name);
  });
}

test("the owner's paths are the owner's, however one gets there", async () => {
  for (const path of ["/api/v1/./admin/status", "/api/v1/monitors/%2e%2e/admin/status", "/x/../api/v1/admin/status"]) {
    assert.equal((await sendRaw(edge.url, path)).status, 401, path);
  }
});

test("a redirect of the files' server stays on the site", async () => {
  const files = ["//style.css", "//style.css?//evil.example", "///icons//up.svg", "//evil.example/../style.css"];
  const html = [
    "//api.html",
    "//api/",
    "/\\evil.example/../api.html",
    "//evil.example/..//api.html",
    "/api/?//evil.example",
  ];
  for (const path of [...files, ...html, "//evil.example%2f..%2fapi/", "/%2fevil.example/..%2fapi.html"]) {
    const told = await sendRaw(edge.url, path);
    const location = told.headers.get("location");
    if (location !== undefined) assert.match(location, /^\/[a-z]/, path);
    else assert.ok([200, 404].includes(told.status), `${path}: ${told.status}`);
  }
});

test("what pages are made of may be read, and is nothing but text", async () => {
  const told = await sendRaw(edge.url, "/pages/en.json");
  assert.equal(told.headers.get("content-type"), "application/json");
  isHarmless(told, "templates");
});

test("a method is what the request line says", async () => {
  for (const method of ["TRACE", "DELETE", "PATCH", "PROPFIND", "PURGE", "LOCK", "SEARCH"]) {
    for (const path of ["/", "/api/v1/status", "/api/v1/admin/status"]) {
      const told = await sendRaw(edge.url, path, { method });
      assert.equal(told.status, 405, `${method} ${path}`);
      assert.match(told.headers.get("allow") ?? "", /^GET, HEAD/, `${method} ${path}`);
      isHarmless(told, method);
    }
  }
  for (const method of ["FOO", "get", "GET\t"])
    assert.ok((await sendRaw(edge.url, "/", { method })).status >= 400, method);
  const overridden = ["PUT", "DELETE"].map((it) => `X-HTTP-Method-Override: ${it}\r\nX-Method-Override: ${it}`);
  for (const header of overridden) {
    assert.equal((await sendRaw(edge.url, "/?_method=PUT", { headers: [header] })).status, 200);
    assert.equal((await sendRaw(edge.url, "/api/v1/admin/maintenance", { headers: [header] })).status, 401);
  }
});

test("a host that is none gets no address made of it", async () => {
  const hosts = ["<script>", 'evil"onload="x', "evil.example/x?y#z", "a b", "", "evil.example\\@real", "[::1", "a,b"];
  for (const host of hosts) {
    for (const path of ["/", "/feed.atom", "/calendar.ics"]) {
      const told = await sendRaw(edge.url, path, { host });
      // Most are refused before the Worker is asked.
      if (told.status !== 200) assert.doesNotMatch(told.headers.get("content-type") ?? "", /html|xml/, host);
      else assert.doesNotMatch(told.body, /<script>["']|onload="x|evil\.example[/\\]/, `${host} ${path}`);
    }
  }
});

/** `Authorization` that opens nothing. */
const WRONG = {
  "none at all": [],
  "its beginning": [`Authorization: Bearer ${TOKEN.slice(0, -1)}`],
  "more than it": [`Authorization: Bearer ${TOKEN}x`],
  "twice it": [`Authorization: Bearer ${TOKEN}${TOKEN}`],
  empty: ["Authorization: Bearer "],
  "the word alone": ["Authorization: Bearer"],
  "in another case": [`Authorization: Bearer ${TOKEN.toLowerCase()}`],
  "another scheme": [`Authorization: Basic ${TOKEN}`],
  "as a password": [`Authorization: Basic ${Buffer.from(`admin:${TOKEN}`).toString("base64")}`],
  "without a scheme": [`Authorization: ${TOKEN}`],
  "in quotes": [`Authorization: Bearer "${TOKEN}"`],
  "in a list of its own": [`Authorization: Bearer a, Bearer ${TOKEN}`],
  "a wrong one and the right one": ["Authorization: Bearer x", `Authorization: Bearer ${TOKEN}`],
  "the right one and a wrong one": [`Authorization: Bearer ${TOKEN}`, "Authorization: Bearer x"],
  "in another header": [`Proxy-Authorization: Bearer ${TOKEN}`, `X-Admin-Token: ${TOKEN}`, `Cookie: token=${TOKEN}`],
  "the job's": [`Authorization: Bearer ${JOB_TOKEN}`],
  "a very long one": [`Authorization: Bearer ${"0".repeat(20_000)}`],
};

const OWNED = [
  ["GET", "/api/v1/admin/status"],
  ["HEAD", "/api/v1/admin/status"],
  ["GET", "/api/v1/admin/monitors"],
  ["PUT", "/api/v1/admin/monitors"],
  ["PUT", "/api/v1/admin/maintenance"],
  ["POST", "/api/v1/admin/incidents/web-1767225600"],
  ["GET", "/api/v1/admin/export"],
  ["POST", "/api/v1/admin/import"],
  ["GET", "/api/v1/admin/subscriptions"],
  ["DELETE", "/api/v1/admin/subscriptions"],
];

for (const [name, headers] of Object.entries(WRONG)) {
  test(`a token that is none: ${name}`, async () => {
    const body = '{"monitors":[]}';
    for (const [method, path] of OWNED) {
      const sent = ["PUT", "POST", "DELETE"].includes(method) ? body : "";
      const length = sent === "" ? [] : [`Content-Length: ${sent.length}`];
      const told = await sendRaw(edge.url, path, { method, headers: [...headers, ...length], body: sent });
      assert.equal(told.status, 401, `${method} ${path}`);
      assert.equal(told.headers.get("www-authenticate"), "Bearer", path);
      assert.equal(told.headers.get("cache-control"), "no-store", path);
      assert.equal(told.headers.get("access-control-allow-origin"), undefined, path);
      isHarmless(told, path);
    }
    const query = await sendRaw(edge.url, `/api/v1/admin/status?token=${TOKEN}&access_token=${TOKEN}`, { headers });
    assert.equal(query.status, 401, "nor in the query");
    const job = { method: "POST", headers: headers.filter((header) => !header.endsWith(JOB_TOKEN)) };
    assert.equal((await sendRaw(edge.url, "/api/v1/heartbeats/job?event=success", job)).status, 401);
    assert.equal((await edge.readMonitor("job")).state, "unobserved", "nothing was heard");
  });
}

test("a monitor that is not public, or its incident, guessed: what one gets of nothing, to the byte", async () => {
  const of = (/** @type {string} */ id, /** @type {string} */ incident) => [
    ...["", "/uptime", "/memory", "/latency", "/days", "/versions"].map((what) => `/api/v1/monitors/${id}${what}`),
    ...[`/monitors/${id}`, `/badge/${id}.svg`, `/badge/${id}.json?metric=memory`],
    ...[`/incidents/${incident}`, `/api/v1/incidents/${incident}`, `/api/v1/incidents?before=${incident}`],
    ...[`/api/v1/heartbeats/${id}?event=success`, `/api/v1/admin/incidents/${incident}`],
  ];
  const none = hidden.replace("secret", "nobody");
  const guesses = of("secret", hidden);
  for (const [index, path] of of("nobody", none).entries()) {
    for (const method of ["GET", "HEAD", "OPTIONS", "POST"]) {
      const told = async (/** @type {string} */ path) => {
        const { head, body } = await sendRaw(edge.url, path, { method });
        return `${head}\r\n\r\n${body}`.replaceAll("secret", "nobody");
      };
      assert.equal(await told(guesses[index]), await told(path), `${method} ${guesses[index]}`);
    }
  }
});

test("who asks to be told of a monitor learns nothing of one that is not public", async () => {
  const told = async (/** @type {string} */ id) => {
    const body = JSON.stringify({ url: "https://hooks.invalid/", monitors: [id] });
    const headers = [`Content-Length: ${body.length}`];
    const {
      status,
      head,
      body: said,
    } = await sendRaw(edge.url, "/api/v1/subscriptions", { method: "POST", headers, body });
    assert.equal(status, 400, said);
    return `${head}\r\n\r\n${said}`.replaceAll("secret", "nobody");
  };
  assert.equal(await told("secret"), await told("nobody"));
});

test("other sites' pages read what is public, without anybody's rights, and nothing of the owner's", async () => {
  for (const origin of ["https://evil.example", "null", edge.url]) {
    const headers = [`Origin: ${origin}`, "Cookie: session=1", "Access-Control-Request-Method: PUT"];
    for (const method of ["GET", "OPTIONS"]) {
      const open = await sendRaw(edge.url, "/api/v1/status", { method, headers });
      assert.equal(open.headers.get("access-control-allow-origin"), "*");
      assert.equal(open.headers.get("access-control-allow-credentials"), undefined);
      assert.doesNotMatch(open.headers.get("access-control-allow-methods") ?? "", /PUT|POST/);
      assert.doesNotMatch(open.headers.get("access-control-allow-headers") ?? "", /authorization|\*/);
      for (const [, path] of [...OWNED, ["POST", "/api/v1/heartbeats/job"]]) {
        const owned = await sendRaw(edge.url, path, { method, headers });
        assert.doesNotMatch(owned.head, /access-control-allow/i, `${method} ${path}`);
      }
    }
  }
});

test("requests in requests: one parseResponse, or the line is cut", async () => {
  const { host } = new URL(edge.url);
  const inner = `GET /monitors/smuggled HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  const chunked = "Transfer-Encoding: chunked";
  const attacks = {
    "both lengths": [`Content-Length: ${inner.length + 5}`, chunked, "", `0\r\n\r\n${inner}`],
    "an encoding with a space": [`Content-Length: ${inner.length}`, "Transfer-Encoding : chunked", "", inner],
    "an encoding that is none": [`Content-Length: ${inner.length}`, "Transfer-Encoding: xchunked", "", inner],
    "two lengths": ["Content-Length: 0", `Content-Length: ${inner.length}`, "", inner],
    "a length in a list": [`Content-Length: ${inner.length}, 0`, "", inner],
    "a negative length": ["Content-Length: -1", "", inner],
    "a body of a GET": [`Content-Length: ${inner.length}`, "", inner],
    "a header that goes on": ["X-A: b", ` ${inner.trim()}`, "", ""],
  };
  for (const [name, lines] of Object.entries(attacks)) {
    const text = ["GET / HTTP/1.1", `Host: ${host}`, "Connection: close", ...lines].join("\r\n");
    const all = await sendBytes(edge.url, text);
    assert.doesNotMatch(all, /smuggled/, name);
    assert.ok((all.match(/^HTTP\/1\.1 /gm) ?? []).length <= 1, name);
    assert.ok(
      [0, 200, 400, 405, 500, 501].includes(parseResponse(all).status),
      `${name}: ${parseResponse(all).status}`,
    );
  }
});

test("far too much of everything: answered or refused, and the next reader has the page", async () => {
  const much = {
    "a query": () => sendRaw(edge.url, `/?${"a=b&".repeat(20_000)}`),
    "a query of the API": () => sendRaw(edge.url, `/api/v1/incidents?${"a=b&".repeat(20_000)}`),
    "a label": () => sendRaw(edge.url, `/badge/api.svg?label=${"%C3%A9".repeat(5_000)}`),
    "a header": () => sendRaw(edge.url, "/", { headers: [`X-A: ${"a".repeat(60_000)}`] }),
    headers: () => sendRaw(edge.url, "/", { headers: Array.from({ length: 500 }, (_, n) => `X-${n}: a`) }),
    languages: () => sendRaw(edge.url, "/", { headers: [`Accept-Language: ${"xx;q=0.1,".repeat(5_000)}`] }),
    tags: () => sendRaw(edge.url, "/", { headers: [`If-None-Match: ${'"x",'.repeat(10_000)}`] }),
    "a body": () => sendRaw(edge.url, "/", { headers: ["Content-Length: 1000000"], body: "a".repeat(1_000_000) }),
    "a body with a length that is a lie": () =>
      sendRaw(edge.url, "/api/v1/admin/monitors", {
        method: "PUT",
        headers: [`Authorization: Bearer ${TOKEN}`, "Content-Length: 999999999"],
      }),
  };
  for (const [name, attack] of Object.entries(much)) {
    const { status, body } = await attack();
    assert.ok([200, 304, 400, 413, 414, 431].includes(status), `${name}: ${status} ${body.slice(0, 200)}`);
    assert.equal(still((await sendRaw(edge.url, "/")).body), page, name);
  }
});
