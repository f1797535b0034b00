// What is in the packages: the checksums are those of the files, each package is for the machine that its program was built for, and the bills of
// materials name what is compiled in.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import { PROJECT } from "../../../tools/package/project.mjs";
import { makePackages, runIn } from "../support/packages.mjs";

const { version } = PROJECT;

/** The machines as an ELF file, Rust, npm and Python name them. */
const MACHINES = [
  { elf: "Advanced Micro Devices X86-64", rust: "x86_64", npm: "x64", python: "x86_64" },
  { elf: "AArch64", rust: "aarch64", npm: "arm64", python: "aarch64" },
];

/** Lists a zip archive as tar does, without the list of hashes: `wheel` gives it 664, and pip takes none of these but the bit to execute. */
const LIST_ZIP = `import stat, sys, zipfile
for it in zipfile.ZipFile(sys.argv[1]).infolist():
    if not it.filename.endswith("/RECORD"): print(stat.filemode(it.external_attr >> 16), it.filename)`;

const directory = mkdtempSync(join(tmpdir(), "heapbeat-contents-"));
/** @type {string} */ let packages;
/** @type {string[]} */ let files;

before(async () => {
  packages = await makePackages(join(directory, "dist"));
  files = readdirSync(packages);
});

after(() => rmSync(directory, { recursive: true, force: true }));

/** Unpacks a package into a folder of its own, and returns the folder. @param {string} file */
async function unpack(file) {
  const folder = join(directory, `unpacked-${basename(file)}`);
  mkdirSync(folder);
  const path = join(packages, file);
  if (file.endsWith(".whl")) await runIn(".", ["python3", "-m", "zipfile", "-e", path, folder]);
  else await runIn(".", ["tar", "--extract", "--file", path, "--directory", folder]);
  return folder;
}

/** The machine of a program, and whether it needs a C library. @param {string} path */
async function inspect(path) {
  const output = await runIn(".", ["readelf", "--wide", "-h", "-d", path], { LC_ALL: "C" });
  const elf = /^ *Machine: +(.+)$/m.exec(output)?.[1].trim();
  return { machine: MACHINES.find((it) => it.elf === elf), isStatic: !output.includes("(NEEDED)") };
}

test("the checksums are those of all files", async () => {
  await runIn(packages, ["sha256sum", "--check", "--strict", "SHA256SUMS"]);
  const lines = readFileSync(join(packages, "SHA256SUMS"), "utf8").trim().split("\n");
  assert.deepEqual(lines.map((line) => line.split("  ")[1]).sort(), files.filter((it) => it !== "SHA256SUMS").sort());
});

test("nobody but the owner may write what a package has, and no program has the rights of another user", async () => {
  for (const file of files.filter((it) => /\.(tgz|tar\.gz|whl)$/.test(it))) {
    const path = join(packages, file);
    const listing = file.endsWith(".whl")
      ? await runIn(".", ["python3", "-c", LIST_ZIP, path])
      : await runIn(".", ["tar", "--list", "--verbose", "--numeric-owner", "--file", path]);
    for (const line of listing.trim().split("\n")) {
      assert.match(line, /^(?:drwxr-xr-x|-rwxr-xr-x|-rw-r--r--) /, `${file}: ${line}`);
      assert.doesNotMatch(line, / \/|\.\.\/|\/\.(?:env|git|npmrc|dev\.vars)|\.test\./, `${file}: ${line}`);
    }
  }
});

test("each package has the program of its machine", async () => {
  const platforms = files.filter((it) => it.startsWith("heapbeat-linux-"));
  assert.ok(platforms.length > 0);
  for (const file of platforms) {
    const folder = join(await unpack(file), "package");
    const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const { machine, isStatic } = await inspect(join(folder, "heapbeat"));
    assert.deepEqual([manifest.os, manifest.cpu, manifest.version], [["linux"], [machine?.npm], version]);
    assert.deepEqual(manifest.libc, isStatic ? undefined : ["glibc"]);
    assert.equal(manifest.scripts, undefined);
    assert.equal(statSync(join(folder, "heapbeat")).mode & 0o777, 0o755);

    const triple = `${machine?.rust}-unknown-linux-${isStatic ? "musl" : "gnu"}`;
    const archive = files.find((it) => it === `heapbeat-v${version}-${triple}.tar.gz`);
    assert.ok(archive, `an archive for ${triple}: ${files}`);
    const inArchive = join(await unpack(archive), `heapbeat-v${version}-${triple}`, "heapbeat");
    assert.deepEqual(await inspect(inArchive), { machine, isStatic });

    const wheel = files.find((it) => it.endsWith(`${machine?.python}.whl`));
    assert.ok(wheel, `a wheel for ${machine?.python}: ${files}`);
    const inWheel = join(await unpack(wheel), `heapbeat-${version}.data/scripts/heapbeat`);
    assert.deepEqual(await inspect(inWheel), { machine, isStatic });
    assert.equal(/musllinux/.test(wheel), isStatic, wheel);
  }
  const main = JSON.parse(readFileSync(join(await unpack(`heapbeat-${version}.tgz`), "package/package.json"), "utf8"));
  const optional = platforms.map((file) => `@heapbeat/${file.slice("heapbeat-".length, -`-${version}.tgz`.length)}`);
  assert.deepEqual(Object.keys(main.optionalDependencies).sort(), optional.sort());
});

test("the bills of materials name what is compiled in", () => {
  const boms = files.filter((it) => it.endsWith(".cdx.json"));
  const programs = boms.filter((it) => it.startsWith("heapbeat-v"));
  assert.equal(programs.length, files.filter((it) => it.endsWith(".tar.gz")).length);
  for (const [file, name, crate] of [
    ...programs.map((it) => [it, "heapbeat", it.includes("-linux-") ? "tokio" : "sysinfo"]),
    [`heapbeat-edge-v${version}.cdx.json`, "heapbeat-edge", "worker"],
  ]) {
    const bom = JSON.parse(readFileSync(join(packages, file), "utf8"));
    assert.deepEqual(
      [bom.bomFormat, bom.metadata.component.name, bom.metadata.component.version],
      ["CycloneDX", name, version],
    );
    const { components } = bom;
    assert.ok(
      components.some((/** @type {any} */ it) => it.name === crate && it.purl === `pkg:cargo/${crate}@${it.version}`),
      file,
    );
    assert.ok(
      !components.some((/** @type {any} */ it) => it.name === "proptest"),
      "what tests use is not in a program",
    );
    const guards = components.some((/** @type {any} */ it) => it.name === "tokio");
    if (name === "heapbeat")
      assert.equal(guards, file.includes("-linux-"), "what guards programs is in those for Linux alone");
  }
});
