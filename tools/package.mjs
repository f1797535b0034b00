// `make package`: the packages of npm and PyPI, archives of the program, bills of materials and checksums, in dist/.
//
//   package.mjs                       the program in target/release, for this machine
//   HEAPBEAT_BINARIES=a,b make package   these programs, each for the platform that it was built for
//
// The edge is taken from edge/build, which `make wasm` builds.

import { mkdirSync, rmSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { logNote, logStep } from "./log.mjs";
import { packArchive, writeChecksums } from "./package/archive.mjs";
import { guardsPrograms, prepareBinary, sizeOf } from "./package/binary.mjs";
import { writeDeployButton } from "./package/deploy-button.mjs";
import { packEdge } from "./package/edge.mjs";
import { packProgram } from "./package/npm.mjs";
import { PROJECT } from "./package/project.mjs";
import { writeBom } from "./package/sbom.mjs";
import { packWheel } from "./package/wheel.mjs";
import { WASM_TARGET } from "./programs.mjs";

// The permissions in a package are the same whoever makes it: no group may write.
process.umask(0o022);
const sources = (process.env.HEAPBEAT_BINARIES || "target/release/heapbeat").split(",").filter(Boolean);
const destination = resolve(process.env.HEAPBEAT_DIST || "dist");
const work = resolve("target/package");

rmSync(destination, { recursive: true, force: true });
for (const directory of [destination, work]) mkdirSync(directory, { recursive: true });
const directories = { work, destination };

logStep(`packages of heapbeat ${PROJECT.version}`);
const binaries = sources.map((source) => prepareBinary(source, join(work, "binaries")));
const guarding = binaries.filter(guardsPrograms);
const wheels = [];
for (const binary of guarding) wheels.push(await packWheel(binary, directories));
const boms = binaries.map(({ triple }) =>
  writeBom({
    ...{ name: "heapbeat-cli", label: "heapbeat", target: triple },
    path: join(destination, `heapbeat-v${PROJECT.version}-${triple}.cdx.json`),
  }),
);
const edgeBom = join(destination, `heapbeat-edge-v${PROJECT.version}.cdx.json`);
boms.push(writeBom({ name: "heapbeat-edge", label: "heapbeat-edge", target: WASM_TARGET, path: edgeBom }));
const packages = [
  ...binaries.map((binary) => packArchive(binary, directories)),
  ...(await packProgram(guarding, directories)),
  await packEdge(directories),
  ...wheels,
  ...boms,
];
writeChecksums(packages, destination);
if (!process.env.HEAPBEAT_DIST) writeDeployButton();

const megabytes = (/** @type {string} */ path) => `${(sizeOf(path) / 1e6).toFixed(2).padStart(8)} MB`;
for (const { path, platform, glibc } of binaries) {
  const libraries = platform.os === "linux" ? (glibc ? `, with glibc ${glibc} or later` : ", static") : "";
  logNote(`${megabytes(path)}  the program for ${platform.name}${libraries}`);
}
for (const path of packages) logNote(`${megabytes(path)}  ${basename(path)}`);
