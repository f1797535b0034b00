// The wheel for PyPI: the program as a script, as maturin lays it out with `bindings = "bin"`. The package `wheel` of the Python Packaging
// Authority makes the archive and its list of hashes.

import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fail } from "../log.mjs";
import { captureCommand } from "../process.mjs";
import { LICENSE_FILES, PROJECT, sourceDate } from "./project.mjs";

/** The packages with which the wheel is packed, which are installed into a folder of the build. */
const REQUIREMENTS = "tools/package/python/build-requirements.txt";

/**
 * The tags of a wheel, by which pip decides where it fits (PEP 600, PEP 656): a static program fits every Linux, another one those with its
 * glibc or a later one.
 * @param {import("./binary.mjs").Binary} binary
 */
export function wheelTags({ platform: { wheel }, glibc }) {
  if (!glibc) return [`manylinux_2_17_${wheel}`, `manylinux2014_${wheel}`, `musllinux_1_1_${wheel}`];
  return [`manylinux_${glibc.replace(".", "_")}_${wheel}`];
}

/** The description in the format of Python's core metadata. @param {string} readme */
const describe = (readme) => `Metadata-Version: 2.4
Name: heapbeat
Version: ${PROJECT.version}
Summary: ${PROJECT.description}
Keywords: memory,memory-leak,oom,gunicorn,health-check,render,monitoring
License-Expression: ${PROJECT.license}
${LICENSE_FILES.map((file) => `License-File: ${file}\n`).join("")}Classifier: Operating System :: POSIX :: Linux
Classifier: Topic :: System :: Monitoring
Requires-Python: >=3.8
Project-URL: Repository, ${PROJECT.repository}
Description-Content-Type: text/markdown

${readme}`;

/** @param {string[]} command @param {Record<string, string>} [env] */
async function run(command, env) {
  let output = "";
  await captureCommand(command, { env, onOutput: (text) => (output += text) }).catch((error) =>
    fail(`${output}\n${error.message}`),
  );
}

/** Installs `wheel` and returns the path of Python. @param {string} work */
async function preparePython(work) {
  const directory = join(work, "python");
  const python = join(directory, "bin/python");
  if (!existsSync(join(directory, "bin/wheel"))) {
    await run(["python3", "-m", "venv", directory]);
    const options = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"];
    await run([python, "-m", "pip", "install", ...options, "--requirement", REQUIREMENTS]);
  }
  return python;
}

/**
 * Makes the wheel of a program. Returns its path.
 * @param {import("./binary.mjs").Binary} binary @param {{ work: string, destination: string }} directories
 */
export async function packWheel(binary, { work, destination }) {
  const python = await preparePython(work);
  const root = join(work, "wheel", binary.platform.name);
  const name = `heapbeat-${PROJECT.version}`;
  rmSync(root, { recursive: true, force: true });
  const [scripts, info] = [join(root, `${name}.data/scripts`), join(root, `${name}.dist-info`)];
  for (const directory of [scripts, join(info, "licenses")]) mkdirSync(directory, { recursive: true });
  copyFileSync(binary.path, join(scripts, "heapbeat"));
  chmodSync(join(scripts, "heapbeat"), 0o755);
  for (const file of LICENSE_FILES) writeFileSync(join(info, "licenses", file), readFileSync(file));
  writeFileSync(join(info, "METADATA"), describe(readFileSync("tools/package/python/README.md", "utf8")));
  const tags = wheelTags(binary).map((tag) => `Tag: py3-none-${tag}\n`);
  writeFileSync(
    join(info, "WHEEL"),
    `Wheel-Version: 1.0\nGenerator: heapbeat\nRoot-Is-Purelib: false\n${tags.join("")}`,
  );
  // pip takes the program's permissions from the archive.
  await run([python, "-m", "wheel", "pack", root, "--dest-dir", destination], { SOURCE_DATE_EPOCH: sourceDate() });
  const tag = wheelTags(binary)[0];
  const file = readdirSync(destination).find((it) => it.startsWith(`${name}-`) && it.includes(tag));
  if (!file) fail(`wheel pack made no file for ${tag} in ${destination}`);
  return join(destination, file);
}
