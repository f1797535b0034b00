// The configuration of the edge on this machine: wrangler.toml without what only a deployment needs.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "smol-toml";

/** The monitor of a server on this machine. @param {number} port @param {number} tickSeconds */
export const localMonitor = (port, tickSeconds) => ({
  id: "api",
  name: "API",
  kind: "heapbeat",
  url: `http://127.0.0.1:${port}/health`,
  interval: `${tickSeconds}s`,
  timeout: "4s",
  group: "Backend",
});

/**
 * Writes the configuration for wrangler and returns its path.
 * @param {{ monitors?: object[], stateDir: string, isLocal?: boolean }} settings `monitors` replaces those of wrangler.toml; `isLocal` allows
 *   private addresses, and disables the cache
 */
export function writeDevConfig({ monitors, stateDir, isLocal = true }) {
  /** @type {any} */
  const config = parse(readFileSync("wrangler.toml", "utf8"));
  const local = {
    name: config.name,
    main: resolve(config.main),
    compatibility_date: config.compatibility_date,
    compatibility_flags: config.compatibility_flags,
    rules: config.rules,
    assets: { ...config.assets, directory: resolve(config.assets.directory) },
    durable_objects: config.durable_objects,
    migrations: config.migrations,
    vars: {
      ...config.vars,
      ...(monitors && { MONITORS: monitors }),
      ...(isLocal && { ALLOW_PRIVATE_TARGETS: "true", CACHE_TTL: "0s" }),
    },
  };
  mkdirSync(stateDir, { recursive: true });
  const path = join(stateDir, "wrangler.json");
  writeFileSync(path, JSON.stringify(local, null, 2));
  return path;
}
