// What the packages say of themselves, from what their program needs; what `heapbeat-edge init` writes; and the rules about versions.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "node:test";
import { parse } from "smol-toml";
import { parseAddress, recognizeBackend } from "../edge/backend.mjs";
import { renderConfig } from "../edge/project.mjs";
import { findOtherAddresses, findVersionProblems, releaseNotes } from "../lint/version-problems.mjs";
import { packArchive } from "./archive.mjs";
import { fileName, guardsPrograms, parseElf, parseForeign } from "./binary.mjs";
import { DEPLOY_BUTTON, renderDeployButton } from "./deploy-button.mjs";
import { describeMain, describePlatform } from "./npm.mjs";
import { PROJECT } from "./project.mjs";
import { collectCrates, makeBom, parseTree } from "./sbom.mjs";
import { wheelTags } from "./wheel.mjs";

const X64 = "  Machine:                           Advanced Micro Devices X86-64\n";
const ARM64 = "  Machine:                           AArch64\n";
const NEEDED = " 0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]\n";

test("the platform and the C library are read from the program", () => {
  const dynamic = parseElf(`${X64}${NEEDED}  Name: GLIBC_2.9  Flags: none\n  Name: GLIBC_2.35\n  Name: GLIBC_2.4\n`);
  assert.equal(dynamic.platform.name, "linux-x64");
  assert.equal(dynamic.glibc, "2.35", "versions are compared as numbers");
  assert.equal(dynamic.triple, "x86_64-unknown-linux-gnu");
  const fixed = parseElf(ARM64);
  assert.equal(fixed.glibc, undefined);
  assert.equal(fixed.triple, "aarch64-unknown-linux-musl");
  assert.throws(() => parseElf("  Machine: RISC-V\n"), /machine "RISC-V"/);
  assert.throws(() => parseElf(X64 + NEEDED), /link it statically/);
});

test("programs of macOS and Windows are recognized, and guard nothing", () => {
  const apple = (/** @type {number} */ machine) => {
    const content = Buffer.alloc(64);
    content.writeUInt32LE(0xfeed_facf, 0);
    content.writeUInt32LE(machine, 4);
    return content;
  };
  const windows = (/** @type {number} */ machine) => {
    const content = Buffer.alloc(256);
    content.write("MZ");
    content.writeUInt32LE(0x80, 0x3c);
    content.write("PE\0\0", 0x80);
    content.writeUInt16LE(machine, 0x84);
    return content;
  };
  const cases = /** @type {const} */ ([
    [apple(0x0100_000c), "darwin-arm64", "aarch64-apple-darwin", "heapbeat"],
    [apple(0x0100_0007), "darwin-x64", "x86_64-apple-darwin", "heapbeat"],
    [windows(0x8664), "win32-x64", "x86_64-pc-windows-gnu", "heapbeat.exe"],
  ]);
  for (const [content, name, triple, file] of cases) {
    const found = parseForeign(content);
    assert.ok(found, name);
    assert.deepEqual([found.platform.name, found.triple, fileName(found)], [name, triple, file]);
    assert.ok(!guardsPrograms({ path: "", ...found }));
  }
  for (const content of [apple(7), windows(0xaa64), Buffer.from("\x7fELF\x02\x01\x01\x00\x00")]) {
    assert.equal(parseForeign(content), undefined);
  }
  assert.ok(guardsPrograms({ path: "", ...parseElf(X64) }));
});

test("packages fit where the program runs, and nowhere else", () => {
  const dynamic = { path: "", ...parseElf(`${X64}${NEEDED}GLIBC_2.35`) };
  const fixed = { path: "", ...parseElf(ARM64) };
  assert.deepEqual(wheelTags(dynamic), ["manylinux_2_35_x86_64"]);
  assert.deepEqual(wheelTags(fixed), ["manylinux_2_17_aarch64", "manylinux2014_aarch64", "musllinux_1_1_aarch64"]);
  assert.deepEqual(/** @type {any} */ (describePlatform(dynamic)).libc, ["glibc"]);
  assert.ok(!("libc" in describePlatform(fixed)));
  const main = describeMain([dynamic, fixed]);
  assert.deepEqual(Object.keys(main.optionalDependencies), ["@heapbeat/linux-x64", "@heapbeat/linux-arm64"]);
  assert.ok(!("scripts" in main));
});

