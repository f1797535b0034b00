// The configuration of the local edge: that of wrangler.toml, but for what it watches and how often.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "smol-toml";

/**
 * Writes the configuration for wrangler and returns its path.
 * @param {{ server: number, tickSeconds: number, state: string }} settings
 */
export function writeDevConfig({ server, tickSeconds, state }) {
  /** @type {any} */
  const config = parse(readFileSync("wrangler.toml", "utf8"));
  const monitor = {
    id: "api",
    name: "API",
    kind: "heapbeat",
    url: `http://127.0.0.1:${server}/health`,
    interval: `${tickSeconds}s`,
    timeout: "4s",
    group: "Backend",
  };
  const local = {
    name: config.name,
    main: resolve("edge/build/index.js"),
    compatibility_date: config.compatibility_date,
    compatibility_flags: config.compatibility_flags,
    rules: config.rules,
    assets: { ...config.assets, directory: resolve(config.assets.directory) },
    durable_objects: config.durable_objects,
    migrations: config.migrations,
    vars: { ...config.vars, MONITORS: [monitor], ALLOW_PRIVATE_TARGETS: "true", ANSWERS_KEPT: "0s" },
  };
  mkdirSync(state, { recursive: true });
  const path = join(state, "wrangler.json");
  writeFileSync(path, JSON.stringify(local, null, 2));
  return path;
}
