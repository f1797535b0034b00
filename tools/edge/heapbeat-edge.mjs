#!/usr/bin/env node
// The command `heapbeat-edge`, in the package of this name and in the repository: a status page on Cloudflare, without Rust.

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { fail, logError } from "../log.mjs";
import { describeOldNode } from "./node-version.mjs";

/** The folder of the package, or of the repository, which have the same layout. */
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const HELP = `A status page on Cloudflare that watches your backend

Usage: heapbeat-edge <command>

Commands:
  init [FOLDER]   asks for the backend's address and a title, and writes wrangler.toml and the secrets
                  --backend URL, --title TEXT and --name WORKER answer the questions; --no-install leaves npm install to you
                  HEAPBEAT_SECRET in the environment is used instead of a new secret
  dev             runs the edge of this folder on this machine; EDGE_PORT (8787), TICK (60s) and HEAPBEAT_STATE (.heapbeat) change
                  port, interval and the folder of the history
  deploy          puts it on Cloudflare, after a dry run and a check of the settings; --yes does so without a question, and
                  --ignore-problems without the settings that the edge rejects
  push-keys       generates the keys of web push notifications
`;

/** @returns {string} */
function readVersion() {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  return version ?? fail("the repository is not a package: make package makes one", 2);
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      allowNegative: true,
      options: {
        backend: { type: "string" },
        title: { type: "string" },
        name: { type: "string" },
        install: { type: "boolean", default: true },
        "ignore-problems": { type: "boolean", default: false },
        yes: { type: "boolean", short: "y", default: process.env.CONFIRM === "yes" },
        help: { type: "boolean", short: "h" },
        version: { type: "boolean" },
      },
    });
  } catch (error) {
    return fail(/** @type {Error} */ (error).message, 2);
  }
}

const { values, positionals } = readArguments();
const [command, folder, ...rest] = positionals;
const oldNode = describeOldNode(process.versions.node);
if (values.version) {
  console.log(readVersion());
} else if (values.help || command === undefined) {
  console.log(HELP);
} else if (rest.length > 0 || (folder !== undefined && command !== "init")) {
  fail(`${command} does not take "${rest[0] ?? folder}"; see heapbeat-edge --help`, 2);
} else if (oldNode && (command === "dev" || command === "deploy")) {
  fail(oldNode, 2);
} else if (command === "init") {
  if (oldNode) logError(oldNode);
  const { init } = await import("./init.mjs");
  await init({ ...values, directory: resolve(folder ?? "."), root: ROOT, version: readVersion() });
} else if (command === "dev") {
  const { runLocally } = await import("./dev.mjs");
  await runLocally();
} else if (command === "deploy") {
  const { deploy } = await import("./deploy.mjs");
  await deploy({ yes: values.yes, ignoreProblems: values["ignore-problems"] });
} else if (command === "push-keys") {
  await import("../push-keys.mjs");
} else {
  fail(`unknown command "${command}"; see heapbeat-edge --help`, 2);
}
