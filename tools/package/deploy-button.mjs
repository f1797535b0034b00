// The folder that Cloudflare's deploy button copies, edge/deploy-button: what `heapbeat-edge init` writes, without monitors and secrets.
// `make package` writes it, and a test compares it.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { renderProject } from "../edge/project.mjs";
import { PROJECT } from "./project.mjs";

export const DEPLOY_BUTTON = "edge/deploy-button";

/** The files of the folder. */
export const renderDeployButton = () =>
  renderProject({
    template: readFileSync("wrangler.toml", "utf8"),
    version: PROJECT.version,
    answers: { name: "heapbeat", title: "Status", monitor: undefined },
  });

/** Writes the folder. */
export function writeDeployButton() {
  mkdirSync(DEPLOY_BUTTON, { recursive: true });
  for (const [path, text] of Object.entries(renderDeployButton())) writeFileSync(join(DEPLOY_BUTTON, path), text);
}
