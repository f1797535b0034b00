// `make run`: starts the server and the edge, and sends the ticks that Cloudflare's cron trigger would send.

import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { CargoBuild } from "./cargo.mjs";
import { localMonitor, writeDevConfig } from "./edge/dev-config.mjs";
import { claimStateDir } from "./edge/dev-lock.mjs";
import { prepareSecrets } from "./edge/dev-secrets.mjs";
import { describeMonitor, sendTick, startEdge, waitForSuccess } from "./edge/local-edge.mjs";
import { readEnv } from "./env.mjs";
import { fail, logNote, logOutput, logStep } from "./log.mjs";
import { END_SIGNALS, Service } from "./process.mjs";
import { COMMAND_LINE, IS_BUILT, SERVER } from "./programs.mjs";

const { serverPort, edgePort, tickSeconds, stateDir } = readEnv();
const serverUrl = `http://localhost:${serverPort}`;
const edgeUrl = `http://localhost:${edgePort}`;
/** @type {Service[]} */
const services = [];
let stopping = false;

/** @param {number} code @param {string} [reason] */
async function stop(code, reason) {
  if (stopping) return;
  stopping = true;
  if (reason) console.error(`\nheapbeat: ${reason}`);
  else logStep("stopping");
  await Promise.all(services.map((service) => service.stop()));
  process.exit(code);
}

for (const signal of END_SIGNALS) {
  process.on(signal, () => stop(0));
}
process.on("uncaughtException", (error) => stop(1, error.stack ?? String(error)));

/** Adds a service, and stops all of them when it exits. @param {Service} service */
function supervise(service) {
  services.push(service);
  service.exit.then((description) => stop(1, description));
}

/** Prints the commands that use the command line. */
function logCommands() {
  const { program } = COMMAND_LINE;
  logNote(`memory   HEAPBEAT_SECRET=$(cat ${secretPath}) ${program} check-memory --url ${serverUrl}`);
  logNote(`monitors HEAPBEAT_ADMIN_TOKEN=$(cat ${adminTokenPath}) ${program} apply monitors.toml --url ${edgeUrl}`);
}

const obstacle = await claimStateDir(stateDir);
if (obstacle) fail(obstacle, 2);
const config = writeDevConfig({ monitors: [localMonitor(serverPort, tickSeconds)], stateDir });
const { secret, secretPath, adminTokenPath } = prepareSecrets(stateDir);
const logPath = join(stateDir, "wrangler.log");
const log = createWriteStream(logPath);

logStep("starting the server");
supervise(
  new Service("server", SERVER.command, {
    env: {
      PORT: String(serverPort),
      HEAPBEAT_SECRET: secret,
      HEAPBEAT_HOSTS: process.env.HEAPBEAT_HOSTS ?? "localhost",
      // The server must not get the variables of these tools, as it warns about unknown settings.
      HEAPBEAT_BIN: undefined,
      HEAPBEAT_STATE: undefined,
      HEAPBEAT_LOG_FORMAT: process.env.HEAPBEAT_LOG_FORMAT ?? "text",
    },
    onLine: (text) => logOutput("server", text),
  }),
);
logStep(`starting the edge (log: ${logPath})`);
supervise(startEdge({ config, port: edgePort, stateDir, onLine: (text) => log.write(`${text}\n`) }));
const isStopping = () => stopping;
await waitForSuccess(`http://127.0.0.1:${serverPort}/health`, isStopping).catch((error) =>
  stop(1, `${error.message}; its log is above`),
);
await waitForSuccess(`http://127.0.0.1:${edgePort}/api/v1/status`, isStopping).catch((error) =>
  stop(1, `${error.message}; see ${logPath}`),
);

const first = await sendTick(edgePort).catch((error) => stop(1, `${error.message}; see ${logPath}`));
logStep(`first probe stored: ${first.monitors.map(describeMonitor).join("; ")}`);
console.log();
logNote(`edge     ${edgeUrl}/            the status page`);
logNote(`         ${edgeUrl}/api/v1/status`);
logNote(`server   ${serverUrl}/health`);
if (IS_BUILT) logCommands();
else logNote("The command line, target/quick/heapbeat, is compiled now; its commands follow.");
console.log();
logNote(`One tick every ${tickSeconds} s. The history is kept in ${stateDir}. Ctrl-C stops server and edge.`);
console.log();

const commandLine = new CargoBuild("command line", ["build", "--locked", ...COMMAND_LINE.buildArgs], {
  expectedCrates: 0,
  slowCrates: 0,
});
if (!IS_BUILT) {
  commandLine
    .run()
    .then(logCommands, (error) => !stopping && logNote(`${COMMAND_LINE.program} was not built: ${error.message}`));
}

let last = first.monitors.map((/** @type {any} */ monitor) => monitor.state).join();
while (!stopping) {
  await new Promise((resolve) => setTimeout(resolve, tickSeconds * 1000));
  if (stopping) break;
  const status = await sendTick(edgePort).catch((error) => {
    logOutput("edge", `the tick failed: ${error.message}`);
  });
  if (!status) continue;
  const now = status.monitors.map((/** @type {any} */ monitor) => monitor.state).join();
  if (now !== last) logOutput("edge", status.monitors.map(describeMonitor).join("; "));
  last = now;
}
