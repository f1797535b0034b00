// `heapbeat doctor` asks a real server and a real edge: what it says when all is well, and what of each thing that is wrong.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { PROJECT } from "../../../tools/package/project.mjs";
import { defineMonitor, Edge } from "../support/edge.mjs";
import { HEAPBEAT, Server } from "../support/server.mjs";
import { SECRET } from "../support/signed-server.mjs";
import { REFUSED_URL, Target } from "../support/target.mjs";

const { version } = PROJECT;

/** @type {Server} */ let server;
/** @type {Edge} */ let edge;

before(async () => {
  server = await Server.start({ env: { HEAPBEAT_SECRET: SECRET, HEAPBEAT_MEMORY_LIMIT: "512MB" } });
  edge = await Edge.start([defineMonitor("api", `${server.url}/health`)], { vars: { HEAPBEAT_SECRET: SECRET } });
});

after(async () => {
  await edge?.stop();
  await server?.stop();
});

/** Runs `heapbeat doctor`, and returns its findings and its exit code. @param {string[]} args @param {string} [secret] */
async function consult(args, secret) {
  const child = spawn(HEAPBEAT, ["doctor", ...args], { env: secret ? { HEAPBEAT_SECRET: secret } : {} });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  const [code] = await once(child, "close");
  return { output, code };
}

test("a deployment in which all is well", async () => {
  edge.now = Date.now();
  await edge.tick();
  const { output, code } = await consult(["--url", server.url, "--edge", edge.url], SECRET);
  const expected = [
    /^ok {6}http:\/\/\S+\/health answers: \S+ MB resident$/m,
    /^ok {6}the clocks agree$/m,
    /^ok {6}the server and this machine have the same secret$/m,
    /^ok {6}the memory limit is 512\.0 MB \(configured\)$/m,
    /^ok {6}the server is version /m,
    /^ok {6}http:\/\/\S+\/api\/v1\/status answers, last tick \S+Z$/m,
    new RegExp(`^ok {6}the edge is version ${version}, and this program ${version}$`, "m"),
    /^ok {6}the edge says that api is up$/m,
  ];
  for (const line of expected) assert.match(output, line);
  assert.equal(output.trim().split("\n").length, expected.length, output);
  assert.equal(code, 0);
});

test("each thing that is wrong is named with what to do", async (t) => {
  const hourAgo = new Date(Date.now() - 3_600_000).toUTCString();
  const slow = await Target.start((_, response) => {
    response.setHeader("date", hourAgo);
    response.end('{"status":"healthy","memory":{"rss":26,"heapUsed":4,"heapTotal":6,"external":2},"uptime":1}');
  });
  t.after(() => slow.stop());
  const old = await Target.start((request, response) => {
    const documents = {
      "/api/v1/status": {
        updated: new Date().toISOString(),
        monitors: [{ id: "shop", state: "down", reason: "timeout" }],
      },
      "/api/v1/openapi.json": { info: { version: "99.1.0" } },
    };
    response.end(JSON.stringify(documents[/** @type {keyof typeof documents} */ (request.url)]));
  });
  t.after(() => old.stop());

  /** @type {[string, string[], string | undefined, number, RegExp[]][]} */
  const cases = [
    ["nothing listens", ["--url", REFUSED_URL], undefined, 2, [/^problem .*127\.0\.0\.1:9/m, /check the address/]],
    ["no secret here", ["--url", server.url], undefined, 0, [/^skipped .*the secret.*\n {8}set HEAPBEAT_SECRET/m]],
    [
      "another secret",
      ["--url", server.url],
      "a secret that nobody else has",
      2,
      [/^problem .*\n {8}give HEAPBEAT_SECRET the same value .*HEAPBEAT_HOSTS/m],
    ],
    [
      "another clock",
      ["--url", slow.url],
      undefined,
      2,
      [/^problem the clocks are 3\d\d\d s apart\n {8}set the clocks/m],
    ],
    [
      "no edge there",
      ["--edge", server.url],
      undefined,
      2,
      [/^problem .*\n {8}deploy the edge, or correct the address/m],
    ],
    [
      "an edge of another version, and a monitor that is down",
      ["--edge", old.url],
      undefined,
      2,
      [
        /^warning the edge is version 99\.1\.0, .*\n {8}update the older one/m,
        /^problem the edge says that shop is down \(timeout\)\n {8}the incident .* compare the monitor's url/m,
      ],
    ],
    ["no address", [], undefined, 3, [/--url/]],
    ["an address that is none", ["--url", "ftp://x"], undefined, 3, [/heapbeat: .*ftp/]],
    ["a secret that is too short", ["--url", server.url], "short", 3, [/HEAPBEAT_SECRET is too short/]],
  ];
  for (const [name, args, secret, expected, lines] of cases) {
    const { output, code } = await consult(args, secret);
    for (const line of lines) assert.match(output, line, name);
    assert.equal(code, expected, `${name}: ${output}`);
  }
});

test("an edge whose cron does not run", async () => {
  const idle = await Edge.start([defineMonitor("api", `${server.url}/health`)]);
  try {
    const early = await consult(["--edge", idle.url]);
    assert.match(early.output, /^problem the edge has had no tick yet\n {8}wait a minute/m);
    idle.now = Date.now() - 3_600_000;
    await idle.tick();
    const late = await consult(["--edge", idle.url]);
    assert.match(late.output, /^problem the edge's last tick was \S+Z\n {8}the cron trigger does not run/m);
    assert.equal(late.code, 2);
  } finally {
    await idle.stop();
  }
});
