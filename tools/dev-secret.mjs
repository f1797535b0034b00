// The secret that the local server and the local edge share. It is kept beside the local history and readable by its owner alone.

import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Returns the secret of the environment, or of an earlier run, or a new one, and writes it where wrangler reads secrets from,
 * which keeps it out of wrangler's log.
 * @param {string} stateDir the directory of the local history
 */
export function prepareSecret(stateDir) {
  const path = join(stateDir, "secret");
  const kept = existsSync(path) ? readFileSync(path, "utf8").trim() : "";
  const secret = process.env.HEAPBEAT_SECRET || kept || randomBytes(32).toString("hex");
  mkdirSync(stateDir, { recursive: true });
  const ownerOnly = { mode: 0o600 };
  writeFileSync(path, `${secret}\n`, ownerOnly);
  writeFileSync(join(stateDir, ".dev.vars"), `HEAPBEAT_SECRET=${JSON.stringify(secret)}\n`, ownerOnly);
  return { secret, path };
}
