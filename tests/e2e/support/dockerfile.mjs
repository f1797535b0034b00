// The steps of our Dockerfile, carried out without Docker: a stage from scratch becomes a folder, and its command runs with that folder as
// its root. It knows the instructions that the file has, and fails at any other.

import { chmodSync, cpSync, mkdirSync, mkdtempSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * @typedef {object} Stage
 * @property {string} from the stage or the image that it begins with
 * @property {string} name
 * @property {[string, string][]} steps instructions and their arguments
 */

/** The stages of a Dockerfile, in their order. @param {string} text @returns {Stage[]} */
export function parseDockerfile(text) {
  /** @type {Stage[]} */
  const stages = [];
  const lines = text
    .replace(/^#.*\n/gm, "")
    .replace(/\\\n/g, " ")
    .split("\n")
    .filter((line) => line.trim());
  for (const line of lines) {
    const [, instruction, rest] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (!instruction) throw new Error(`not an instruction: ${line}`);
    if (instruction !== "FROM") stages.at(-1)?.steps.push([instruction, rest]);
    else {
      const [, from, name] = /^(\S+) AS (\S+)$/.exec(rest) ?? [];
      if (!name) throw new Error(`a stage without a name: ${line}`);
      stages.push({ from, name, steps: [] });
    }
  }
  return stages;
}

/**
 * @typedef {object} Image
 * @property {string} root the folder with its files
 * @property {Record<string, string>} env
 * @property {string} user
 * @property {string[]} command what it starts
 * @property {string[]} healthCheck
 * @property {string[]} ports
 */

/**
 * Carries out the steps of a stage, and of those that it builds on, in folders below `directory`.
 * @param {Stage[]} stages @param {string} name @param {string} directory
 * @param {Record<string, string>} given folders that stand for stages which are not carried out, as by --build-context
 * @returns {Image}
 */
export function buildStage(stages, name, directory, given) {
  const stage = stages.find((it) => it.name === name);
  if (!stage) throw new Error(`there is no stage ${name}`);
  const root = mkdtempSync(join(directory, `${name}-`));
  chmodSync(root, 0o755);
  /** @type {Image} */
  let image = { root, env: {}, user: "0:0", command: [], healthCheck: [], ports: [] };
  if (stage.from !== "scratch") {
    const base = buildStage(stages, stage.from, directory, given);
    cpSync(base.root, root, { recursive: true });
    image = { ...base, root };
  }
  let [entryPoint, command] = /** @type {string[][]} */ ([[], image.command]);
  for (const [instruction, rest] of stage.steps) {
    if (instruction === "COPY") {
      const [, from, source, target] = /^--from=(\S+) (\/\S+) (\/\S+)$/.exec(rest) ?? [];
      if (!target) throw new Error(`COPY ${rest} is not known here`);
      const origin = given[from] ?? buildStage(stages, from, directory, given).root;
      const destination = join(root, target.endsWith("/") ? join(target, source.split("/").pop() ?? "") : target);
      mkdirSync(join(destination, ".."), { recursive: true });
      cpSync(join(origin, source), destination, { recursive: true });
      chmodSync(destination, statSync(join(origin, source)).mode);
    } else if (instruction === "ENV") {
      for (const pair of rest.split(" ")) image.env[pair.split("=")[0]] = pair.slice(pair.indexOf("=") + 1);
    } else if (instruction === "USER") image.user = rest;
    else if (instruction === "EXPOSE") image.ports.push(rest);
    else if (instruction === "ENTRYPOINT") entryPoint = JSON.parse(rest);
    else if (instruction === "CMD") command = JSON.parse(rest);
    else if (instruction === "HEALTHCHECK") image.healthCheck = JSON.parse(rest.slice(rest.indexOf("CMD ") + 4));
    else throw new Error(`${instruction} ${rest} is not known here`);
  }
  return { ...image, command: [...entryPoint, ...command] };
}

/**
 * The command line that runs a command in an image as Docker does: its folder is the root, with /proc, as its user.
 * @param {Image} image @param {string[]} command
 */
export function runInImage({ root, user }, command) {
  const script =
    'root=$0 user=$1; shift; mount --rbind /proc "$root/proc" && exec chroot --userspec="$user" "$root" "$@"';
  mkdirSync(join(root, "proc"), { recursive: true });
  return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, root, user, ...command];
}
