// `heapbeat-edge deploy`, which is also `make deploy`: does a dry run, checks the settings, lists the monitors and secrets, asks for
// confirmation, and deploys.

import { existsSync, readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { parse } from "smol-toml";
import { fail, logNote, logStep, singleLine } from "../log.mjs";
import { checkConfig, describeProblem, missingSecret } from "./config-check.mjs";
import { askYesOrNo } from "./questions.mjs";
import { lendSecrets, SECRETS } from "./secret-file.mjs";
import { runWrangler } from "./wrangler.mjs";

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

/**
 * Checks the settings, and fails if one is wrong. Where no Worker runs, as on some machines that only build, they are deployed unchecked.
 * @param {boolean} ignoreProblems
 */
async function checkSettings(ignoreProblems) {
  logStep("settings");
  const problems = await checkConfig().catch((error) => logNote(error.message));
  if (!problems) return;
  const wrong = problems.filter((problem) => missingSecret(problem) === undefined);
  for (const problem of wrong) logNote(describeProblem(problem));
  if (wrong.length > 0 && !ignoreProblems) {
    fail("nothing was deployed: correct these settings, or deploy without them with --ignore-problems", 2);
  }
  if (wrong.length === 0) logNote("no problems");
  // A secret may have been set at Cloudflare, which cannot be seen from here.
  for (const secret of new Set(problems.map(missingSecret).filter((it) => it !== undefined))) {
    logNote(
      `the secret ${secret} is not in ${SECRETS}: unless you have set it already, npx wrangler secret put ${secret}`,
    );
  }
}

/**
 * @param {{ yes: boolean, ignoreProblems: boolean }} options `yes` deploys without a question, `ignoreProblems` without the settings that the
 *   edge rejects
 */
export async function deploy({ yes, ignoreProblems }) {
  const config = readConfig();
  if (!config.build && !existsSync(config.main)) fail(`${config.main} is missing: run npm install`, 2);
  logStep("dry run");
  runWrangler("deploy", "--dry-run");
  await checkSettings(ignoreProblems);
  logStep("monitors");
  const monitors = config.vars?.MONITORS ?? [];
  for (const { id, url, interval = "60s" } of monitors) logNote(singleLine(`${id}  ${url}  every ${interval}`));
  if (monitors.length === 0) logNote("none yet: add them to wrangler.toml");
  const secrets = existsSync(SECRETS) ? parseEnv(readFileSync(SECRETS, "utf8")) : {};
  const names = Object.keys(secrets);
  if (names.length > 0) {
    logStep("secrets");
    logNote(singleLine(`${names.join(", ")}, from ${SECRETS}`));
  }
  if (!yes) {
    if (!process.stdin.isTTY) {
      fail("nothing was deployed: without a terminal, confirm with --yes (CONFIRM=yes make deploy)", 2);
    }
    if (!(await askYesOrNo("Deploy to Cloudflare?"))) fail("nothing was deployed", 0);
  }
  runWrangler("deploy", ...(names.length > 0 ? ["--secrets-file", lendSecrets(secrets)] : []));
}
