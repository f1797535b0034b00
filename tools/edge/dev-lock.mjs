// Keeps two edges on this machine from sharing one history: whoever uses the folder listens on a socket in it. A socket that nobody listens
// on is left from a run that was killed, and is replaced.

import { createHash } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** The most bytes of a socket's path on every system. */
const MAX_PATH = 100;

/** Where the socket of a state directory is. @param {string} stateDir */
function socketPath(stateDir) {
  if (process.platform === "win32") return `\\\\.\\pipe\\heapbeat-${hash(resolve(stateDir))}`;
  const path = join(stateDir, "dev.sock");
  return Buffer.byteLength(path) <= MAX_PATH ? path : join(tmpdir(), `heapbeat-${hash(resolve(stateDir))}.sock`);
}

/** @param {string} text */
const hash = (text) => createHash("sha256").update(text).digest("hex").slice(0, 16);

/** The process that listens on a socket; undefined if there is none. @param {string} path @returns {Promise<string | undefined>} */
const readOwner = (path) =>
  new Promise((done) => {
    let text = "";
    const socket = connect(path);
    // Whoever listens may be somebody else, as the socket can be in the system's folder of temporary files.
    const timer = setTimeout(() => socket.destroy(), 2000);
    socket.on("data", (chunk) => {
      text += chunk;
      if (text.length > 10) socket.destroy();
    });
    socket.on("error", () => done(undefined));
    socket.on("close", (failed) => {
      clearTimeout(timer);
      done(failed ? undefined : (/^\d{1,10}$/.exec(text)?.[0] ?? "unknown"));
    });
  });

/** Listens on a socket. @param {string} path @returns {Promise<void>} */
const listen = (path) =>
  new Promise((done, refuse) => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.end(String(process.pid));
    });
    server.once("error", refuse);
    server.listen(path, () => {
      server.unref();
      done();
    });
  });

/**
 * Claims a state directory until this process ends. Returns why it cannot be used, if another process has it.
 * @param {string} stateDir @returns {Promise<string | undefined>}
 */
export async function claimStateDir(stateDir) {
  mkdirSync(stateDir, { recursive: true });
  const path = socketPath(stateDir);
  const owner = await readOwner(path);
  if (owner === undefined) {
    rmSync(path, { force: true });
    await listen(path);
    return undefined;
  }
  return `the edge of this folder runs already (process ${owner}), and two cannot share the history in ${stateDir}: stop that one, or give this one a history of its own with HEAPBEAT_STATE=${stateDir}-2`;
}
