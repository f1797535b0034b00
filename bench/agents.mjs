// The cost of the agents: requests a second of a Node and a Python program with and without agent. Both run at the same time and are
// loaded in turns of a second (without, with, with, without), so that whatever else the machine does meets both alike; each has been
// loaded until its rate has settled before, and the median of the ratios of neighboring turns counts. Some pairs of processes are
// measured, as two processes of one program can differ for their lives. The same for requests per second of CPU time, which other work on
// the machine disturbs less; and the memory of both. The programs have one core and the load another, as the scheduler may otherwise put
// one of the programs beside the load for all of its life. Needs `wrk` and `taskset`. The guard's end of the socket is here.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** Pairs of processes, and pairs of turns of each. */
const PAIRS = Number(process.env.PAIRS ?? 3);
const TURNS = Number(process.env.TURNS ?? 8);
/** A rate has settled when a second brings at most so much more than the best one before; it is waited for at most so many seconds. */
const SETTLED = 1.02;
const MAX_WARM_UP = 10;
const AGENTS = resolve(import.meta.dirname, "../server/agents");

const NODE_PROGRAM = `require("node:http").createServer((request, response) => {
  const list = Array.from({ length: 20 }, (_, i) => ({ id: i, name: "order " + i }));
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ hello: "world", list }));
}).listen(process.env.PORT, "127.0.0.1")`;
const PYTHON_PROGRAM = `
import json, os, socketserver
from http.server import BaseHTTPRequestHandler
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = json.dumps({"hello": "world", "list": [{"id": i, "name": "order %d" % i} for i in range(20)]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128
Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()`;

const directory = mkdtempSync(join(tmpdir(), "heapbeat-agents-"));
const socket = join(directory, "agent.sock");
let messages = 0;
const guard = createServer((connection) => {
  connection.on("error", () => {});
  connection.on("data", (data) => {
    messages += data.toString().split("\n").length - 1;
  });
}).listen(socket);

/** A program that is measured. */
class Measured {
  /**
   * @param {string[]} program
   * @param {boolean} withAgent
   */
  constructor(program, withAgent) {
    const port = 20_000 + (process.pid % 20_000) + Number(withAgent);
    const agents = {
      HEAPBEAT_AGENT_SOCKET: socket,
      NODE_OPTIONS: `--require ${AGENTS}/node/heapbeat-agent.cjs`,
      PYTHONPATH: `${AGENTS}/python`,
    };
    this.url = `http://127.0.0.1:${port}/`;
    this.child = spawn("taskset", ["-c", "0", ...program], {
      env: { ...process.env, PORT: `${port}`, PYTHONDONTWRITEBYTECODE: "1", ...(withAgent && agents) },
      stdio: "ignore",
    });
    this.requests = 0;
    this.cpu = 0;
  }

  /** Loads it until its rate has settled, and returns after how many seconds. */
  async warmUp() {
    while (
      !(await fetch(this.url)
        .then((response) => response.text())
        .catch(() => null))
    );
    let best = 0;
    for (let seconds = 1; seconds <= MAX_WARM_UP; seconds++) {
      const { rate } = await load(this.url);
      if (seconds > 2 && rate <= best * SETTLED) return seconds;
      best = Math.max(best, rate);
    }
    return MAX_WARM_UP;
  }

  /** Loads it for a turn, and returns requests a second. */
  async turn() {
    const before = cpuSeconds(this.child.pid);
    const { rate, requests } = await load(this.url);
    this.cpu += cpuSeconds(this.child.pid) - before;
    this.requests += requests;
    return rate;
  }

  resident() {
    const status = readFileSync(`/proc/${this.child.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
  }

  async stop() {
    this.child.kill("SIGKILL");
    await new Promise((done) => this.child.once("exit", done));
  }
}

/**
 * Loads an address for a second, and returns requests a second, and all of them.
 * @param {string} url
 * @returns {Promise<{ rate: number, requests: number }>}
 */
function load(url) {
  const wrk = spawn("taskset", ["-c", "1", "wrk", "-t1", "-c32", "-d1s", url]);
  let output = "";
  wrk.stdout.on("data", (data) => {
    output += data;
  });
  return new Promise((done) =>
    wrk.once("exit", () =>
      done({
        rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]),
        requests: Number(/(\d+) requests in/.exec(output)?.[1]),
      }),
    ),
  );
}

/**
 * CPU time of a process, in seconds.
 * @param {number | undefined} pid
 */
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** @param {number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.floor(sorted.length / 2)]) / 2;
}

if (spawnSync("wrk", ["--version"]).error) throw new Error("wrk is not installed: apt-get install wrk");
const programs = [
  ["node", process.env.NODE ?? "node", "-e", NODE_PROGRAM],
  ["python", process.env.PYTHON ?? "python3", "-c", PYTHON_PROGRAM],
];
for (const [name, ...program] of programs) {
  /** @type {number[]} */
  const ratios = [];
  /** @type {number[]} */
  const cpuRatios = [];
  /** @type {Record<string, number[]>} */
  const rates = { with: [], without: [] };
  /** @type {Record<string, number[]>} */
  const resident = { with: [], without: [] };
  /** @type {number[]} */
  const drifts = [];
  let warmUp = 0;
  for (let pair = 0; pair < PAIRS; pair++) {
    const measured = { without: new Measured(program, false), with: new Measured(program, true) };
    for (const it of Object.values(measured)) warmUp = Math.max(warmUp, await it.warmUp());
    /** @type {number[]} */
    const plain = [];
    for (let turn = 0; turn < TURNS; turn++) {
      /** @type {Record<string, number>} */
      const rate = {};
      const order = /** @type {const} */ (["without", "with"]);
      for (const kind of turn % 2 === 0 ? order : order.toReversed()) {
        rate[kind] = await measured[kind].turn();
        rates[kind].push(rate[kind]);
      }
      ratios.push(rate.with / rate.without);
      plain.push(rate.without);
    }
    drifts.push(median(plain.slice(TURNS / 2)) / median(plain.slice(0, TURNS / 2)));
    cpuRatios.push(measured.with.requests / measured.with.cpu / (measured.without.requests / measured.without.cpu));
    for (const [kind, it] of Object.entries(measured)) {
      resident[kind].push(it.resident());
      await it.stop();
    }
  }
  const sorted = ratios.toSorted((a, b) => a - b);
  const quartiles = [0.25, 0.75].map((share) => sorted[Math.round(share * (sorted.length - 1))].toFixed(3));
  const version = spawnSync(program[0], ["--version"]).stdout.toString().trim();
  console.log(
    `${name} ${version}: ${median(rates.without).toFixed(0)} requests a second without agent, ${median(rates.with).toFixed(0)} with;\n` +
      `  ratio of ${ratios.length} pairs of turns: median ${median(ratios).toFixed(3)}, quartiles ${quartiles.join(" and ")};\n` +
      `  of requests per CPU second, ${PAIRS} pairs of processes: ${cpuRatios.map((it) => it.toFixed(3)).join(", ")};\n` +
      `  warmed up for at most ${warmUp} s; without agent, later turns / earlier ones: ${drifts.map((it) => it.toFixed(3)).join(", ")};\n` +
      `  resident ${median(resident.without).toFixed(1)} MB without, ${median(resident.with).toFixed(1)} MB with`,
  );
}
console.log(`${messages} messages`);
guard.close();
rmSync(directory, { recursive: true });
process.exit();
