// `make bench`, or one of them: `make bench BENCH=health`. Each prints ratios against a floor measured in the same run; what it
// printed is kept in bench/results, where README and docs take their figures from.

import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { createInterface } from "node:readline";
import { fail, logStep } from "../tools/log.mjs";

/**
 * Every benchmark: what it answers, and the command that does. What is `fetched` needs the network, and runs only when it is named.
 * @type {Record<string, { asks: string, command: string[], fetched?: boolean }>}
 */
const BENCHES = {
  health: {
    asks: "what does /health cost beside a constant route, and the sampler beside nothing",
    command: ["cargo", "bench", "--locked", "-p", "heapbeat-cli", "--bench", "health", "--", "--idle", "600"],
  },
  attribution: {
    asks: "what do the guard and attribution cost a route that allocates",
    command: ["cargo", "run", "--release", "--locked", "-p", "heapbeat", "--example", "attribution_bench"],
  },
  guard: {
    asks: "the same for the guard as a whole, on and off in turn",
    command: [
      "cargo",
      "run",
      "--release",
      "--locked",
      "-p",
      "heapbeat",
      "--example",
      "attribution_bench",
      "--",
      "guard",
    ],
  },
  purge: {
    asks: "how long does giving memory back hold requests up",
    command: ["cargo", "run", "--release", "--locked", "-p", "heapbeat", "--example", "purge_bench"],
  },
  labelled: {
    asks: "what is said of real processes that leak, or do not",
    command: ["cargo", "run", "--release", "--locked", "-p", "heapbeat", "--example", "labelled_runs"],
  },
  tick: {
    asks: "what does a tick of the edge cost beyond its requests, and how does it grow",
    command: ["node_modules/.bin/node", "bench/tick.mjs"],
  },
  ttfb: {
    asks: "how long does the first byte of the page take, kept and made anew, beside a constant page",
    command: ["node_modules/.bin/node", "bench/ttfb.mjs"],
  },
  lighthouse: {
    asks: "what does Lighthouse, which npx fetches, say of the pages",
    command: ["node_modules/.bin/node", "bench/lighthouse.mjs"],
    fetched: true,
  },
  survive: {
    asks: "what do leaks, kills and crashes cost, counted; PM2 beside it",
    command: ["cargo", "bench", "--locked", "-p", "heapbeat-cli", "--bench", "survive"],
  },
};

/** Runs a command, shows and returns what it prints. @param {string[]} command @returns {Promise<string>} */
async function run([program, ...args]) {
  const env = { ...process.env, HEAPBEAT_BIN: "target/release/heapbeat" };
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"], env });
  const lines = /** @type {string[]} */ ([]);
  createInterface({ input: child.stdout }).on("line", (line) => {
    console.log(line);
    lines.push(line);
  });
  const [code] = await new Promise((resolve) => child.once("close", (...how) => resolve(how)));
  if (code !== 0) fail(`${program} ${args.join(" ")} ended with code ${code}`);
  return lines.join("\n");
}

const wanted = (process.env.BENCH ?? "").split(/[\s,]+/).filter(Boolean);
for (const name of wanted) {
  if (!(name in BENCHES)) fail(`BENCH is "${name}": there are ${Object.keys(BENCHES).join(", ")}`, 2);
}
mkdirSync("bench/results", { recursive: true });
for (const name of wanted.length > 0 ? wanted : Object.keys(BENCHES).filter((name) => !BENCHES[name].fetched)) {
  const { asks, command } = BENCHES[name];
  logStep(`${name}: ${asks}`);
  const said = await run(command);
  const machine = `${cpus().length} cores, ${cpus()[0]?.model ?? "unknown"}, Linux ${release()}`;
  writeFileSync(`bench/results/${name}.txt`, `$ ${command.join(" ")}\n# ${machine}\n${said}\n`);
}
