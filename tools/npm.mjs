// Installs the npm packages, unless they were installed for the same package.json and package-lock.json.

import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { captureCommand } from "./process.mjs";

const STAMP = "node_modules/.heapbeat-stamp";

/** A hash of what npm installs from. */
function hashInputs() {
  const hash = createHash("sha256");
  for (const path of ["package.json", "package-lock.json"]) hash.update(readFileSync(path));
  return hash.digest("hex");
}

/** Throws, with npm's output, if it fails. */
export async function installPackages() {
  const inputs = hashInputs();
  if (existsSync(STAMP) && readFileSync(STAMP, "utf8") === inputs) return;
  let output = "";
  try {
    await captureCommand(["npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"], {
      onOutput: (text) => {
        output += text;
      },
    });
  } catch (error) {
    const [reason] = /\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|ETIMEDOUT|ENOTCACHED)\b/.exec(output) ?? [];
    if (reason) throw new Error(`npm could not download packages: check the network connection (${reason})`);
    throw new Error(`${output.trim()}\n${/** @type {Error} */ (error).message}`);
  }
  writeFileSync(STAMP, inputs);
}
