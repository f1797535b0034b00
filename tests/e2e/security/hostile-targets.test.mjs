// Every way in which a target can fail: the monitor names the failure, its cost is bounded, and other monitors are not affected.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { REFUSED_URL, renderHealth, startTcpServer, Target } from "../support/target.mjs";

/** @type {Target} */ let target;
/** Accepts connections and never answers. @type {import("node:net").Server} */ let silentServer;
/** @type {Edge} */ let edge;
/** What the status says after a tick. @type {any[]} */ let monitors = [];
let floodBytes = 0;

/** Sends a gigabyte for as long as the client reads. @param {import("node:http").ServerResponse} response */
function sendFlood(response) {
  const chunk = Buffer.alloc(64 * 1024, 32);
  const writeMore = () => {
    while (floodBytes < 1 << 30) {
      floodBytes += chunk.length;
      if (!response.write(chunk)) return;
    }
    response.end();
  };
  response.on("drain", writeMore);
  writeMore();
}

/** A gigabyte of spaces in a megabyte of gzip. */
const gzipBomb = gzipSync(Buffer.alloc(1 << 30, 32), { level: 9 });

/** Sends a header byte by byte for as long as the client waits. @param {import("node:http").ServerResponse} response */
function sendSlowHeader(response) {
  const socket = /** @type {import("node:net").Socket} */ (response.socket);
  socket.on("error", () => {});
  socket.write("HTTP/1.1 200 OK\r\nx-slow: ");
  const timer = setInterval(() => (socket.destroyed ? clearInterval(timer) : socket.write("a")), 200);
}

/** Sends a header of ten megabytes. @param {import("node:http").ServerResponse} response */
function sendHugeHeader(response) {
  const socket = /** @type {import("node:net").Socket} */ (response.socket);
  socket.on("error", () => {});
  socket.write("HTTP/1.1 200 OK\r\nx-huge: ");
  socket.end(Buffer.alloc(10 << 20, 97));
}

/** @type {Record<string, import("node:http").RequestListener>} */
const responders = {
  "/bomb": (_, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(gzipBomb),
  "/slow-header": (_, response) => sendSlowHeader(response),
  "/huge-header": (_, response) => sendHugeHeader(response),
  "/odd-bytes": (_, response) => response.end(Buffer.from([0x7b, 0xff, 0xfe, 0x00, 0x7d])),
  "/deep": (_, response) => response.end("[".repeat(30_000) + "]".repeat(30_000)),
  "/deep-body": (_, response) => response.end("[".repeat(30_000) + "]".repeat(30_000)),
  "/odd-scheme": (_, response) => response.writeHead(302, { location: "file:///etc/passwd" }).end(),
  "/good": (_, response) => response.end(renderHealth()),
  "/error": (_, response) => response.writeHead(500).end("<b>broken</b>"),
  "/text": (_, response) => response.end("<script>alert(1)</script>"),
  "/other": (_, response) => response.end('{"ok":true}'),
  "/flood": (_, response) => sendFlood(response),
  "/drip": (_, response) => void response.write("{"),
  "/loop": (_, response) => response.writeHead(302, { location: "/loop" }).end(),
  "/cut": (request) => void request.socket.destroy(),
};

/** The reason of each monitor. */
const REASONS = {
  dns: /name|resolve|DNS/i,
  refused: /refused/i,
  tls: /TLS|certificate/i,
  silent: /time|in time/i,
  error: /500/,
  text: /JSON/,
  other: /health/i,
  flood: /large|long|bytes|kB/i,
  drip: /time/i,
  loop: /redirect/i,
  cut: /connection/i,
  bomb: /large/i,
  "slow-header": /time/i,
  "huge-header": /connection|HTTP|time/i,
  "odd-bytes": /JSON/,
  deep: /JSON/,
  "deep-body": /condition failed: /,
  "odd-scheme": /other than an http or https address/,
};

before(async () => {
  target = await Target.start((request, response) => responders[request.url ?? ""]?.(request, response));
  const silent = await startTcpServer();
  silentServer = silent.server;
  const failing = { "failure-threshold": 1 };
  const timingOut = { ...failing, timeout: "1s" };
  edge = await Edge.start([
    defineMonitor("dns", "http://no-such-host.invalid/health", failing),
    defineMonitor("refused", `${REFUSED_URL}health`, failing),
    defineMonitor("tls", target.url.replace("http:", "https:"), failing),
    defineMonitor("silent", `http://127.0.0.1:${silent.port}/health`, timingOut),
    ...[
      ...["error", "text", "other", "flood", "loop", "cut", "bomb", "huge-header", "odd-bytes", "deep", "odd-scheme"],
    ].map((id) => defineMonitor(id, `${target.url}/${id}`, failing)),
    ...["drip", "slow-header"].map((id) => defineMonitor(id, `${target.url}/${id}`, timingOut)),
    defineMonitor("deep-body", `${target.url}/deep-body`, {
      ...failing,
      kind: "http",
      conditions: ["has([BODY][0]) == true"],
    }),
    defineMonitor("good", `${target.url}/good`, failing),
  ]);
  await edge.tick();
  ({ monitors } = await edge.readStatus());
});

after(async () => {
  await edge?.stop();
  await target?.stop();
  silentServer?.close();
});

for (const [id, reason] of Object.entries(REASONS)) {
  test(`a target that fails by ${id} is down with its reason`, () => {
    const monitor = monitors.find((it) => it.id === id);
    assert.equal(monitor.state, "down");
    assert.match(monitor.reason, reason);
    assert.equal(monitor.memory, null);
  });
}

test("a healthy monitor next to the failing ones is up", () => {
  assert.equal(monitors.find(({ id }) => id === "good").state, "up");
});

test("private addresses are not probed, however they are written, also behind a name", async (t) => {
  let requests = 0;
  const inside = await Target.start((_, response) => {
    requests += 1;
    response.end(renderHealth());
  });
  t.after(() => inside.stop());
  const { port } = new URL(inside.url);
  const refusedHosts = ["127.0.0.1", "0x7f.1", "2130706433", "0177.0.0.1", "127.1", "localhost", "[::ffff:127.0.0.1]"];
  // The last digit is full-width: a name to the configuration, and 127.0.0.1 to the platform.
  const lateHosts = ["127.0.0.１", "localhost.localdomain。internal"];
  const monitors = [
    ...refusedHosts.map((host, index) => defineMonitor(`refused-${index}`, `http://${host}:${port}/`)),
    ...lateHosts.map((host, index) =>
      defineMonitor(`late-${index}`, `http://${host}:${port}/`, { "failure-threshold": 1 }),
    ),
    { ...defineMonitor("tcp", `tcp://127.0.0.1:${port}`), kind: "tcp" },
  ];
  const strict = await Edge.start(monitors, { vars: { ALLOW_PRIVATE_TARGETS: "false" } });
  t.after(() => strict.stop());
  await strict.tick();
  const status = await strict.readStatus();
  assert.equal(status.edge.config_problems, refusedHosts.length + 1, "the configuration refuses them");
  for (const { id, state, reason } of status.monitors) {
    assert.deepEqual([state, reason], ["down", "address is private"], id);
  }
  assert.equal(status.monitors.length, lateHosts.length);
  assert.equal(requests, 0);
});

test("a flood is cut off", () => {
  assert.ok(floodBytes < 64 << 20, `${floodBytes} bytes were sent`);
});

test("nothing that a target sent is on the page", async () => {
  const page = await edge.readText("/");
  assert.doesNotMatch(page, /alert\(1\)|<b>broken/);
});
