// `make deploy`: does a dry run, lists the monitors, asks for confirmation, and deploys.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { parse } from "smol-toml";
import { fail, logNote, logStep } from "./log.mjs";

/** @param {string[]} args */
function wrangler(...args) {
  const { status } = spawnSync(process.execPath, ["node_modules/wrangler/bin/wrangler.js", ...args], {
    stdio: "inherit",
    env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
  });
  if (status !== 0) fail(`wrangler ${args[0]} failed; see above`);
}

/** @type {any} */
const config = parse(readFileSync("wrangler.toml", "utf8"));
const monitors = config.vars?.MONITORS ?? [];
const examples = monitors.filter((/** @type {any} */ monitor) => /\bexample\.com\b/.test(monitor.url ?? ""));
if (examples.length > 0) {
  fail(`wrangler.toml still has the example ${examples[0].url}: replace it by the address of your own backend`, 2);
}

logStep("dry run");
wrangler("deploy", "--dry-run");
logStep("monitors");
for (const monitor of monitors) logNote(`${monitor.id}  ${monitor.url}  every ${monitor.interval ?? "60s"}`);

if (process.env.CONFIRM !== "yes") {
  if (!process.stdin.isTTY) fail("nothing was deployed: without a terminal, confirm with CONFIRM=yes make deploy", 2);
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question("Deploy to Cloudflare? [y/N] ");
  terminal.close();
  if (!/^y(es)?$/i.test(answer.trim())) fail("nothing was deployed", 0);
}
wrangler("deploy");
