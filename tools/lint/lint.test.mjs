// The lints read Rust with regular expressions; these are the cases in which that is not obvious.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { findMissingPaths, findUnprintedTexts } from "./document-references.mjs";
import { findCycles, readModuleGraph } from "./module-graph.mjs";
import { findRetiredWords } from "./retired-words.mjs";
import { blankIgnored, blankTests } from "./rust-source.mjs";

/** Writes a crate, and returns the dependencies between its modules. @param {Record<string, string>} files by path below src */
function readGraph(files) {
  const folder = mkdtempSync(join(tmpdir(), "heapbeat-lint-"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const graph = readModuleGraph(join(folder, "lib.rs"));
  rmSync(folder, { recursive: true });
  return graph;
}

/** @param {Record<string, string>} files */
const listDependencies = (files) =>
  [...readGraph(files)].flatMap(([from, others]) => [...others.keys()].map((to) => `${from} -> ${to}`)).sort();

test("comments, strings and characters are blanked out, lifetimes and code are not", () => {
  const kept = (/** @type {string} */ code) => blankIgnored(code).replaceAll(/\s+/g, " ").trim();
  assert.equal(kept("a(); // b"), "a();");
  assert.equal(kept("a(/* b */ c)"), "a( c)");
  assert.equal(kept(String.raw`a("b \" c", d)`), "a( , d)");
  assert.equal(kept('a(r#"b " c"#, d)'), "a( , d)");
  assert.equal(kept(`a('"'); b('"')`), "a( ); b( )");
  assert.equal(kept(String.raw`a(b'\'', '\u{feff}', c)`), "a( , , c)");
  assert.equal(kept("fn a<'b>(c: &'b str, d: &'b str)"), "fn a<'b>(c: &'b str, d: &'b str)");
});

test("items that are compiled for tests alone are blanked out", () => {
  const { code, testModules } = blankTests(
    "fn a() {}\n#[cfg(test)]\nmod tests { use b; }\n#[cfg(test)]\nmod more;\nfn c() {}",
  );
  assert.equal(code.replaceAll(/\s+/g, " ").trim(), "fn a() {} fn c() {}");
  assert.deepEqual(testModules, ["more"]);
});

test("a path from the root, a path by super, a group and a re-export are dependencies", () => {
  const dependencies = listDependencies({
    "lib.rs": "mod a; mod b; mod c; mod d; pub use d::{Item, Other as Renamed};",
    "a.rs": "use crate::{b::X, c::{Y, Z}};",
    "b.rs": "use super::c; fn f(x: crate::Renamed) {}",
    "b/inner.rs": "use super::super::d::Item; use super::own;",
    "c.rs": "use crate::Item;",
    "d.rs": "",
  });
  assert.deepEqual(dependencies, ["a -> b", "a -> c", "b -> c", "b -> d", "c -> d"]);
});

test("tests and comments are no dependencies", () => {
  const dependencies = listDependencies({
    "lib.rs": "mod a; mod b;",
    "a.rs": "/// See [`crate::b`].\nfn f() {}\n#[cfg(test)]\nmod tests;",
    "a/tests.rs": "use crate::b;",
    "b.rs": 'const B: &str = "crate::a";',
  });
  assert.deepEqual(dependencies, []);
});

test("a circle is found over several modules", () => {
  const graph = readGraph({
    "lib.rs": "",
    "a.rs": "use crate::b;",
    "b.rs": "use crate::c;",
    "c.rs": "use crate::a;",
    "d.rs": "use crate::a;",
  });
  assert.deepEqual(
    findCycles(graph).map(({ group }) => group),
    [["a", "b", "c"]],
  );
});

test("retired words are found with their lines, other words are not", () => {
  const lines = (/** @type {string} */ text) => findRetiredWords(text).map(({ line, word }) => `${line} ${word}`);
  assert.deepEqual(lines("/// Whose.\nfn look(at: u64) {}\n// the goal is none of these"), [
    "1 /// Whose",
    "2 fn look",
    "3 is none of",
  ]);
  assert.deepEqual(lines("/// Returns whose turn it is.\nfn lookup() {}\nlet memory = 1;"), []);
});

test("back-quoted paths that do not exist are found, other texts are not", () => {
  const files = ["edge/src/store/schema.rs", "edge/messages/de.ftl", "docs/api.md"];
  const missing = (/** @type {string} */ text, abridged = false) =>
    findMissingPaths(text, files, abridged).map(({ line, path }) => `${line} ${path}`);
  assert.deepEqual(missing("`edge/src/store/`\n`edge/src/store/migrate.rs`, `docs/{api,edge}.md`"), [
    "2 edge/src/store/migrate.rs",
    "2 docs/edge.md",
  ]);
  assert.deepEqual(missing("`edge/messages/*.ftl`, `edge/assets/*.js`"), ["1 edge/assets/*.js"]);
  assert.deepEqual(missing("`/metrics`, `text/html`, `store/migrate.rs`, `edge/src/a b`"), []);
  assert.deepEqual(missing("`store/schema.rs`, `ore/schema.rs`", true), ["1 ore/schema.rs"]);
});

test("quoted messages are found in the sources, apart from values", () => {
  const sources = 'error!("crash loop: {} workers in a \\\n    row failed")';
  const unprinted = (/** @type {string} */ text) => findUnprintedTexts(text, sources).map(({ message }) => message);
  assert.deepEqual(
    unprinted("`crash loop: 5 workers in a row failed`, `curl -i https://example.com/health | head`"),
    [],
  );
  assert.deepEqual(unprinted("`crash loop: 5 servers in a row failed`"), ["crash loop: 5 servers in a row failed"]);
});
