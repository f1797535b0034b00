// The past of a hub or of a signed server, generated natively by the edge's own code (edge/examples/history). The Makefile
// builds that program before it runs the tests.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";

const PROGRAM = "target/debug/examples/history";

/** Runs the generator and yields the lines that it prints. @param {object} options are sent as JSON */
export async function* generateHistory(options) {
  if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing: cargo build -p heapbeat-edge --example history`);
  const child = spawn(PROGRAM, { stdio: ["pipe", "pipe", "inherit"] });
  const closed = once(child, "close");
  child.stdin.end(JSON.stringify(options));
  yield* createInterface({ input: child.stdout });
  const [code] = await closed;
  if (code !== 0) throw new Error(`${PROGRAM} exited with ${code}; see above`);
}