test("the platforms of the script are those of the packages", () => {
  const script = readFileSync("tools/package/npm/heapbeat.sh", "utf8");
  const names = [...script.matchAll(/platform=(linux-\w+)/g)].map(([, name]) => name);
  assert.deepEqual(
    names,
    [X64, ARM64].map((machine) => parseElf(machine).platform.name),
  );
});

test("a bill of materials has what is compiled in, and not what tests or build scripts use", () => {
  const crate = (/** @type {string} */ name, source = "registry", kind = "lib") => ({
    ...{
      id: name,
      name,
      version: "1.0.0",
      source: source || null,
      license: "MIT/Apache-2.0",
      targets: [{ kind: [kind] }],
    },
  });
  const uses = (/** @type {string} */ pkg, /** @type {string | null} */ kind = null) => ({
    pkg,
    dep_kinds: [{ kind }],
  });
  const metadata = {
    packages: [
      crate("app", ""),
      crate("a"),
      crate("b"),
      crate("macro", "registry", "proc-macro"),
      crate("test"),
      crate("other-system"),
    ],
    resolve: {
      nodes: [
        {
          id: "app",
          deps: [uses("a"), uses("macro"), uses("test", "dev"), uses("test", "build"), uses("other-system")],
        },
        { id: "a", deps: [uses("b")] },
        { id: "b", deps: [] },
        { id: "macro", deps: [] },
      ],
    },
  };
  const compiled = parseTree(
    "app v1.0.0 (/work/app)\na v1.0.0\nb v1.0.0\nmacro v1.0.0 (proc-macro)\na v1.0.0 (*)\ntest v1.0.0\n",
  );
  assert.deepEqual([...collectCrates(metadata, "app", compiled).crates.keys()].sort(), ["a", "app", "b", "macro"]);
  const bom = makeBom(metadata, compiled, "app", "program");
  assert.equal(bom.metadata.component?.name, "program");
  const scopes = Object.fromEntries([...bom.components].map((it) => [it.name, it.scope]));
  assert.deepEqual(scopes, { a: undefined, b: undefined, macro: "excluded" });
});

test("addresses of backends", () => {
  const cases = [
    ["https://api.example.com", "https://api.example.com/"],
    ["api.example.com/status", "https://api.example.com/status"],
    [" http://127.0.0.1:3000 ", "http://127.0.0.1:3000/"],
    ["", /is missing/],
    ["ftp://example.com", /is no address/],
    ["https://me:secret@example.com", /has a password in it/],
  ];
  for (const [address, expected] of cases) {
    const parsed = parseAddress(String(address));
    if (expected instanceof RegExp) assert.match("problem" in parsed ? parsed.problem : "", expected);
    else assert.equal("url" in parsed ? parsed.url.href : parsed.problem, expected);
  }
});

test("a backend is recognized by its answer", async () => {
  const health = '{"status":"healthy","memory":{"rss":26,"heapUsed":4,"heapTotal":6,"external":2},"uptime":1}';
  const origin = new URL("https://api.example.com");
  const answer = (/** @type {string} */ body) => () => Promise.resolve(new Response(body));
  const known = await recognizeBackend(origin, answer(health));
  assert.deepEqual([known.kind, known.url], ["heapbeat", "https://api.example.com/health"]);
  for (const body of ["<html>", '{"status":"ok"}', "null"]) {
    const other = await recognizeBackend(origin, answer(body));
    assert.deepEqual([other.kind, other.url], ["http", "https://api.example.com/"], body);
  }
  const silent = await recognizeBackend(origin, () => Promise.reject(new TypeError("fetch failed")));
  assert.equal(silent.kind, "heapbeat");
  assert.match(silent.note, /does not answer \(fetch failed\)/);
});

