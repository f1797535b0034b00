// A watched host that does not know the secret: it relays what the edge signs, redirects it, and repeats it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { Server } from "../support/server.mjs";
import { Target } from "../support/target.mjs";

const SECRET = "a secret that both halves hold";

/** @type {Server} */ let server;
/** @type {Target} */ let thief;
/** @type {Edge} */ let edge;
/** The signatures that the thief received, by path. @type {[string, string | undefined][]} */
const received = [];
/** What the thief answers. @type {import("node:http").RequestListener} */
let answer = (_, response) => response.end();

before(async () => {
  // At a port of its own choice a server cannot know under which port it is known.
  server = await Server.start({ port: await findFreePort(), env: { HEAPBEAT_SECRET: SECRET } });
  thief = await Target.start((request, response) => {
    received.push([request.url ?? "", /** @type {string | undefined} */ (request.headers["heapbeat-signature"])]);
    answer(request, response);
  });
  edge = await Edge.start(
    [
      defineMonitor("api", `${server.url}/health`),
      // The owner states that both have the same secret.
      defineMonitor("stated", `${thief.url}/health`, { secret: "HEAPBEAT_SECRET" }),
      defineMonitor("further", `${thief.url}/further`),
    ],
    { vars: { HEAPBEAT_SECRET: SECRET } },
  );
});

after(async () => {
  await edge?.stop();
  await thief?.stop();
  await server?.stop();
});

/** Finds a port that nobody listens at. */
async function findFreePort() {
  const probe = await Target.start(() => {});
  await probe.stop();
  return Number(new URL(probe.url).port);
}

/** Sends a request to the server with a signature. @param {string} path @param {string} signature */
const relay = (path, signature) => fetch(server.url + path, { headers: { "heapbeat-signature": signature } });

test("the default secret signs for one server, and problems name the others", async () => {
  await edge.tick();
  assert.equal(received.find(([path]) => path === "/further")?.[1], undefined);
  const { result } = await edge.requestHub(0, { Status: { audience: "Owner" } });
  const problem = result.Ok.Status.problems.find((/** @type {any} */ it) => it.position === "further");
  assert.match(JSON.stringify(problem), /HEAPBEAT_SECRET belongs to one server/);
  assert.equal((await edge.readMonitor("api")).state, "up");
});

test("a signature for one host is refused by another, whatever is changed in it", async () => {
  const [, signature = ""] = received.find(([path]) => path === "/health") ?? [];
  const [, origin] = /^v2 t=\d+ n=[0-9a-f]{32} o=(\S+) s=[0-9a-f]{64}$/.exec(signature) ?? [];
  assert.equal(origin, thief.url, "the address as it is configured");
  const elsewhere = signature.replace(/ o=\S+/, " o=https://api.example.com");
  for (const header of [signature, elsewhere, signature.replace(/ o=\S+/, ` o=${server.url}`)]) {
    assert.equal((await relay("/health", header)).status, 401);
  }
  assert.equal((await relay("/debug/heap?seconds=1", signature)).status, 401, "nor for another path");
});

test("nothing that is signed follows a redirect", async () => {
  for (const location of ["/debug/heap?seconds=1", "/health?after=1", `${server.url}/debug/heap`]) {
    received.length = 0;
    answer = (request, response) => {
      if (request.url?.startsWith("/health") && !request.url.includes("after=1")) response.writeHead(307, { location });
      response.end();
    };
    await edge.tick();
    const [first, ...further] = received.filter(([path]) => !path.startsWith("/further"));
    assert.ok(first[1], "the configured address is signed");
    assert.ok(location.startsWith("http") || further.length > 0, location);
    for (const [path, signature] of further) assert.equal(signature, undefined, `${location}: ${path}`);
  }
});
