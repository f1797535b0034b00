// What heapbeat does for a program behind a wrapper such as `npm start`: who gets the signals, whether the memory is right, where the
// limit is set, and whether a replacement fails a request. The end-to-end test checks the wrappers that every machine has, and the
// benchmark prints the table of all.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { GuardedProgram } from "./guarded-program.mjs";
import { startLoad } from "./load.mjs";
import { commandOf, isAlive, proportionalSetSize } from "./process-tree.mjs";
import { waitUntil } from "./wait.mjs";

/** A server in Node that writes each signal to the file in LOG, finishes its requests, and exits. */
export const NODE_SERVER = `const { appendFileSync } = require("node:fs");
const { createServer } = require("node:http");
// 20 MB, so that the program and its memory are more than the wrapper.
const kept = Buffer.alloc(20 << 20, 1);
const server = createServer((request, response) => {
  setTimeout(() => response.end(JSON.stringify({ pid: process.pid, kept: kept.length })), 20);
}).listen(Number(process.env.PORT));
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) {
  process.on(signal, () => {
    appendFileSync(String(process.env.LOG), signal + " " + process.pid + "\\n");
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}
`;

/** The same in Python, of its standard library alone. */
export const PYTHON_SERVER = `import json, os, signal, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

kept = bytearray(b"x") * (20 << 20)

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps({"pid": os.getpid(), "kept": len(kept)}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

def stop(number, frame):
    with open(os.environ["LOG"], "a") as log:
        log.write(f"SIGTERM {os.getpid()}\\n")
    threading.Thread(target=server.shutdown).start()

server = Server(("127.0.0.1", int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, stop)
server.serve_forever()
`;

/**
 * @typedef {object} Wrapper
 * @property {string} name as in the table
 * @property {string[]} command
 * @property {string} cwd
 * @property {Record<string, string>} [env]
 * @property {string} [log] the file to which the program writes a line for each signal; without it `strace` counts the signals
 * @property {RegExp} [leaf] what the command lines of the program's own processes match; by default it is the one that answers
 *
 * @typedef {object} WrapperResult
 * @property {number[]} signals how many signals the program got when it was replaced, and how many the next instance got at the end;
 * of several processes, the most that one of them got
 * @property {number} memory what heapbeat states, divided by the proportional set sizes of all processes
 * @property {string} limit the setting of the runtime that the program itself has
 * @property {import("./load.mjs").LoadResult} load the requests during the replacement
 * @property {number} processes
 */

/** Variables by which a runtime learns its limit. */
const LIMITS = ["NODE_OPTIONS", "JAVA_TOOL_OPTIONS", "GOMEMLIMIT", "MALLOC_ARENA_MAX"];

/** The limits in the environment of a process. @param {number} pid */
function limitsOf(pid) {
  const variables = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  return variables
    .filter((variable) => LIMITS.includes(variable.split("=")[0] ?? ""))
    .map((variable) => variable.replace(/--require[= ]?\S+ ?/g, "").replace(/=$/, ""))
    .filter((variable) => variable.includes("=") && !variable.endsWith("= "))
    .map((variable) => variable.trim());
}

/** Compares the memory that heapbeat states with that of the processes, until they agree. @param {GuardedProgram} guarded */
async function compareMemory(guarded) {
  let ratio = Number.NaN;
  const deadline = Date.now() + 20_000;
  do {
    const before = proportionalSetSize(guarded.programPids());
    const stated = await readMetric(guarded, "heapbeat_tree_memory_bytes");
    const after = proportionalSetSize(guarded.programPids());
    const nearest =
      stated < Math.min(before, after) ? Math.min(before, after) : Math.min(stated, Math.max(before, after));
    const now = stated / nearest;
    if (!(Math.abs(now - 1) >= Math.abs(ratio - 1))) ratio = now;
    await sleep(200);
  } while (!(Math.abs(ratio - 1) < 0.01) && Date.now() < deadline);
  return ratio;
}

/** A value of `/metrics`. @param {GuardedProgram} guarded @param {string} name @returns {Promise<number>} */
async function readMetric(guarded, name) {
  const text = await (await fetch(`${guarded.url}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, "m").exec(text)?.[1]);
}

/**
 * Counts the signals that an instance gets, until it has exited.
 * @param {Wrapper} wrapper @param {number[]} pids @returns {Promise<() => Promise<number>>}
 */
async function observeSignals({ log }, pids) {
  if (log) {
    const count = () => (existsSync(log) ? readFileSync(log, "utf8").split("\n").filter(Boolean).length : 0);
    const before = count();
    return async () => count() - before;
  }
  const counts = await Promise.all(pids.map(traceSignals));
  return async () => Math.max(...(await Promise.all(counts.map((count) => count()))));
}

/** Counts the signals that a process gets from others, by `strace`. @param {number} pid */
async function traceSignals(pid) {
  const strace = spawn("strace", ["-f", "-e", "trace=none", "-p", String(pid)], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let output = "";
  strace.stderr.on("data", (data) => {
    output += data;
  });
  const exit = once(strace, "close");
  await waitUntil("strace", () => output.includes("attached") || strace.exitCode !== null);
  return async () => {
    await exit;
    return output.match(/--- SIG(?:TERM|INT|QUIT|HUP|USR1|USR2) \{[^}]*SI_USER/g)?.length ?? 0;
  };
}

/**
 * Runs a wrapper: measures its memory, replaces it under load, and stops it.
 * @param {Wrapper} wrapper
 * @param {{ rate?: number, options?: string[] }} [settings]
 * @returns {Promise<WrapperResult>}
 */
export async function checkWrapper(wrapper, { rate = 50, options = ["--limit", "512MB"] } = {}) {
  const { command, cwd, log, env, leaf } = wrapper;
  const guarded = await GuardedProgram.start(command, {
    options,
    cwd,
    env: { ...env, HEAPBEAT_METRICS: "public", ...(log && { LOG: log }) },
  });
  const leaves = async () => {
    const answer = /** @type {{ pid?: number }} */ (
      await fetch(guarded.url)
        .then((response) => response.json())
        .catch(() => ({}))
    );
    const pids = guarded.programPids();
    const found = pids.filter((pid) => (leaf ? leaf.test(commandOf(pid)) : pid === answer.pid));
    if (found.length === 0) throw new Error(`no process is the program's own: ${pids.map(commandOf).join("; ")}`);
    return found;
  };
  try {
    const first = await leaves();
    const before = guarded.programPids();
    const limit = limitsOf(first[0] ?? 0).join(" ");
    const memory = await compareMemory(guarded);
    const signals = await observeSignals(wrapper, first);
    const load = startLoad({ port: guarded.port, rate });
    await waitUntil("the load", () => load.counts.answered > rate);
    guarded.replace();
    await waitUntil("the old processes to exit", () => before.every((it) => !isAlive(it)));
    const answered = load.counts.answered;
    await waitUntil("requests afterwards", () => load.counts.answered + load.counts.failed > answered + rate);
    const result = await load.stop();
    const whenReplaced = await signals();
    const signalsAtEnd = await observeSignals(wrapper, await leaves());
    await guarded.stop();
    return {
      signals: [whenReplaced, await signalsAtEnd()],
      memory,
      limit,
      load: result,
      processes: before.length,
    };
  } catch (error) {
    throw new Error(`${wrapper.name}: ${error instanceof Error ? error.message : error}\n${guarded.log.join("\n")}`);
  } finally {
    await guarded.stop();
  }
}
