// The secret that the two local halves share: made once, kept beside the local history, readable by its owner alone.

import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * The secret of the environment, or the one of an earlier run, or a new one. Left where wrangler looks for secrets, which
 * keeps it out of its log.
 * @param {string} state the directory of the local history
 */
export function devSecret(state) {
  const path = join(state, "secret");
  const kept = existsSync(path) ? readFileSync(path, "utf8").trim() : "";
  const secret = process.env.HEAPBEAT_SECRET || kept || randomBytes(32).toString("hex");
  mkdirSync(state, { recursive: true });
  const mine = { mode: 0o600 };
  writeFileSync(path, `${secret}\n`, mine);
  writeFileSync(join(state, ".dev.vars"), `HEAPBEAT_SECRET=${JSON.stringify(secret)}\n`, mine);
  return { secret, path };
}
