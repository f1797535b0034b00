// Installs the npm packages when package.json or package-lock.json has changed since.

import { existsSync, statSync, writeFileSync } from "node:fs";
import { captureCommand } from "./process.mjs";

const STAMP = "node_modules/.heapbeat-stamp";

const modified = (/** @type {string} */ path) => statSync(path).mtimeMs;

/** Throws, with npm's output, if it fails. */
export async function installPackages() {
  if (existsSync(STAMP) && modified(STAMP) > Math.max(modified("package.json"), modified("package-lock.json"))) return;
  let output = "";
  try {
    await captureCommand(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], {
      onOutput: (text) => {
        output += text;
      },
    });
  } catch (error) {
    const hint = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|ETIMEDOUT|network/i.test(output)
      ? "\nnpm could not download packages: check the network connection"
      : "";
    throw new Error(`${output.trim()}\n${/** @type {Error} */ (error).message}${hint}`);
  }
  writeFileSync(STAMP, "");
}
