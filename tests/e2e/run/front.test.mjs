// The front of `heapbeat run`: replacements under load, of programs that start slowly or have a fixed port, and with connections that
// stay open.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { GuardedProgram } from "../support/guarded-program.mjs";
import { startLoad } from "../support/load.mjs";
import { findFreePort } from "../support/target.mjs";
import { createTempDir } from "../support/temp-dir.mjs";
import { waitUntil } from "../support/wait.mjs";

/** Milliseconds that a slow program takes to listen. */
const SLOW_START_MS = 5000;

/**
 * `/` answers with the process id. The program leaks `LEAK_MB` a second. `/events` is a stream that ends after `STREAM_MS`. WebSockets get a message each
 * 100 ms, and a close frame (1001) at the stop.
 */
const PROGRAM = `
const http = require("node:http");
const { createHash } = require("node:crypto");
const kept = [];
const sockets = new Set();
if (process.env.LEAK_MB) setInterval(() => kept.push(Buffer.alloc(process.env.LEAK_MB * 100000, 1)), 100);
const server = http.createServer((request, response) => {
  if (request.url !== "/events") return response.end(String(process.pid));
  response.writeHead(200, { "content-type": "text/event-stream" });
  const timer = setInterval(() => response.write("data: " + process.pid + "\\n\\n"), 100);
  setTimeout(() => { clearInterval(timer); response.end("data: end\\n\\n"); }, Number(process.env.STREAM_MS));
});
server.on("upgrade", (request, socket) => {
  const key = request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const accept = createHash("sha1").update(key).digest("base64");
  socket.write("HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: " + accept + "\\r\\n\\r\\n");
  const timer = setInterval(() => socket.write(Buffer.from([0x81, 2, 0x6f, 0x6b])), 100);
  sockets.add(socket);
  socket.on("error", () => {});
  socket.on("close", () => { clearInterval(timer); sockets.delete(socket); });
});
process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  for (const socket of sockets) socket.end(Buffer.from([0x88, 2, 0x03, 0xe9]));
});
setTimeout(() => server.listen(Number(process.env.FIXED || process.env.PORT)), Number(process.env.START_MS || 0));
`;

/** The command line of the program in a new directory. @param {import("node:test").TestContext} t */
async function createProgram(t) {
  const cwd = await createTempDir(t);
  await writeFile(join(cwd, "server.cjs"), PROGRAM);
  await writeFile(
    join(cwd, "package.json"),
    '{ "name": "fronted", "private": true, "scripts": { "start": "node server.cjs" } }',
  );
  return { cwd, env: { npm_config_update_notifier: "false", npm_config_cache: join(cwd, "npm") } };
}

/** Requests a replacement, and waits until it has taken over. @param {GuardedProgram} guarded */
async function replace(guarded) {
  const count = () => guarded.linesWith(/recycled: instance \d+ has taken over/).length;
  const before = count();
  guarded.replace();
  await waitUntil("the replacement", () => count() > before);
}

test("a program that leaks, starts in five seconds and has a fixed port is replaced without a failed request", async (t) => {
  const { cwd, env } = await createProgram(t);
  const fixed = String(await findFreePort());
  const guarded = await GuardedProgram.start(["npm", "start"], {
    cwd,
    env: { ...env, FIXED: fixed, START_MS: String(SLOW_START_MS), LEAK_MB: "10" },
    options: ["--limit", "256MB", "--upstream", fixed],
  });
  t.after(() => guarded.stop());
  const load = startLoad({ port: guarded.port, rate: 60 });
  await waitUntil("two replacements", () => guarded.linesWith(/has taken over/).length >= 2);
  const { failed, shed, failures, longestMs } = await load.stop();
  assert.deepEqual({ failed, shed, failures }, { failed: 0, shed: 0, failures: {} });
  assert.ok(longestMs >= SLOW_START_MS, `requests waited for the start: ${longestMs} ms`);
});

test("100 WebSockets and 20 streams are whole across a replacement, and are closed by the program at the end of the drain", async (t) => {
  const { cwd, env } = await createProgram(t);
  const guarded = await GuardedProgram.start(["node", "server.cjs"], {
    cwd,
    env: { ...env, STREAM_MS: "3000", HEAPBEAT_DRAIN_TIMEOUT: "8s" },
    options: ["--limit", "1024MB"],
  });
  t.after(() => guarded.stop());
  const first = await (await fetch(guarded.url)).text();
  const sockets = await Promise.all(Array.from({ length: 100 }, () => openSocket(guarded.port)));
  const streams = Array.from({ length: 20 }, async () => (await fetch(`${guarded.url}/events`)).text());
  await waitUntil("messages on all sockets", () => sockets.every((socket) => socket.messages > 0));
  await replace(guarded);
  assert.notEqual(await (await fetch(guarded.url)).text(), first);
  const before = sockets.map((socket) => socket.messages);
  await waitUntil("messages after the replacement", () =>
    sockets.every((it, index) => it.messages > before[index] + 1),
  );
  for (const stream of await Promise.all(streams)) {
    assert.ok(stream.includes(first) && stream.endsWith("data: end\n\n"), "a stream stays with the copy that began it");
  }
  const codes = await Promise.all(sockets.map((socket) => socket.closed));
  assert.deepEqual(new Set(codes), new Set([1001]), "the program said goodbye itself");
  await waitUntil("the old program's exit", () => !isRunning(Number(first)));
});

/** Opens a WebSocket that counts its messages. @param {number} port */
async function openSocket(port) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket`);
  const opened = new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", reject);
  });
  const counted = {
    messages: 0,
    /** @type {Promise<number>} */
    closed: new Promise((resolve) => {
      socket.addEventListener("close", ({ code }) => resolve(code));
    }),
  };
  socket.addEventListener("message", () => {
    counted.messages += 1;
  });
  await opened;
  return counted;
}

/** Whether a process runs. @param {number} pid */
function isRunning(pid) {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
