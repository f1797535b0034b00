// The table of wrappers: programs in several languages, started as people start them, under `heapbeat run`. For each: whether a stop
// reaches the program itself once (counted by strace), what heapbeat states of the memory of all its processes, where the limit of the
// runtime is set, and how many requests fail in a replacement under load.
//
//   make bench BENCH=run-wrappers      ONLY=puma,java: these      the table is printed as Markdown

import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { checkWrapper } from "../tests/e2e/support/wrappers.mjs";
import { fail, logError } from "../tools/log.mjs";
import { loadAverage } from "./support/conditions.mjs";
import { installProgram, isInstalled } from "./support/programs.mjs";

/** A typed server without dependencies, for the tools that run TypeScript. */
const TYPED = `import { createServer } from "node:http";
const port: number = Number(process.env.PORT);
createServer((_request, response) => {
  response.end(JSON.stringify({ pid: process.pid }));
}).listen(port);
`;

/** The folder with what the wrappers of Node programs need. */
function prepareNodeTools() {
  const folder = installProgram.nodeTools();
  writeFileSync(join(folder, "server.ts"), TYPED);
  writeFileSync(join(folder, "tsconfig.json"), '{ "compilerOptions": { "module": "commonjs", "types": ["node"] } }');
  return folder;
}

/** A folder with scripts that start the Express example. */
function prepareScripts() {
  const folder = resolve("target/programs/scripts");
  const server = join(installProgram.express(), "server.js");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "start.sh"), `#!/bin/bash\nnode ${server}\necho finished\n`);
  writeFileSync(
    join(folder, "entrypoint.sh"),
    `#!/bin/sh\nset -e\n[ "$1" = start ] && set -- node ${server}\nexec "$@"\n`,
  );
  return folder;
}

/** @typedef {{ needs?: string, cwd: () => string, command: string[], leaf?: RegExp, env?: Record<string, string> }} Row */

/** @type {Record<string, Row>} */
const ROWS = {
  "node server.js": { cwd: installProgram.express, command: ["node", "server.js"] },
  "npm start": { cwd: installProgram.express, command: ["npm", "start"] },
  "npm start, Fastify": { cwd: installProgram.fastify, command: ["npm", "start"] },
  "pnpm start": {
    cwd: installProgram.express,
    command: [resolve("target/programs/node-tools/node_modules/.bin/pnpm"), "start"],
  },
  "npx tsx server.ts": { cwd: prepareNodeTools, command: ["npx", "tsx", "server.ts"] },
  "npx ts-node server.ts": { cwd: prepareNodeTools, command: ["npx", "ts-node", "server.ts"] },
  "next start": { cwd: installProgram.next, command: ["node_modules/.bin/next", "start"], leaf: /next/ },
  "sh -c 'node server.js'": { cwd: installProgram.express, command: ["sh", "-c", "node server.js"] },
  "bash script without exec": { cwd: prepareScripts, command: ["bash", "start.sh"] },
  "docker-style entrypoint": { cwd: prepareScripts, command: ["sh", "entrypoint.sh", "start"] },
  "python app.py (uvicorn)": { cwd: installProgram.fastapi, command: ["venv/bin/python", "app.py"] },
  "uvicorn --workers 2": {
    cwd: installProgram.fastapi,
    command: ["sh", "-c", "exec venv/bin/uvicorn app:app --port $PORT --workers 2"],
    leaf: /uvicorn|spawn_main/,
  },
  "gunicorn -w 4": {
    cwd: installProgram.flask,
    command: ["venv/bin/gunicorn", "-w", "4", "app:app"],
    leaf: /gunicorn/,
  },
  "gunicorn -w 4 --preload": {
    cwd: installProgram.flask,
    command: ["venv/bin/gunicorn", "-w", "4", "--preload", "app:app"],
    leaf: /gunicorn/,
  },
  puma: { needs: "puma", cwd: installProgram.rack, command: ["puma"], leaf: /puma/ },
  "java -jar server.jar": { needs: "java", cwd: installProgram.java, command: ["java", "-jar", "server.jar"] },
  "./server (Go)": { needs: "go", cwd: installProgram.go, command: ["./server"] },
};

/** @param {string} text */
const code = (text) => (text ? `\`${text}\`` : "none");

if (!isInstalled("strace")) fail("strace is not installed: apt-get install strace");
const only = (process.env.ONLY ?? "").split(",").filter(Boolean);
prepareNodeTools();
console.log(`# Node ${spawnSync("node", ["--version"]).stdout.toString().trim()}, ${loadAverage()}`);
console.log(
  "| program | processes | signals it gets: when replaced, at the end | memory, heapbeat's figure / sum of PSS | limit at 512 MB | replaced under load: sent, failed |",
);
console.log("|---|---|---|---|---|---|");
let failed = false;
for (const [name, { needs, cwd, command, leaf, env }] of Object.entries(ROWS)) {
  if (only.length > 0 && !only.some((word) => name.includes(word))) continue;
  if (needs && !isInstalled(needs)) {
    console.log(`| ${code(name)} | skipped: ${needs} is not installed | | | | |`);
    continue;
  }
  try {
    const wrapper = { name, command, cwd: cwd(), leaf, env: { npm_config_update_notifier: "false", ...env } };
    const { signals, memory, limit, load, processes } = await checkWrapper(wrapper);
    const causes = Object.entries(load.failures).map(([cause, count]) => `${count} ${cause}`);
    const failures = load.failed + load.shed > 0 ? ` (${[...causes, `${load.shed} shed`].join(", ")})` : "";
    console.log(
      `| ${code(name)} | ${processes} | ${signals.join(", ")} | ${memory.toFixed(3)} | ${code(limit)} | ` +
        `${load.sent}, ${load.failed + load.shed}${failures} |`,
    );
  } catch (error) {
    failed = true;
    logError((error instanceof Error ? error.message : String(error)).split("\n").slice(0, 40).join("\n"));
    console.log(`| ${code(name)} | failed: ${String(error).split("\n")[0]} | | | | |`);
  }
}
console.log(`# ${loadAverage()}`);
process.exit(failed ? 1 : 0);
