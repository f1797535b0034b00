// Says what stands in the way before minutes are spent on building. Runs on any Node from 18.

import { spawnSync } from "node:child_process";
import { createServer } from "node:net";
import { fail } from "./say.mjs";
import { settings } from "./settings.mjs";

const [major] = process.versions.node.split(".").map(Number);
if (major < 18) fail(`Node is ${process.version}: 18 or later is needed`);
if (spawnSync("cargo", ["--version"]).error) fail("cargo is not found: install Rust from https://rustup.rs");

/** Whether nobody listens at `port` on this address. @param {number} port @param {string} host */
const free = (port, host) =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", (/** @type {NodeJS.ErrnoException} */ error) => resolve(error.code !== "EADDRINUSE"));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });

const { server, edge } = settings();
for (const [name, port] of /** @type {const} */ ([
  ["PORT", server],
  ["EDGE_PORT", edge],
])) {
  if (!((await free(port, "::")) && (await free(port, "127.0.0.1")))) {
    fail(`port ${port} is taken by another process; stop that one or choose another: ${name}=${port + 1000} make run`);
  }
}
