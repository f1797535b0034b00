// Every way in which a target can fail: named, bounded, and nobody else's problem.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, before, test } from "node:test";
import { Edge, monitor } from "./harness/edge.mjs";
import { closedPort, healthBody, Target } from "./harness/target.mjs";

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

/** @type {Record<string, import("node:http").RequestListener>} */
const answers = {
  "/good": (_, response) => response.end(healthBody()),
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
};

before(async () => {
  target = await Target.start((request, response) => answers[request.url ?? ""]?.(request, response));
  // Takes connections and says nothing, nor speaks TLS.
  mute = createServer(() => {});
  await new Promise((resolve) => mute.listen(0, "127.0.0.1", () => resolve(undefined)));
  const mutePort = /** @type {import("node:net").AddressInfo} */ (mute.address()).port;
  const patience = { timeout: "1s", "failure-threshold": 1 };
  edge = await Edge.start([
    monitor("dns", "http://no-such-host.invalid/health", patience),
    monitor("refused", `http://127.0.0.1:${await closedPort()}/health`, patience),
    monitor("tls", target.url.replace("http:", "https:"), patience),
    monitor("silent", `http://127.0.0.1:${mutePort}/health`, patience),
    ...["error", "text", "other", "flood", "drip", "loop", "cut"].map((id) =>
      monitor(id, `${target.url}/${id}`, patience),
    ),
    monitor("good", `${target.url}/good`, patience),
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
    const found = await edge.monitor(id);
    assert.equal(found.state, "down");
    assert.match(found.reason, reason);
    assert.equal(found.memory, null);
  });
}

test("the good neighbour is up", async () => {
  assert.equal((await edge.monitor("good")).state, "up");
});

test("a flood is cut short", () => {
  assert.ok(sent < 64 << 20, `${sent} bytes were taken`);
});

test("nothing that a target has sent is on the page", async () => {
  const page = await (await fetch(edge.url)).text();
  assert.doesNotMatch(page, /alert\(1\)|<b>broken/);
});
