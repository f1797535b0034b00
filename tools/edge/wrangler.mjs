// wrangler, Cloudflare's command line, as npm has installed it beside these modules.

import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fail } from "../log.mjs";

/** Variables of every call. */
export const WRANGLER_ENV = { WRANGLER_SEND_METRICS: "false" };

/** The command line of a call. @param {string[]} args */
export function wranglerCommand(args) {
  const manifest = createRequire(import.meta.url).resolve("wrangler/package.json");
  return [process.execPath, join(dirname(manifest), "bin/wrangler.js"), ...args];
}

/** Runs wrangler in this terminal, and exits if it fails. @param {string[]} args */
export function runWrangler(...args) {
  const [program, ...rest] = wranglerCommand(args);
  const { status } = spawnSync(program, rest, { stdio: "inherit", env: { ...process.env, ...WRANGLER_ENV } });
  if (status !== 0) fail(`wrangler ${args[0]} failed; see above`);
}