test("a title cannot leave its place in wrangler.toml", () => {
  const title = 'Shop "1"\n[vars]\nADMIN_TOKEN = "x" # \\';
  const monitor = /** @type {const} */ ({ kind: "http", url: 'https://example.org/"x' });
  const config = /** @type {any} */ (
    parse(renderConfig(readFileSync("wrangler.toml", "utf8"), { name: "shop", title, monitor }))
  );
  assert.equal(config.vars.PAGE.title, title);
  assert.deepEqual(Object.keys(config.vars), ["PAGE", "MONITORS"]);
  assert.equal(config.vars.MONITORS[0].url, monitor.url);
  assert.equal(config.vars.MONITORS[0].kind, "http");
  assert.equal(config.build, undefined);
});

test("the folder of the deploy button is what init writes (make package writes it)", () => {
  for (const [path, text] of Object.entries(renderDeployButton())) {
    assert.equal(readFileSync(join(DEPLOY_BUTTON, path), "utf8"), text, path);
  }
  const config = /** @type {any} */ (parse(readFileSync(join(DEPLOY_BUTTON, "wrangler.toml"), "utf8")));
  assert.equal(config.vars.MONITORS, undefined, "an example would be refused");
});

test("versions and what crates.io shows", () => {
  const inherited = Object.fromEntries(
    ["version", "edition", "rust-version", "license", "repository"].map((field) => [field, { workspace: true }]),
  );
  const shown = { description: "d", readme: "r", keywords: ["k"], categories: ["c"] };
  const published = { package: { ...inherited, ...shown }, dependencies: { other: { workspace: true } } };
  const internal = { package: { ...inherited, publish: { workspace: true } } };
  const workspace = { package: { version: "1.2.3" }, dependencies: { other: { path: "other", version: "1.2.3" } } };
  const project = {
    workspace,
    manifests: { app: published, other: { package: published.package } },
    locked: [
      { name: "axum", version: "0.8.9" },
      { name: "toml", version: "0.9.1" },
      { name: "toml", version: "1.2.2+spec-1.1.0" },
    ],
    changelog: "## Unreleased\n\nA\n",
  };
  assert.deepEqual(findVersionProblems(project), []);
  const old = { ...workspace, dependencies: { other: { path: "other", version: "1.2.2" } } };
  assert.match(
    findVersionProblems({ ...project, workspace: old }).join(),
    /needs other in version "1.2.3", not "1.2.2"/,
  );
  const onLinux = { package: published.package, target: { linux: { dependencies: published.dependencies } } };
  assert.match(
    findVersionProblems({ ...project, workspace: old, manifests: { app: onLinux } }).join(),
    /needs other in version "1.2.3", not "1.2.2"/,
  );
  const requiring = (/** @type {object} */ more) => ({
    ...project,
    workspace: { ...workspace, dependencies: { ...workspace.dependencies, ...more } },
  });
  assert.deepEqual(findVersionProblems(requiring({ axum: "=0.8.9", toml: { version: "1.2.2" } })), []);
  assert.deepEqual(findVersionProblems(requiring({ axum: { version: "0.8" }, toml: "1.2.1" })), [
    'Cargo.toml: axum is required from "0.8" on, and tested with 0.8.9',
    'Cargo.toml: toml is required from "1.2.1" on, and tested with 0.9.1, 1.2.2',
  ]);
  const own = {
    "dev-dependencies": { toml: "0.9", app: { path: "." } },
    target: { unix: { "build-dependencies": { cc: { version: "1" } } } },
  };
  assert.deepEqual(findVersionProblems({ ...project, manifests: { app: { ...published, ...own } } }), [
    "app/Cargo.toml: toml has to be required by the workspace: `toml.workspace = true`",
    "app/Cargo.toml: cc has to be required by the workspace: `cc.workspace = true`",
  ]);
  assert.match(
    findVersionProblems({ ...project, manifests: { app: published, other: internal } }).join(),
    /other is not published/,
  );
  const circular = { package: published.package, "dev-dependencies": { other: { workspace: true } } };
  assert.match(
    findVersionProblems({ ...project, manifests: { app: circular } }).join(),
    /tests use other, which has to be named by its path/,
  );
  assert.match(findVersionProblems({ ...project, tag: "v1.2.4" }).join(), /the tag is v1.2.4/);
  assert.match(findVersionProblems({ ...project, tag: "v1.2.3" }).join(), /no section "## 1.2.3"/);
  assert.equal(releaseNotes("# C\n\n## Unreleased\n\n## [1.2.3] - 2026-11-30\n\nB\n\n## 1.2.2\n\nC", "1.2.3"), "B");
});

