// Programs behind the wrappers that every machine has: `heapbeat run` signals, measures and replaces the program itself.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createTempDir } from "../support/temp-dir.mjs";
import { checkWrapper, NODE_SERVER, PYTHON_SERVER } from "../support/wrappers.mjs";

/** The files of all wrappers. */
const FILES = {
  "server.cjs": NODE_SERVER,
  "server.py": PYTHON_SERVER,
  "package.json": '{ "name": "wrapped", "private": true, "scripts": { "start": "node server.cjs" } }',
  "start.sh": "#!/bin/bash\nnode server.cjs\necho finished\n",
  "entrypoint.sh": '#!/bin/sh\nset -e\nif [ "$1" = start ]; then set -- node server.cjs; fi\nexec "$@"\n',
};

/** The wrappers, and what must be installed for them. @type {Record<string, { command: string[], needs: string }>} */
const WRAPPERS = {
  node: { command: ["node", "server.cjs"], needs: "node" },
  "npm start": { command: ["npm", "start"], needs: "npm" },
  "sh -c": { command: ["sh", "-c", "node server.cjs"], needs: "node" },
  "bash script without exec": { command: ["bash", "start.sh"], needs: "bash" },
  "docker-style entrypoint": { command: ["sh", "entrypoint.sh", "start"], needs: "node" },
  python3: { command: ["python3", "server.py"], needs: "python3" },
};

for (const [name, { command, needs }] of Object.entries(WRAPPERS)) {
  const skip = spawnSync(needs, ["--version"]).status !== 0 && `no ${needs}`;
  test(`${name}: one signal, the memory of all processes, and a replacement without a failed request`, {
    skip,
  }, async (t) => {
    const cwd = await createTempDir(t);
    for (const [file, content] of Object.entries(FILES)) await writeFile(join(cwd, file), content);
    const env = { npm_config_update_notifier: "false", npm_config_cache: join(cwd, "npm") };
    const { signals, memory, load, limit } = await checkWrapper({ name, command, cwd, env, log: join(cwd, "log") });
    assert.deepEqual(signals, [1, 1], "the program gets one signal when it is replaced, and one at the end");
    assert.ok(Math.abs(memory - 1) < 0.03, `heapbeat states ${memory} of the memory`);
    assert.deepEqual(
      { failed: load.failed, shed: load.shed, failures: load.failures },
      { failed: 0, shed: 0, failures: {} },
    );
    if (needs === "node" || needs === "npm") t.diagnostic(`limit: ${limit}`);
  });
}

test("the table of wrappers in the documents is the one that the benchmark printed", async () => {
  const readRows = async (/** @type {string} */ path) => {
    const lines = (await readFile(path, "utf8")).split("\n");
    const head = lines.findIndex((line) => line.startsWith("| program | processes |"));
    assert.ok(head >= 0, path);
    const rest = lines.slice(head);
    const end = rest.findIndex((line) => !line.startsWith("|"));
    return rest.slice(0, end);
  };
  assert.deepEqual(await readRows("docs/any-program.md"), await readRows("bench/results/run-wrappers.txt"));
});
