// `make run` as a person uses it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { HEAPBEAT } from "../support/server.mjs";
import { findFreePort, startTcpServer } from "../support/target.mjs";
import { createTempDir } from "../support/temp-dir.mjs";
import { waitUntil } from "../support/wait.mjs";

/** Runs what the tests built, so that nothing is compiled here. */
const BUILT = { HEAPBEAT_BIN: HEAPBEAT, WASM_PROFILE: "wasm" };

/** @param {Record<string, string>} env */
function startMakeRun(env) {
  const all = { ...process.env, ...BUILT, ...env, NO_COLOR: "1" };
  const child = spawn("make", ["run"], { env: all, detached: true });
  const run = { child, output: "", exit: once(child, "exit") };
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data) => {
      run.output += data;
    });
  }
  return run;
}

/** Whether a process of the group is alive. @param {number} group */
function isAlive(group) {
  try {
    process.kill(-group, 0);
    return true;
  } catch {
    return false;
  }
}

test("make run stores its first probe, and Ctrl-C ends all of its processes", async (t) => {
  const stateDir = await createTempDir(t);
  const [port, edgePort] = [await findFreePort(), await findFreePort()];
  const run = startMakeRun({ PORT: String(port), EDGE_PORT: String(edgePort), HEAPBEAT_STATE: stateDir });
  t.after(() => isAlive(run.child.pid ?? 0) && process.kill(-(run.child.pid ?? 0), "SIGKILL"));
  await waitUntil(
    "the first probe",
    () => {
      assert.equal(run.child.exitCode, null, run.output);
      return /first probe stored: API is up, rss \d+ MB/.test(run.output);
    },
    900_000,
  );
  await waitUntil("the addresses", () => run.output.includes(`http://localhost:${edgePort}/`));
  const status = await (await fetch(`http://127.0.0.1:${edgePort}/api/v1/status`)).json();
  assert.equal(/** @type {any} */ (status).monitors[0].state, "up");
  // On Ctrl-C the terminal signals the whole foreground group.
  process.kill(-(run.child.pid ?? 0), "SIGINT");
  await run.exit;
  for (const used of [port, edgePort]) {
    await assert.rejects(fetch(`http://127.0.0.1:${used}/`), `a process still listens at ${used}`);
  }
});

for (const name of ["PORT", "EDGE_PORT"]) {
  test(`a ${name} that is in use stops make run with a suggestion`, async (t) => {
    const { server, port } = await startTcpServer();
    t.after(() => server.close());
    const used = String(port);
    const ports = { PORT: String(await findFreePort()), EDGE_PORT: String(await findFreePort()), [name]: used };
    const run = startMakeRun(ports);
    const [code] = await run.exit;
    assert.notEqual(code, 0);
    assert.match(run.output, new RegExp(`port ${used} is taken`));
    assert.match(run.output, new RegExp(`${name}=\\d+ make run`));
  });
}

for (const [env, message] of /** @type {const} */ ([
  [{ TICK: "1 fortnight" }, /TICK is "1 fortnight"/],
  [{ TICK: "1s" }, /TICK is "1s": the time between two ticks is from 5s to 1h/],
  [{ PORT: "http" }, /PORT is "http": a port is a number/],
  [{ PORT: "9999", EDGE_PORT: "9999" }, /both 9999/],
])) {
  test(`make run refuses ${JSON.stringify(env)}`, async () => {
    const run = startMakeRun(env);
    const [code] = await run.exit;
    assert.notEqual(code, 0);
    assert.match(run.output, message);
  });
}
