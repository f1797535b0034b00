// The files that a deployment reads: wrangler checks wrangler.toml, and render.yaml is checked by Render's published specification.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { findBlueprintProblems } from "../support/render-blueprint.mjs";

test("wrangler deploy --dry-run passes", () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["node_modules/wrangler/bin/wrangler.js", "deploy", "--dry-run"],
    { encoding: "utf8", env: { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "true" } },
  );
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /env\.HUB/);
  assert.match(stdout, /env\.LIMIT/);
});

for (const path of ["render.yaml", "server/examples/programs/express/render.yaml"]) {
  test(`${path} follows the Blueprint specification`, () => {
    assert.deepEqual(findBlueprintProblems(parse(readFileSync(path, "utf8"))), []);
  });

  test(`every HEAPBEAT variable in ${path} is a documented setting`, () => {
    const settings = readFileSync("docs/configuration.md", "utf8");
    const { services } = parse(readFileSync(path, "utf8"));
    const names = services[0].envVars.map((/** @type {any} */ variable) => variable.key);
    for (const name of names.filter((/** @type {string} */ name) => name.startsWith("HEAPBEAT_"))) {
      assert.ok(settings.includes(`\`${name}\``), `${name} is missing in docs/configuration.md`);
    }
  });
}

test("the Blueprint rules find what Render refuses", () => {
  const service = { type: "web", name: "x", runtime: "rust", buildCommand: "b", startCommand: "s" };
  const cases = [
    [{ services: [{ ...service, healthcheckPath: "/" }] }, "services[0].healthcheckPath is not a field of a Blueprint"],
    [{ services: [{ ...service, runtime: "cobol" }] }, 'services[0].runtime is "cobol"'],
    [{ services: [{ ...service, maxShutdownDelaySeconds: 900 }] }, "services[0].maxShutdownDelaySeconds is 900"],
    [{ services: [{ ...service, name: undefined }] }, "services[0].name is missing"],
    [{ services: [{ ...service, envVars: [{ key: "A", sync: true }] }] }, "services[0].envVars[0].sync is true"],
    [{ services: [{ ...service, envVars: [{ key: "A" }] }] }, "services[0].envVars[0] has no value"],
  ];
  for (const [blueprint, message] of cases) {
    const problems = findBlueprintProblems(blueprint);
    assert.ok(
      problems.some((problem) => problem.startsWith(String(message))),
      `${message}: ${problems}`,
    );
  }
});
