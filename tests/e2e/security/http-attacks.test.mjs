// Attacks by HTTP, each sent byte for byte to a running edge: paths, methods, hosts, request smuggling, oversized requests.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { assertHarmless, parseResponse, sendBytes, sendRaw } from "../support/raw-http.mjs";
import { Target } from "../support/target.mjs";
import { ADMIN_TOKEN } from "../support/tokens.mjs";

/** @type {Target} */ let target;
/** @type {Edge} */ let edge;
/** The page that every reader gets. */ let page = "";

/** Removes from a page what changes with the clock. @param {string} html */
const withoutTimes = (html) => html.replace(/<main[\s\S]*<\/main>/, "").replaceAll(/\d+/g, "0");

before(async () => {
  target = await Target.startHealthy();
  edge = await Edge.start([defineMonitor("api", target.url)], { vars: { ADMIN_TOKEN, SUBSCRIPTIONS: "5" } });
  await edge.tick();
  page = withoutTimes((await sendRaw(edge.url, "/")).body);
});

after(async () => {
  await edge?.stop();
  await target?.stop();
});

/** Paths that do not exist, although a server may take them for one that does. */
const UNKNOWN_PATHS = {
  "another site after two slashes": "//evil.example",
  "another site after a backslash": "/\\evil.example",
  "another site after an encoded backslash": "/%5cevil.example/",
  "another site after encoded slashes": "/%2f%2fevil.example",
  "the full URL of another site": "/https://evil.example/",
  "another site and back again": "//evil.example/%2e%2e",
  "a leading slash too many": "//api/v1/status",
  "a trailing slash": "/api/v1/status/",
  "a trailing dot": "/api/v1/status.",
  "a trailing space": "/api/v1/status%20",
  "a parameter of a path": "/api/v1/status;x=1",
  "a trailing NUL": "/api/v1/status%00",
  "a NUL and a file extension": "/api/v1/status%00.css",
  "a style sheet below an admin path (cache deception)": "/api/v1/admin/status/x.css",
  "upper case": "/API/V1/STATUS",
  "encoded letters": "/%61pi/v1/status",
  "double encoding": "/%2561pi/v1/status",
  "overlong UTF-8 for dots": "/%c0%ae%c0%ae/api/v1/status",
  "half an encoding": "/api/v1/status%",
  "a header in the path": "/api/v1/status%0d%0ax-evil:1",
  "an admin path in upper case": "/api/v1/Admin/status",
  "an admin path with an encoded letter": "/api/v1/%61dmin/status",
  "an admin path with an encoded slash": "/api/v1/admin%2fstatus",
  "an admin path in an id": "/api/v1/monitors/..%2fadmin%2fstatus",
  "an admin path behind dots": "/monitors/%2e%2e/admin",
  "a slash in an id": "/monitors/api%2fpage",
  "a segment after the id": "/monitors/api/page",
  "an id with upper case": "/monitors/API",
  "an id with an encoded letter": "/monitors/%61pi",
  "an id with a header": "/monitors/api%0d%0ax-evil:1",
  "an oversized id": `/monitors/${"a".repeat(5_000)}`,
  "an incident with an impossible time": "/incidents/api-99999999999999999999",
  "an incident with a negative time": "/incidents/api--1",
  "the hub route of the page": "/page",
  "the hub route of the full status": "/status/all",
  "the hub route of a tick": "/tick?at=1",
  "the hub route of the hubs": "/hubs",
  "the hub route of its share": "/share",
  "the hub route of an import": "/import?1",
  "a hub route below the API": "/api/v1/page",
  "the headers file": "/_headers",
  "the headers file from a folder": "/pages/..%2f_headers",
  "the WebAssembly of the Worker": "/index_bg.wasm",
  "a directory listing": "/pages/",
  "the scheduler path of a local run": "/cdn-cgi/handler/scheduled",
  "the other scheduler path of a local run": "/__scheduled",
  "a file of the machine": "/..%2f..%2f..%2fetc%2fpasswd",
};

for (const [name, path] of Object.entries(UNKNOWN_PATHS)) {
  test(`404 for a path with ${name}`, async () => {
    const response = await sendRaw(edge.url, path);
    assert.equal(response.status, 404);
    assert.equal(response.headers.get("content-type"), "application/problem+json");
    assert.equal(response.headers.get("cache-control"), "no-store");
    assert.equal(JSON.parse(response.body).status, 404);
    assertHarmless(response, name);
  });
}

/** Paths and queries that lead to the status page: everybody gets the same one. */
const STATUS_PAGE_PATHS = {
  "a path above the root": "/..",
  "an encoded path above the root": "/%2e%2e/%2e%2e/",
  "a path down and up again": "/api/v1/admin/../../../",
  "another site in the path": "/%2fevil.example/..",
  "redirect parameters": "/?next=//evil.example&url=https://evil.example&redirect=/\\evil.example",
  "a language that is an address": "/?lang=//evil.example",
  "a language that is a path": "/?lang=../../_headers%23",
  "a language that is markup": "/?lang=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
  "a language that is a header": "/?lang=de%0d%0ax-evil:1",
  "a theme that is markup": "/?theme=%22onload=%22alert(1)",
};

for (const [name, path] of Object.entries(STATUS_PAGE_PATHS)) {
  test(`the unchanged status page for ${name}`, async () => {
    const response = await sendRaw(edge.url, path);
    assert.equal(response.status, 200);
    assert.equal(withoutTimes(response.body), page);
    assert.doesNotMatch(response.body, /evil|alert|onload|_headers/);
    assertHarmless(response, name);
  });
}

