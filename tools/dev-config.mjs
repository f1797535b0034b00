// The configuration of the local edge: wrangler.toml with the local server as its only monitor.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "smol-toml";

/**
 * Writes the configuration for wrangler and returns its path.
 * @param {{ serverPort: number, tickSeconds: number, stateDir: string }} settings
 */
export function writeDevConfig({ serverPort, tickSeconds, stateDir }) {
  /** @type {any} */
  const config = parse(readFileSync("wrangler.toml", "utf8"));
  const monitor = {
    id: "api",
    name: "API",
    kind: "heapbeat",
    url: `http://127.0.0.1:${serverPort}/health`,
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
    vars: { ...config.vars, MONITORS: [monitor], ALLOW_PRIVATE_TARGETS: "true", CACHE_TTL: "0s" },
  };
  mkdirSync(stateDir, { recursive: true });
  const path = join(stateDir, "wrangler.json");
  writeFileSync(path, JSON.stringify(local, null, 2));
  return path;
}
