// `heapbeat-edge dev`: runs the edge of this folder on this machine, and sends the ticks that Cloudflare's cron trigger would send.

import { createWriteStream, existsSync } from "node:fs";
import { join } from "node:path";
import { readEnv } from "../env.mjs";
import { fail, logNote, logOutput, logStep } from "../log.mjs";
import { END_SIGNALS } from "../process.mjs";
import { copySecrets, describeProblem, readProblems } from "./config-check.mjs";
import { writeDevConfig } from "./dev-config.mjs";
import { claimStateDir } from "./dev-lock.mjs";
import { describeTakenPort } from "./free-port.mjs";
import { describeMonitor, sendTick, startEdge, waitForSuccess } from "./local-edge.mjs";

/** Runs until SIGINT or SIGTERM. */
export async function runLocally() {
  if (!existsSync("wrangler.toml")) fail("there is no wrangler.toml here: make one with npx heapbeat-edge init", 2);
  const { edgePort, tickSeconds, stateDir } = readEnv();
  const obstacle =
    (await claimStateDir(stateDir)) ?? (await describeTakenPort(edgePort, "EDGE_PORT", "npx heapbeat-edge dev"));
  if (obstacle) fail(obstacle, 2);
  const config = writeDevConfig({ stateDir });
  const token = copySecrets(stateDir);
  const logPath = join(stateDir, "wrangler.log");
  const log = createWriteStream(logPath);
  logStep(`starting the edge (log: ${logPath})`);
  const edge = startEdge({ config, port: edgePort, stateDir, onLine: (text) => log.write(`${text}\n`) });
  let stopping = false;
  const stop = async (/** @type {number} */ code) => {
    if (stopping) return;
    stopping = true;
    await edge.stop();
    process.exit(code);
  };
  for (const signal of END_SIGNALS) process.on(signal, () => stop(0));
  edge.exit.then((description) => {
    if (!stopping) fail(`${description}; see ${logPath}`);
  });
  const url = `http://127.0.0.1:${edgePort}`;
  await waitForSuccess(`${url}/api/v1/status`, () => stopping).catch((error) => {
    logNote(`${error.message}; see ${logPath}`);
    return stop(1);
  });
  if (!stopping) await logProblems(edgePort, token);
  logNote(`edge     http://localhost:${edgePort}/            the status page`);
  logNote(`One tick every ${tickSeconds} s. The history is kept in ${stateDir}. Ctrl-C stops the edge.`);
  let last = "";
  while (!stopping) {
    const status = await sendTick(edgePort).catch((error) => {
      if (!stopping) logOutput("edge", `the tick failed: ${error.message}`);
    });
    const now = status ? status.monitors.map((/** @type {any} */ monitor) => monitor.state).join() : last;
    if (status && now !== last) logOutput("edge", status.monitors.map(describeMonitor).join("; "));
    last = now;
    await new Promise((resolve) => setTimeout(resolve, tickSeconds * 1000));
  }
}

/** Prints what is wrong with the settings. The edge runs without what it rejected. @param {number} port @param {string} token */
async function logProblems(port, token) {
  const problems = await readProblems(port, token).catch((error) => {
    logNote(error.message);
    return [];
  });
  if (problems.length === 0) return;
  logStep(problems.length === 1 ? "a problem in the settings" : `${problems.length} problems in the settings`);
  for (const problem of problems) logNote(describeProblem(problem));
  logNote("The edge runs without what it rejected. Correct wrangler.toml and start again; deploy refuses it as it is.");
}
