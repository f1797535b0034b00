// `heapbeat-edge deploy`, which is also `make deploy`: does a dry run, lists the monitors and secrets, asks for confirmation, and deploys.

import { existsSync, readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { parse } from "smol-toml";
import { fail, logNote, logStep } from "../log.mjs";
import { askYesOrNo } from "./questions.mjs";
import { runWrangler } from "./wrangler.mjs";

/** The file with the secrets of a project that `heapbeat-edge init` has made. */
const SECRETS = ".dev.vars";

/** Reads wrangler.toml, and fails if it cannot be deployed as it is. @returns {any} */
function readConfig() {
  if (!existsSync("wrangler.toml")) fail("there is no wrangler.toml here: make one with npx heapbeat-edge init", 2);
  /** @type {any} */
  const config = parse(readFileSync("wrangler.toml", "utf8"));
  const monitors = config.vars?.MONITORS ?? [];
  const example = monitors.find((/** @type {any} */ monitor) => /\bexample\.com\b/.test(monitor.url ?? ""));
  if (example) {
    fail(`wrangler.toml still has the example ${example.url}: replace it by the address of your own backend`, 2);
  }
  return config;
}

/** @param {{ yes: boolean }} options `yes` deploys without a question */
export async function deploy({ yes }) {
  const config = readConfig();
  if (!config.build && !existsSync(config.main)) fail(`${config.main} is missing: run npm install`, 2);
  logStep("dry run");
  runWrangler("deploy", "--dry-run");
  logStep("monitors");
  const monitors = config.vars?.MONITORS ?? [];
  for (const monitor of monitors) logNote(`${monitor.id}  ${monitor.url}  every ${monitor.interval ?? "60s"}`);
  if (monitors.length === 0) logNote("none yet: add them to wrangler.toml");
  const secrets = existsSync(SECRETS) ? Object.keys(parseEnv(readFileSync(SECRETS, "utf8"))) : [];
  if (secrets.length > 0) {
    logStep("secrets");
    logNote(`${secrets.join(", ")}, from ${SECRETS}`);
  }
  if (!yes) {
    if (!process.stdin.isTTY) {
      fail("nothing was deployed: without a terminal, confirm with --yes (CONFIRM=yes make deploy)", 2);
    }
    if (!(await askYesOrNo("Deploy to Cloudflare?"))) fail("nothing was deployed", 0);
  }
  runWrangler("deploy", ...(secrets.length > 0 ? ["--secrets-file", SECRETS] : []));
}
