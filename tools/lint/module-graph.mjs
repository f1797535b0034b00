// The dependencies between the top-level modules of a crate.
//
// A module depends on another if its code, tests excluded, names it by a path from the crate's root (`crate::other`), by as many
// `super` as lead there, or by a name that the root re-exports from it.

import { dirname, relative } from "node:path";
import { readProductionSources } from "./rust-source.mjs";

/** @typedef {Map<string, Map<string, string>>} Graph where each dependency occurs first, by module and module */

/** Splits `{a, b::{c, d}}` at its commas. @param {string} text */
function splitGroup(text) {
  const parts = [];
  let [depth, start] = [0, 0];
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === "{") depth += 1;
    if (text[at] === "}") depth -= 1;
    if (text[at] === "," && depth === 0) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return [...parts, text.slice(start)].map((part) => part.trim()).filter(Boolean);
}

/** The text between the brace at `start` and its counterpart. @param {string} code @param {number} start */
function insideBraces(code, start) {
  let depth = 0;
  for (let at = start; at < code.length; at += 1) {
    if (code[at] === "{") depth += 1;
    if (code[at] === "}") depth -= 1;
    if (depth === 0) return code.slice(start + 1, at);
  }
  return code.slice(start + 1);
}

/** First names of the paths that begin behind `prefix`. @param {string} code @param {RegExp} prefix */
function* namesBehind(code, prefix) {
  for (const match of code.matchAll(prefix)) {
    const at = match.index + match[0].length;
    const parts = code[at] === "{" ? splitGroup(insideBraces(code, at)) : [code.slice(at, at + 80)];
    for (const part of parts) {
      const [name] = /^\w+/.exec(part) ?? [];
      if (name) yield { name, line: code.slice(0, match.index).split("\n").length };
    }
  }
}

/** What the root re-exports: the module of each name. @param {string} code @param {Set<string>} modules */
function reexports(code, modules) {
  /** @type {Map<string, string>} */
  const origin = new Map();
  /** @param {string} path @param {string} [module] */
  const add = (path, module) => {
    const [, head = "", rest = ""] = /^(?:(?:self|crate)::)?(\w+)\s*(?:::\s*)?([\s\S]*)$/.exec(path.trim()) ?? [];
    const from = module ?? head;
    if (!modules.has(from)) return;
    const [, alias] = /\bas\s+(\w+)\s*$/.exec(path) ?? [];
    const brace = path.indexOf("{");
    if (brace >= 0) for (const part of splitGroup(insideBraces(path, brace))) add(part, from);
    else origin.set(alias ?? /(\w+)\s*$/.exec(rest)?.[1] ?? head, from);
  };
  for (const [, path = ""] of code.matchAll(/\bpub(?:\([^)]*\))?\s+use\s+([^;]+);/g)) add(path);
  return origin;
}

/** The dependencies between the top-level modules of the crate with this root file. @param {string} root @returns {Graph} */
export function readModuleGraph(root) {
  const folder = dirname(root);
  const sources = readProductionSources(folder);
  const moduleOf = (/** @type {string} */ path) => relative(folder, path).replace(/\.rs$/, "").split("/")[0] ?? "";
  const rootNames = new Set([moduleOf(root), "bin", "main", "lib"]);
  const modules = new Set([...sources.keys()].map(moduleOf).filter((name) => !rootNames.has(name)));
  const origin = reexports(sources.get(root) ?? "", modules);
  /** @type {Graph} */
  const graph = new Map([...modules].map((module) => [module, new Map()]));
  for (const [path, code] of sources) {
    const module = moduleOf(path);
    const depth = relative(folder, path)
      .replace(/(?:\/mod)?\.rs$/, "")
      .split("/").length;
    const prefixes = new RegExp(`(?<![\\w:])(?:crate|super(?:::super){${depth - 1}})::\\s*(?=[\\w{])`, "g");
    for (const { name, line } of namesBehind(code, prefixes)) {
      const other = modules.has(name) ? name : origin.get(name);
      if (!other || other === module || !graph.has(module)) continue;
      const found = graph.get(module);
      if (!found?.has(other)) found?.set(other, `${path}:${line}`);
    }
  }
  return graph;
}

/** Modules that `from` reaches. @param {Graph} graph @param {string} from */
function reachable(graph, from) {
  const reached = new Set();
  const queue = [from];
  for (let module = queue.pop(); module !== undefined; module = queue.pop()) {
    for (const next of graph.get(module)?.keys() ?? []) {
      if (!reached.has(next)) {
        reached.add(next);
        queue.push(next);
      }
    }
  }
  return reached;
}

/** Groups of modules that reach each other, with the dependencies inside each group. @param {Graph} graph */
export function findCycles(graph) {
  const reached = new Map([...graph.keys()].map((module) => [module, reachable(graph, module)]));
  const groups = new Map();
  for (const [module, others] of reached) {
    if (!others.has(module)) continue;
    const group = [...others].filter((other) => reached.get(other)?.has(module)).sort();
    groups.set(group.join(", "), group);
  }
  return [...groups.values()].map((group) => ({
    group,
    edges: group.flatMap((/** @type {string} */ from) =>
      [...(graph.get(from) ?? [])]
        .filter(([to]) => group.includes(to))
        .map(([to, where]) => `${from} -> ${to} (${where})`),
    ),
  }));
}