test("a redirect of the asset server stays on the site", async () => {
  const files = ["//style.css", "//style.css?//evil.example", "///icons//up.svg", "//evil.example/../style.css"];
  const html = [
    "//api.html",
    "//api/",
    "/\\evil.example/../api.html",
    "//evil.example/..//api.html",
    "/api/?//evil.example",
  ];
  for (const path of [...files, ...html, "//evil.example%2f..%2fapi/", "/%2fevil.example/..%2fapi.html"]) {
    const response = await sendRaw(edge.url, path);
    const location = response.headers.get("location");
    if (location !== undefined) assert.match(location, /^\/[a-z]/, path);
    else assert.ok([200, 404].includes(response.status), `${path}: ${response.status}`);
  }
});

test("the method comes from the request line only", async () => {
  for (const method of ["TRACE", "DELETE", "PATCH", "PROPFIND", "PURGE", "LOCK", "SEARCH"]) {
    for (const path of ["/", "/api/v1/status", "/api/v1/admin/status"]) {
      const response = await sendRaw(edge.url, path, { method });
      assert.equal(response.status, 405, `${method} ${path}`);
      assert.match(response.headers.get("allow") ?? "", /^GET, HEAD/, `${method} ${path}`);
      assertHarmless(response, method);
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

test("an invalid Host does not get into links", async () => {
  const hosts = ["<script>", 'evil"onload="x', "evil.example/x?y#z", "a b", "", "evil.example\\@real", "[::1", "a,b"];
  for (const host of hosts) {
    for (const path of ["/", "/feed.atom", "/calendar.ics"]) {
      const response = await sendRaw(edge.url, path, { host });
      // The platform refuses most of them before the Worker runs.
      if (response.status !== 200) assert.doesNotMatch(response.headers.get("content-type") ?? "", /html|xml/, host);
      else assert.doesNotMatch(response.body, /<script>["']|onload="x|evil\.example[/\\]/, `${host} ${path}`);
    }
  }
});

test("a smuggled request is not answered", async () => {
  const { host } = new URL(edge.url);
  const inner = `GET /monitors/smuggled HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  const chunked = "Transfer-Encoding: chunked";
  const attacks = {
    "a length and chunks": [`Content-Length: ${inner.length + 5}`, chunked, "", `0\r\n\r\n${inner}`],
    "a space after Transfer-Encoding": [`Content-Length: ${inner.length}`, "Transfer-Encoding : chunked", "", inner],
    "an unknown Transfer-Encoding": [`Content-Length: ${inner.length}`, "Transfer-Encoding: xchunked", "", inner],
    "two lengths": ["Content-Length: 0", `Content-Length: ${inner.length}`, "", inner],
    "a length in a list": [`Content-Length: ${inner.length}, 0`, "", inner],
    "a negative length": ["Content-Length: -1", "", inner],
    "a body in a GET": [`Content-Length: ${inner.length}`, "", inner],
    "a folded header": ["X-A: b", ` ${inner.trim()}`, "", ""],
  };
  for (const [name, lines] of Object.entries(attacks)) {
    const text = ["GET / HTTP/1.1", `Host: ${host}`, "Connection: close", ...lines].join("\r\n");
    const received = await sendBytes(edge.url, text);
    assert.doesNotMatch(received, /smuggled/, name);
    assert.ok((received.match(/^HTTP\/1\.1 /gm) ?? []).length <= 1, name);
    assert.ok(
      [0, 200, 400, 405, 500, 501].includes(parseResponse(received).status),
      `${name}: ${parseResponse(received).status}`,
    );
  }
});

test("oversized requests are answered or refused, and the next reader gets the page", async () => {
  const oversized = {
    "a query": () => sendRaw(edge.url, `/?${"a=b&".repeat(20_000)}`),
    "an API query": () => sendRaw(edge.url, `/api/v1/incidents?${"a=b&".repeat(20_000)}`),
    "a label": () => sendRaw(edge.url, `/badge/api.svg?label=${"%C3%A9".repeat(5_000)}`),
    "a header": () => sendRaw(edge.url, "/", { headers: [`X-A: ${"a".repeat(60_000)}`] }),
    headers: () => sendRaw(edge.url, "/", { headers: Array.from({ length: 500 }, (_, n) => `X-${n}: a`) }),
    languages: () => sendRaw(edge.url, "/", { headers: [`Accept-Language: ${"xx;q=0.1,".repeat(5_000)}`] }),
    tags: () => sendRaw(edge.url, "/", { headers: [`If-None-Match: ${'"x",'.repeat(10_000)}`] }),
    "a body": () => sendRaw(edge.url, "/", { headers: ["Content-Length: 1000000"], body: "a".repeat(1_000_000) }),
    "an announced length that is never sent": () =>
      sendRaw(edge.url, "/api/v1/admin/monitors", {
        method: "PUT",
        headers: [`Authorization: Bearer ${ADMIN_TOKEN}`, "Content-Length: 999999999"],
      }),
  };
  for (const [name, attack] of Object.entries(oversized)) {
    const { status, body } = await attack();
    assert.ok([200, 304, 400, 413, 414, 431].includes(status), `${name}: ${status} ${body.slice(0, 200)}`);
    assert.equal(withoutTimes((await sendRaw(edge.url, "/")).body), page, name);
  }
});
