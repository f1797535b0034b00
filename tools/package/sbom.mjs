// The software bill of materials of a program: every crate in it, in CycloneDX 1.6, from what cargo resolved for its target.

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { Enums, Models, Serialize, Spec } from "@cyclonedx/cyclonedx-library";
import { fail } from "../log.mjs";

/** Runs cargo and returns what it prints. @param {string[]} args */
function readCargo(args) {
  const { status, stdout, stderr } = spawnSync("cargo", args, { encoding: "utf8", maxBuffer: 1 << 28 });
  if (status !== 0) fail(`cargo ${args[0]}: ${stderr.trim()}`);
  return stdout;
}

/** What cargo resolves for a target. @param {string} target @returns {any} */
const readMetadata = (target) =>
  JSON.parse(readCargo(["metadata", "--locked", "--format-version", "1", "--filter-platform", target]));

/**
 * The crates that are compiled into a package, as "name@version". The metadata do not tell this of a crate that is used on some systems, and by
 * tests on all.
 * @param {string} name @param {string} target
 */
function readCompiled(name, target) {
  const selection = ["--package", name, "--target", target, "--edges", "normal"];
  return parseTree(readCargo(["tree", "--locked", ...selection, "--prefix", "none", "--format", "{p}"]));
}

/** Parses the output of `cargo tree --prefix none`. @param {string} output */
export const parseTree = (output) =>
  new Set([...output.matchAll(/^(\S+) v(\S+)/gm)].map(([, crate, version]) => `${crate}@${version}`));

/**
 * The crates that are compiled into a package, by id, each with those it uses. Crates of tests and of build scripts are left out.
 * @param {any} metadata @param {string} name @param {Set<string>} compiled
 */
export function collectCrates(metadata, name, compiled) {
  const nodes = new Map(metadata.resolve.nodes.map((/** @type {any} */ node) => [node.id, node]));
  const root = metadata.packages.find((/** @type {any} */ it) => it.name === name && it.source === null);
  if (!root) throw new Error(`the workspace has no package ${name}`);
  const isCompiled = new Map(
    metadata.packages.map((/** @type {any} */ it) => [it.id, compiled.has(`${it.name}@${it.version}`)]),
  );
  /** @type {Map<string, string[]>} */
  const found = new Map();
  const open = [root.id];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (found.has(id)) continue;
    const used = nodes
      .get(id)
      .deps.filter((/** @type {any} */ it) => it.dep_kinds.some((/** @type {any} */ kind) => kind.kind === null))
      .map((/** @type {any} */ it) => it.pkg)
      .filter((/** @type {string} */ it) => isCompiled.get(it));
    found.set(id, used);
    open.push(...used);
  }
  return { root: /** @type {string} */ (root.id), crates: found };
}

/** @param {any} crate @param {boolean} isRoot */
function describeCrate(crate, isRoot) {
  const isMacro = crate.targets.every((/** @type {any} */ it) => it.kind.includes("proc-macro"));
  const component = new Models.Component(
    isRoot ? Enums.ComponentType.Application : Enums.ComponentType.Library,
    crate.name,
    {
      bomRef: `${crate.name}@${crate.version}`,
      version: crate.version,
      description: crate.description ?? undefined,
      // The crates of this workspace are not those of the registry.
      purl: crate.source === null ? undefined : `pkg:cargo/${crate.name}@${crate.version}`,
      // Macros run while the program is compiled, and are not part of it.
      scope: isMacro ? Enums.ComponentScope.Excluded : undefined,
    },
  );
  // Old crates separate the licenses by a slash.
  if (crate.license) component.licenses.add(new Models.LicenseExpression(crate.license.replaceAll("/", " OR ")));
  return component;
}

/**
 * Makes the bill of materials of a package of the workspace.
 * @param {any} metadata @param {Set<string>} compiled @param {string} name @param {string} label
 */
export function makeBom(metadata, compiled, name, label) {
  const { root, crates } = collectCrates(metadata, name, compiled);
  const packages = new Map(metadata.packages.map((/** @type {any} */ it) => [it.id, it]));
  const components = new Map([...crates.keys()].map((id) => [id, describeCrate(packages.get(id), id === root)]));
  for (const [id, used] of crates) {
    for (const other of used) components.get(id)?.dependencies.add(/** @type {any} */ (components.get(other)).bomRef);
  }
  const main = /** @type {Models.Component} */ (components.get(root));
  main.name = label;
  const bom = new Models.Bom({ metadata: new Models.Metadata({ component: main }) });
  for (const [id, component] of components) if (id !== root) bom.components.add(component);
  return bom;
}

/**
 * Writes the bill of materials of a package.
 * @param {{ name: string, label: string, target: string, path: string }} options `label` is the name of the program
 */
export function writeBom({ name, label, target, path }) {
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
  const bom = makeBom(readMetadata(target), readCompiled(name, target), name, label);
  writeFileSync(path, `${serializer.serialize(bom, { sortLists: true, space: 1 })}\n`);
  return path;
}
