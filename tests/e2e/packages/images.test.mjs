// The images, without Docker: the steps of the Dockerfile make folders, in which the program of the packages runs as a container's does,
// with nothing else in its root. What the first stage compiles is only checked to be part of the build's context.

import assert from "node:assert/strict";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, matchesGlob } from "node:path";
import { after, before, test } from "node:test";
import { parse } from "smol-toml";
import { buildStage, parseDockerfile, runInImage } from "../support/dockerfile.mjs";
import { findPackage, makePackages, RunningCommand, runIn } from "../support/packages.mjs";
import { HEAPBEAT } from "../support/server.mjs";
import { findFreePort } from "../support/target.mjs";
import { waitUntil } from "../support/wait.mjs";

const DOCKERFILE = "tools/package/docker/Dockerfile";
const stages = parseDockerfile(readFileSync(DOCKERFILE, "utf8"));

const directory = mkdtempSync(join(tmpdir(), "heapbeat-images-"));
/** The folder that takes the place of the stage `program`. */
const program = join(directory, "program");
/** @type {RunningCommand | undefined} */ let running;

const mayChangeRoot = process.getuid?.() === 0 ? false : "only root may change the root of a process";

before(async () => {
  const packages = await makePackages(join(directory, "dist"));
  const machine = process.arch === "arm64" ? "aarch64" : "x86_64";
  const archive = findPackage(packages, new RegExp(`^heapbeat-v.*${machine}-unknown-linux-\\w+\\.tar\\.gz$`));
  await runIn(directory, ["tar", "xzf", archive]);
  mkdirSync(program);
  const [unpacked] = globSync(join(directory, "heapbeat-v*", "heapbeat"));
  copyFileSync(unpacked, join(program, "heapbeat"));
  mkdirSync(join(program, "tmp"));
  chmodSync(join(program, "tmp"), 0o1777);
});

after(async () => {
  await running?.stop();
  rmSync(directory, { recursive: true, force: true });
});

/**
 * Builds a stage. The released program is static; one of a test may need libraries, which are added then.
 * @param {string} name
 */
async function build(name) {
  const image = buildStage(stages, name, directory, { program });
  const files = globSync("**/*", { cwd: image.root });
  const needed = await runIn(".", ["ldd", join(program, "heapbeat")]).catch(() => "");
  for (const [, library] of needed.matchAll(/(\/\S+\.so\S*)/g)) {
    mkdirSync(join(image.root, dirname(library)), { recursive: true });
    copyFileSync(library, join(image.root, library));
  }
  return { image, files };
}

test("the image `run` is the program and nothing else", { skip: mayChangeRoot }, async () => {
  const { image, files } = await build("run");
  assert.deepEqual(files, ["heapbeat"]);
  const [command, ...args] = runInImage(image, ["/heapbeat", "--version"]);
  assert.match(await runIn(".", [command, ...args], { PATH: process.env.PATH }), /^heapbeat \d+\.\d+\.\d+/);
});

test("the image `serve` serves as a user without rights, and its health check tells", {
  skip: mayChangeRoot,
}, async () => {
  const { image, files } = await build("serve");
  assert.deepEqual(files.sort(), ["heapbeat", "tmp"]);
  assert.deepEqual(image.ports, [image.env.PORT]);
  assert.match(image.user, /^[1-9]\d*:[1-9]\d*$/);
  const port = await findFreePort();
  const env = { ...image.env, PATH: process.env.PATH, PORT: String(port) };
  const checkHealth = () => {
    const [command, ...args] = runInImage(image, image.healthCheck);
    return runIn(".", [command, ...args], env);
  };
  await assert.rejects(checkHealth(), /ended with 1:/, "unhealthy, by Docker's convention");

  const serving = new RunningCommand(".", runInImage(image, image.command), env);
  running = serving;
  await waitUntil("the first answer", () => {
    serving.hasPrinted(/./);
    return fetch(`http://127.0.0.1:${port}/health`).then(
      (response) => response.ok,
      () => false,
    );
  });
  await checkHealth();
  assert.ok(!serving.hasPrinted(/flight recorder/), serving.log.join("\n"));
  const [user, group] = ["Uid", "Gid"].map(
    (field) => new RegExp(`^${field}:\t(.*)$`, "m").exec(readFileSync(`/proc/${serving.pid}/status`, "utf8"))?.[1],
  );
  assert.deepEqual(
    [user, group],
    image.user.split(":").map((id) => Array(4).fill(id).join("\t")),
  );
  await serving.stop();
  assert.equal(serving.child.exitCode, 0, serving.log.join("\n"));
  await assert.rejects(checkHealth(), /ended with 1:/);
});

test("what the first stage compiles is in the build's context", async () => {
  const ignored = readFileSync(`${DOCKERFILE}.dockerignore`, "utf8")
    .split("\n")
    .filter((line) => line && !line.startsWith("#"));
  const isIgnored = (/** @type {string} */ path) =>
    ignored.some((pattern) => matchesGlob(path, pattern) || matchesGlob(path, `${pattern}/**`));
  assert.ok(isIgnored("target/debug/heapbeat") && isIgnored("edge/node_modules/x") && !isIgnored("server/src/lib.rs"));
  const metadata = JSON.parse(await runIn(".", ["cargo", "metadata", "--no-deps", "--format-version=1", "--locked"]));
  const manifests = metadata.packages.map((/** @type {any} */ it) => it.manifest_path);
  // cargo lists what a program was compiled from beside it.
  const compiled = existsSync(`${HEAPBEAT}.d`) ? readFileSync(`${HEAPBEAT}.d`, "utf8").split(/(?<!\\)\s+/) : [];
  const root = `${metadata.workspace_root}/`;
  const own = [...manifests, ...compiled]
    .filter((path) => path.startsWith(root) && existsSync(path) && statSync(path).isFile())
    .map((path) => path.slice(root.length))
    .filter((path) => !path.startsWith("target/"));
  assert.ok(own.length > 10);
  assert.deepEqual(own.filter(isIgnored), []);
});

test("the first stage compiles with this repository's Rust, and as `make release` does", () => {
  const build = stages.find(({ name }) => name === "build");
  const toolchain = /** @type {any} */ (parse(readFileSync("rust-toolchain.toml", "utf8"))).toolchain.channel;
  assert.equal(build?.from, `rust:${toolchain.replace(/\.0$/, "")}-alpine`);
  const command = /cargo build --release --locked --bin heapbeat/;
  assert.ok(build?.steps.some(([instruction, rest]) => instruction === "RUN" && command.test(rest)));
  assert.match(readFileSync("Makefile", "utf8"), command);
});
