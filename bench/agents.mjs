// The cost of the agents: requests a second of a Node and a Python program with and without agent, alternating, and the ratio of each
// pair; the same for requests per second of CPU time, which other work on the machine disturbs less; and the memory of both. Needs
// `wrk`. The guard's end of the socket is here.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const PAIRS = Number(process.env.PAIRS ?? 10);
const SECONDS = Number(process.env.SECONDS ?? 3);
const PORT = 20_000 + (process.pid % 20_000);
const AGENTS = resolve(import.meta.dirname, "../server/agents");

const NODE_PROGRAM = `require("node:http").createServer((request, response) => {
  const list = Array.from({ length: 20 }, (_, i) => ({ id: i, name: "order " + i }));
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ hello: "world", list }));
}).listen(${PORT}, "127.0.0.1")`;
const PYTHON_PROGRAM = `
import json, socketserver
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
Server(("127.0.0.1", ${PORT}), Handler).serve_forever()`;

const directory = mkdtempSync(join(tmpdir(), "heapbeat-agents-"));
const socket = join(directory, "agent.sock");
let messages = 0;
const guard = createServer((connection) => {
  connection.on("error", () => {});
  connection.on("data", (data) => {
    messages += data.toString().split("\n").length - 1;
  });
}).listen(socket);

/**
 * Starts a program, loads it, and returns requests a second and its resident set in MB.
 * @param {string[]} program
 * @param {boolean} withAgent
 */
async function measure(program, withAgent) {
  const agents = {
    HEAPBEAT_AGENT_SOCKET: socket,
    NODE_OPTIONS: `--require ${AGENTS}/node/heapbeat-agent.cjs`,
    PYTHONPATH: `${AGENTS}/python`,
  };
  const child = spawn(program[0], program.slice(1), {
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1", ...(withAgent && agents) },
    stdio: "ignore",
  });
  const url = `http://127.0.0.1:${PORT}/`;
  while (
    !(await fetch(url)
      .then((response) => response.text())
      .catch(() => null))
  );
  await load(url, 1);
  const cpuBefore = cpuSeconds(child.pid);
  const { rate, requests } = await load(url, SECONDS);
  const perCpuSecond = requests / (cpuSeconds(child.pid) - cpuBefore);
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  const resident = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
  child.kill("SIGKILL");
  await new Promise((done) => child.once("exit", done));
  return { rate, perCpuSecond, resident };
}

/**
 * Loads an address for some seconds, and returns requests a second, and all of them.
 * @param {string} url
 * @param {number} seconds
 * @returns {Promise<{ rate: number, requests: number }>}
 */
function load(url, seconds) {
  const wrk = spawn("wrk", ["-t1", "-c32", `-d${seconds}s`, url]);
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
  for (let pair = 0; pair < PAIRS; pair++) {
    const order = pair % 2 === 0 ? ["without", "with"] : ["with", "without"];
    /** @type {Record<string, { rate: number, perCpuSecond: number, resident: number }>} */
    const result = {};
    for (const kind of order) {
      result[kind] = await measure(program, kind === "with");
      rates[kind].push(result[kind].rate);
      resident[kind].push(result[kind].resident);
    }
    ratios.push(result.with.rate / result.without.rate);
    cpuRatios.push(result.with.perCpuSecond / result.without.perCpuSecond);
  }
  const version = spawnSync(program[0], ["--version"]).stdout.toString().trim();
  console.log(
    `${name} ${version}: ${median(rates.without).toFixed(0)} requests a second without agent, ${median(rates.with).toFixed(0)} with; ` +
      `median ratio of ${PAIRS} pairs ${median(ratios).toFixed(3)} (${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)}), of requests per CPU second ${median(cpuRatios).toFixed(3)}; ` +
      `resident ${median(resident.without).toFixed(1)} MB without, ${median(resident.with).toFixed(1)} MB with`,
  );
}
console.log(`${messages} messages`);
guard.close();
rmSync(directory, { recursive: true });
process.exit();
