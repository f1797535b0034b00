// The packages for npm: `heapbeat`, which everybody installs, and one with the program for each platform, of which npm installs the one
// that fits. There is no install script, as many people forbid them, and no process of Node beside the program: `npm/heapbeat.sh`.
//
// The platforms' packages are in the scope `@heapbeat`, so that nobody else can publish one under a name that this one may ask for.

import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../log.mjs";
import { captureCommand } from "../process.mjs";
import { LICENSE_FILES, PROJECT } from "./project.mjs";

const SOURCES = "tools/package/npm";

/** The scope of the platforms' packages. */
export const SCOPE = "@heapbeat";

/** Fields that are the same in all packages. */
const COMMON = {
  version: PROJECT.version,
  license: PROJECT.license,
  repository: { type: "git", url: `git+${PROJECT.repository}.git` },
  homepage: PROJECT.repository,
  bugs: `${PROJECT.repository}/issues`,
};

/** The package.json of a platform. @param {import("./binary.mjs").Binary} binary */
export const describePlatform = ({ platform, glibc }) => ({
  name: `${SCOPE}/${platform.name}`,
  description: `The program of heapbeat for ${platform.name}. Install the package heapbeat instead.`,
  ...COMMON,
  os: [platform.os],
  cpu: [platform.cpu],
  // A static program runs with every C library.
  ...(glibc ? { libc: ["glibc"] } : {}),
  preferUnplugged: true,
  files: ["heapbeat", ...LICENSE_FILES],
});

/** The package.json of `heapbeat`. @param {import("./binary.mjs").Binary[]} binaries */
export const describeMain = (binaries) => ({
  name: "heapbeat",
  description: PROJECT.description,
  ...COMMON,
  keywords: [
    "memory",
    "memory-leak",
    "oom",
    "out-of-memory",
    "process-manager",
    "health-check",
    "render",
    "monitoring",
  ],
  bin: { heapbeat: "heapbeat.sh" },
  files: ["heapbeat.sh", ...LICENSE_FILES],
  preferUnplugged: true,
  optionalDependencies: Object.fromEntries(
    binaries.map(({ platform }) => [`${SCOPE}/${platform.name}`, PROJECT.version]),
  ),
});

/**
 * Writes a package from its description and files, and packs it. Returns the path of the tarball.
 * @param {{ name: string }} description @param {[string, string][]} files sources and their paths in the package
 * @param {{ work: string, destination: string }} directories
 */
export async function packNpm(description, files, { work, destination }) {
  const directory = join(work, description.name);
  rmSync(directory, { recursive: true, force: true });
  for (const [source, path] of [
    ...files,
    ...LICENSE_FILES.map((file) => /** @type {[string, string]} */ ([file, file])),
  ]) {
    mkdirSync(join(directory, path, ".."), { recursive: true });
    copyFileSync(source, join(directory, path));
  }
  writeFileSync(join(directory, "package.json"), `${JSON.stringify(description, null, 2)}\n`);
  for (const path of Object.values(/** @type {any} */ (description).bin ?? {})) {
    chmodSync(join(directory, /** @type {string} */ (path)), 0o755);
  }
  let output = "";
  const command = ["npm", "pack", "--json", "--ignore-scripts", "--pack-destination", destination, directory];
  await captureCommand(command, { onOutput: (text) => (output += text) }).catch((error) =>
    fail(`${output}\n${error.message}`),
  );
  return join(destination, `${description.name.replace("@", "").replace("/", "-")}-${PROJECT.version}.tgz`);
}

/**
 * Packs `heapbeat` and the packages of the platforms.
 * @param {import("./binary.mjs").Binary[]} binaries @param {{ work: string, destination: string }} directories
 */
export async function packProgram(binaries, directories) {
  const tarballs = [];
  for (const binary of binaries) {
    tarballs.push(await packNpm(describePlatform(binary), [[binary.path, "heapbeat"]], directories));
  }
  /** @type {[string, string][]} */
  const files = ["heapbeat.sh", "README.md"].map((file) => [join(SOURCES, file), file]);
  tarballs.push(await packNpm(describeMain(binaries), files, directories));
  return tarballs;
}

/** The version of a package that the tools use, from the root's package.json. @param {string} name */
export function toolVersion(name) {
  const { devDependencies } = JSON.parse(readFileSync("package.json", "utf8"));
  return `^${devDependencies[name]}`;
}
