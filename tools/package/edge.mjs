// The package `heapbeat-edge` for npm: the built Worker, its assets, and the command that deploys it. The files keep the paths that they
// have in the repository, so that the same modules run in both.

import { existsSync, globSync } from "node:fs";
import { fail } from "../log.mjs";
import { packNpm, toolVersion } from "./npm.mjs";
import { PROJECT } from "./project.mjs";

/** What the package is made of. */
const FILES = [
  "edge/build/index.js",
  "edge/build/index_bg.wasm",
  "edge/assets/**/*",
  "edge/assets/_headers",
  "tools/edge/*.mjs",
  "tools/{env,log,process,push-keys}.mjs",
  "wrangler.toml",
];

const description = {
  name: "heapbeat-edge",
  version: PROJECT.version,
  description: PROJECT.edgeDescription,
  license: PROJECT.license,
  repository: { type: "git", url: `git+${PROJECT.repository}.git` },
  homepage: PROJECT.repository,
  bugs: `${PROJECT.repository}/issues`,
  keywords: ["status-page", "monitoring", "uptime", "cloudflare-workers", "memory", "out-of-memory", "health-check"],
  type: "module",
  bin: { "heapbeat-edge": "tools/edge/heapbeat-edge.mjs" },
  engines: { node: ">=22.12" },
  dependencies: { "smol-toml": toolVersion("smol-toml"), wrangler: toolVersion("wrangler") },
};

/** Packs the edge. Returns the path of the tarball. @param {{ work: string, destination: string }} directories */
export async function packEdge(directories) {
  const paths = [...new Set(FILES.flatMap((pattern) => globSync(pattern)))].filter((path) =>
    /\.\w+$|_headers$/.test(path),
  );
  for (const path of ["edge/build/index_bg.wasm", "edge/assets/api.html"]) {
    if (!existsSync(path)) fail(`${path} is missing: run make wasm`);
  }
  /** @type {[string, string][]} */
  const files = [...paths.map((path) => /** @type {[string, string]} */ ([path, path])), [README, "README.md"]];
  return packNpm(description, files, directories);
}

const README = "tools/package/edge/README.md";
