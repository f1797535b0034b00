// The secrets of `make run`: that which the server and the edge share, and the owner's token for the admin API. They are kept beside
// the local history and readable by their owner alone.

import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { renderSecrets } from "./project.mjs";
import { writeSecretFile } from "./secret-file.mjs";

/**
 * Returns the secret of the environment, or of an earlier run, or a new one, and keeps it.
 * @param {string} path @param {string | undefined} given
 */
function prepareSecret(path, given) {
  const kept = existsSync(path) ? readFileSync(path, "utf8").trim() : "";
  const secret = given || kept || randomBytes(32).toString("hex");
  writeSecretFile(path, `${secret}\n`);
  return secret;
}

/**
 * Prepares both secrets, and writes them where wrangler reads secrets from, which keeps them out of wrangler's log.
 * @param {string} stateDir the directory of the local history
 */
export function prepareSecrets(stateDir) {
  mkdirSync(stateDir, { recursive: true });
  const [secretPath, adminTokenPath] = [join(stateDir, "secret"), join(stateDir, "admin-token")];
  const secret = prepareSecret(secretPath, process.env.HEAPBEAT_SECRET);
  const adminToken = prepareSecret(adminTokenPath, process.env.HEAPBEAT_ADMIN_TOKEN);
  const text = renderSecrets({ HEAPBEAT_SECRET: secret, ADMIN_TOKEN: adminToken });
  writeSecretFile(join(stateDir, ".dev.vars"), text);
  return { secret, secretPath, adminTokenPath };
}
