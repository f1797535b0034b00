// Every way in which a target can fail: named, bounded, and nobody else's problem.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { findFreePort, renderHealth, Target } from "../support/target.mjs";

/** @type {Target} */ let target;
/** @type {import("node:net").Server} */ let mute;
/** @type {Edge} */ let edge;
let sent = 0;

/** A gigabyte, for as long as somebody reads. @param {import("node:http").ServerResponse} response */
function flood(response) {
  const chunk = Buffer.alloc(64 * 1024, 32);
  const pour = () => {
    while (sent < 1 << 30) {
      sent += chunk.length;
      if (!response.write(chunk)) return;
    }
    response.end();
  };
  response.on("drain", pour);
  pour();
}

/** A gigabyte of spaces in a megabyte of gzip. */
const bomb = gzipSync(Buffer.alloc(1 << 30, 32), { level: 9 });

/** A header a byte a second, for as long as somebody waits. @param {import("node:http").ServerResponse} response */
function dripHeader(response) {
  const socket = /** @type {import("node:net").Socket} */ (response.socket);
  socket.on("error", () => {});
  socket.write("HTTP/1.1 200 OK\r\nx-slow: ");
  const drip = setInterval(() => (socket.destroyed ? clearInterval(drip) : socket.write("a")), 200);
}

/** Ten megabytes of header. @param {import("node:http").ServerResponse} response */
function hugeHeader(response) {
  const socket = /** @type {import("node:net").Socket} */ (response.socket);
  socket.on("error", () => {});
  socket.write("HTTP/1.1 200 OK\r\nx-huge: ");
  socket.end(Buffer.alloc(10 << 20, 97));
}

/** @type {Record<string, import("node:http").RequestListener>} */
const answers = {
  "/bomb": (_, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(bomb),
  "/slow-header": (_, response) => dripHeader(response),
  "/huge-header": (_, response) => hugeHeader(response),
  "/odd-bytes": (_, response) => response.end(Buffer.from([0x7b, 0xff, 0xfe, 0x00, 0x7d])),
  "/deep": (_, response) => response.end("[".repeat(30_000) + "]".repeat(30_000)),
  "/deep-body": (_, response) => response.end("[".repeat(30_000) + "]".repeat(30_000)),
  "/odd-scheme": (_, response) => response.writeHead(302, { location: "file:///etc/passwd" }).end(),
  "/good": (_, response) => response.end(renderHealth()),
  "/error": (_, response) => response.writeHead(500).end("<b>broken</b>"),
  "/text": (_, response) => response.end("<script>alert(1)</script>"),
  "/other": (_, response) => response.end('{"ok":true}'),
  "/flood": (_, response) => flood(response),
  "/drip": (_, response) => void response.write("{"),
  "/loop": (_, response) => response.writeHead(302, { location: "/loop" }).end(),
  "/cut": (request) => void request.socket.destroy(),
};

/** Monitor, and what is said of it. */
const expected = {
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
  "deep-body": /condition 1/,
  "odd-scheme": /not a web address/,
};

before(async () => {
  target = await Target.start((request, response) => answers[request.url ?? ""]?.(request, response));
  // Takes connections and says nothing, nor speaks TLS.
  mute = createServer(() => {});
  await new Promise((resolve) => mute.listen(0, "127.0.0.1", () => resolve(undefined)));
  const mutePort = /** @type {import("node:net").AddressInfo} */ (mute.address()).port;
  const patience = { timeout: "1s", "failure-threshold": 1 };
  edge = await Edge.start([
    defineMonitor("dns", "http://no-such-host.invalid/health", patience),
    defineMonitor("refused", `http://127.0.0.1:${await findFreePort()}/health`, patience),
    defineMonitor("tls", target.url.replace("http:", "https:"), patience),
    defineMonitor("silent", `http://127.0.0.1:${mutePort}/health`, patience),
    ...[
      ...["error", "text", "other", "flood", "drip", "loop", "cut"],
      ...["bomb", "slow-header", "huge-header", "odd-bytes", "deep", "odd-scheme"],
    ].map((id) => defineMonitor(id, `${target.url}/${id}`, patience)),
    defineMonitor("deep-body", `${target.url}/deep-body`, {
      ...patience,
      kind: "http",
      conditions: ["has([BODY][0]) == true"],
    }),
    defineMonitor("good", `${target.url}/good`, patience),
  ]);
  await edge.tick();
});

after(async () => {
  await edge?.stop();
  await target?.stop();
  mute?.close();
});

for (const [id, reason] of Object.entries(expected)) {
  test(`${id} is named`, async () => {
    const found = await edge.readMonitor(id);
    assert.equal(found.state, "down");
    assert.match(found.reason, reason);
    assert.equal(found.memory, null);
  });
}

test("the good neighbour is up", async () => {
  assert.equal((await edge.readMonitor("good")).state, "up");
});

test("a private address is not asked, however it is written and whoever points there", async (t) => {
  let asked = 0;
  const inside = await Target.start((_, response) => {
    asked += 1;
    response.end(renderHealth());
  });
  t.after(() => inside.stop());
  const { port } = new URL(inside.url);
  const written = ["127.0.0.1", "0x7f.1", "2130706433", "0177.0.0.1", "127.1", "localhost", "[::ffff:127.0.0.1]"];
  // The last digit is a full-width one: a name to the first reader, and 127.0.0.1 to the platform.
  const late = ["127.0.0.１", "localhost.localdomain。internal"];
  const monitors = [
    ...written.map((host, index) => defineMonitor(`written-${index}`, `http://${host}:${port}/`)),
    ...late.map((host, index) => defineMonitor(`late-${index}`, `http://${host}:${port}/`, { "failure-threshold": 1 })),
    { ...defineMonitor("tcp", `tcp://127.0.0.1:${port}`), kind: "tcp" },
  ];
  const strict = await Edge.start(monitors, { vars: { ALLOW_PRIVATE_TARGETS: "false" } });
  t.after(() => strict.stop());
  await strict.tick();
  const status = await strict.readStatus();
  assert.equal(status.problems.length, written.length + 1, "refused while it is read");
  for (const found of status.monitors) {
    assert.deepEqual([found.state, found.reason], ["down", "it leads to a private address"], found.id);
  }
  assert.equal(status.monitors.length, late.length);
  assert.equal(asked, 0);
});

test("a flood is cut short", () => {
  assert.ok(sent < 64 << 20, `${sent} bytes were taken`);
});

test("nothing that a target has sent is on the page", async () => {
  const page = await (await fetch(edge.url)).text();
  assert.doesNotMatch(page, /alert\(1\)|<b>broken/);
});
