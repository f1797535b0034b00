// The workflow that publishes: nobody else's tag, text or build script gets hold of its rights.

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";

const WORKFLOWS = globSync(".github/workflows/*.yml").map((path) => ({ path, text: readFileSync(path, "utf8") }));

/** The jobs of a workflow, by name. @param {string} text */
const jobsOf = (text) =>
  text
    .slice(text.indexOf("\njobs:\n"))
    .split(/^ {2}(?=[\w-]+:$)/m)
    .slice(1)
    .map((job) => ({ name: job.split(":")[0], text: job }));

test("every action is named by its commit, and says its version", () => {
  assert.ok(WORKFLOWS.length > 0);
  for (const { path, text } of WORKFLOWS) {
    const uses = text.split("\n").filter((line) => /^\s*(?:- )?uses:/.test(line));
    assert.ok(uses.length > 0, path);
    for (const line of uses) assert.match(line, /uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/, path);
  }
});

test("no text of a tag, a branch or a person gets into a script", () => {
  for (const { path, text } of WORKFLOWS) {
    assert.doesNotMatch(text, /pull_request_target|workflow_run|issue_comment/, path);
    for (const line of text.split("\n").filter((it) => it.includes("${{"))) {
      const isConstant = [...line.matchAll(/\$\{\{ ([\w.-]+) \}\}/g)].every(([, name]) => name.startsWith("matrix."));
      const isValue = /^ +(?!run:)[\w-]+: \S*\$\{\{ [\w.-]+ \}\}\S*$/.test(line);
      assert.ok(isConstant || isValue, `${path}: ${line.trim()}`);
    }
  }
});

test("a job that may write runs no code of dependencies, and no checkout keeps a token", () => {
  for (const { path, text } of WORKFLOWS) {
    assert.match(text, /^permissions:\n {2}contents: read\n\n/m, path);
    const checkouts = text.match(/uses: actions\/checkout@/g) ?? [];
    assert.equal((text.match(/persist-credentials: false/g) ?? []).length, checkouts.length, path);
    for (const job of jobsOf(text)) {
      if (!/^ +[\w-]+: write$/m.test(job.text)) continue;
      const runs =
        /\b(?:make|npm (?:ci|run|install(?! --global --ignore-scripts))|npx|node|cargo(?! publish .*--no-verify)|pipx?) /;
      const steps = job.text.split("\n").filter((line) => !/^\s*#|node-version|name:/.test(line));
      for (const line of steps) assert.doesNotMatch(line, runs, `${job.name}: ${line.trim()}`);
      assert.doesNotMatch(
        job.text,
        /contents: write[\s\S]*id-token: write|id-token: write[\s\S]*contents: write/,
        job.name,
      );
    }
  }
});
