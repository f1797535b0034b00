// Archives of the program, and the checksums of all packages.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fail } from "../log.mjs";
import { fileName } from "./binary.mjs";
import { LICENSE_FILES, PROJECT, sourceDate } from "./project.mjs";

/**
 * Packs a program, the license and README into a tar.gz whose bytes depend on its content only. Returns its path, by which cargo-binstall
 * finds it (`[package.metadata.binstall]` in server/cli/Cargo.toml).
 * @param {import("./binary.mjs").Binary} binary @param {{ work: string, destination: string }} directories
 */
export function packArchive(binary, { work, destination }) {
  const name = `heapbeat-v${PROJECT.version}-${binary.triple}`;
  const directory = join(work, "archive", name);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const file of [...LICENSE_FILES, "README.md", "CHANGELOG.md"]) copyFileSync(file, join(directory, file));
  copyFileSync(binary.path, join(directory, fileName(binary)));
  const path = join(destination, `${name}.tar.gz`);
  const same = [
    "--sort=name",
    "--owner=0",
    "--group=0",
    "--numeric-owner",
    "--mode=u=rwX,go=rX",
    `--mtime=@${sourceDate()}`,
  ];
  const command = [...same, "--use-compress-program=gzip -9n", "-cf", path, "-C", join(directory, ".."), name];
  const { status, stderr } = spawnSync("tar", command, { encoding: "utf8" });
  if (status !== 0) fail(`tar: ${stderr.trim()}`);
  return path;
}

/** Writes the checksums in the format of `sha256sum --check`. @param {string[]} paths @param {string} directory */
export function writeChecksums(paths, directory) {
  const lines = paths.map((path) => {
    const hash = createHash("sha256").update(readFileSync(path)).digest("hex");
    return `${hash}  ${basename(path)}\n`;
  });
  const path = join(directory, "SHA256SUMS");
  writeFileSync(path, lines.sort().join(""));
  return path;
}