test("the repository has one address", () => {
  const texts = {
    "a.md": "https://github.com/me/heapbeat/issues, ghcr.io/me/heapbeat:run",
    "b.md": "github.com/TwiN/gatus",
  };
  assert.deepEqual(findOtherAddresses("https://github.com/me/heapbeat", texts), []);
  assert.deepEqual(findOtherAddresses("https://github.com/you/heapbeat", texts), [
    "a.md: github.com/me/heapbeat is not the repository you/heapbeat of Cargo.toml",
    "a.md: ghcr.io/me/heapbeat is not the repository you/heapbeat of Cargo.toml",
  ]);
});

test("cargo binstall finds the archive and the program in it", () => {
  const manifest = (/** @type {string} */ path) => /** @type {any} */ (parse(readFileSync(path, "utf8")));
  const {
    "pkg-url": url,
    "bin-dir": bin,
    "pkg-fmt": format,
  } = manifest("server/cli/Cargo.toml").package.metadata.binstall;
  assert.equal(format, "tgz");
  const windows = /** @type {const} */ ({ name: "win32-x64", os: "win32", cpu: "x64", rust: "x86_64" });
  const directory = mkdtempSync(join(tmpdir(), "heapbeat-archive-"));
  const umask = process.umask(0o002);
  try {
    for (const [found, extension] of /** @type {const} */ ([
      [parseElf(ARM64), ""],
      [{ platform: windows, glibc: undefined, triple: "x86_64-pc-windows-gnu" }, ".exe"],
    ])) {
      const archive = packArchive({ path: process.execPath, ...found }, { work: directory, destination: directory });
      /** @type {Record<string, string>} */
      const values = {
        ...{ repo: PROJECT.repository, version: PROJECT.version, target: found.triple },
        ...{ bin: "heapbeat", "archive-suffix": ".tar.gz", "binary-ext": extension },
      };
      const fill = (/** @type {string} */ template) => template.replace(/\{ ([\w-]+) \}/g, (_, name) => values[name]);
      assert.equal(fill(url), `${PROJECT.repository}/releases/download/v${PROJECT.version}/${basename(archive)}`);
      const { stdout } = spawnSync("tar", ["tzf", archive], { encoding: "utf8" });
      assert.ok(stdout.split("\n").includes(fill(bin)), stdout);
      const listed = spawnSync("tar", ["tvzf", archive], { encoding: "utf8" }).stdout.trim().split("\n");
      for (const line of listed)
        assert.match(line, /^(drwxr-xr-x|-rwxr-xr-x|-rw-r--r--) 0\/0 /, "only its owner may write");
    }
  } finally {
    process.umask(umask);
    rmSync(directory, { recursive: true, force: true });
  }
});

test("the program for arm64 is built for the largest pages that its kernels have", () => {
  const workflow = readFileSync(".github/workflows/release.yml", "utf8");
  const targets = new Set([...workflow.matchAll(/target: (aarch64-unknown-linux-\S+)/g)].map(([, target]) => target));
  assert.deepEqual([...targets], ["aarch64-unknown-linux-musl"]);
  const { env } = /** @type {any} */ (parse(readFileSync(".cargo/config.toml", "utf8")));
  for (const target of targets) {
    const prefix = target.toUpperCase().replaceAll("-", "_");
    assert.equal(env[`${prefix}_JEMALLOC_SYS_WITH_LG_PAGE`], "16");
  }
});
