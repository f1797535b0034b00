// `make run` as a person runs it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { findFreePort } from "../support/target.mjs";
import { waitUntil } from "../support/wait.mjs";

/** @param {Record<string, string>} env */
function makeRun(env) {
  const child = spawn("make", ["run"], { env: { ...process.env, ...env, NO_COLOR: "1" }, detached: true });
  const run = { child, said: "", exit: once(child, "exit") };
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data) => {
      run.said += data;
    });
  }
  return run;
}

/** Whether a process of this group is alive. @param {number} group */
function alive(group) {
  try {
    process.kill(-group, 0);
    return true;
  } catch {
    return false;
  }
}

test("it reaches the first stored probe, and Ctrl-C leaves nothing behind", { timeout: 600_000 }, async (t) => {
  const state = await mkdtemp(`${tmpdir()}/heapbeat-run-`);
  t.after(() => rm(state, { recursive: true, force: true }));
  const [port, edgePort] = [await findFreePort(), await findFreePort()];
  const run = makeRun({ PORT: String(port), EDGE_PORT: String(edgePort), HEAPBEAT_STATE: state });
  t.after(() => alive(run.child.pid ?? 0) && process.kill(-(run.child.pid ?? 0), "SIGKILL"));
  await waitUntil("the first probe", () => {
    assert.equal(run.child.exitCode, null, run.said);
    return /first probe stored: API is up, rss \d+ MB/.test(run.said);
  });
  await waitUntil("the addresses", () => run.said.includes(`http://localhost:${edgePort}/`));
  const status = await (await fetch(`http://127.0.0.1:${edgePort}/api/v1/status`)).json();
  assert.equal(/** @type {any} */ (status).monitors[0].state, "up");
  // What the terminal does on Ctrl-C: a signal to the whole foreground group.
  process.kill(-(run.child.pid ?? 0), "SIGINT");
  await run.exit;
  for (const taken of [port, edgePort]) {
    await assert.rejects(fetch(`http://127.0.0.1:${taken}/`), `somebody still listens at ${taken}`);
  }
});

for (const name of ["PORT", "EDGE_PORT"]) {
  test(`a taken ${name} is told at once`, async (t) => {
    const squatter = createServer();
    await new Promise((resolve) => squatter.listen(0, "127.0.0.1", () => resolve(undefined)));
    t.after(() => squatter.close());
    const taken = String(/** @type {import("node:net").AddressInfo} */ (squatter.address()).port);
    const ports = { PORT: String(await findFreePort()), EDGE_PORT: String(await findFreePort()), [name]: taken };
    const run = makeRun(ports);
    const [code] = await run.exit;
    assert.notEqual(code, 0);
    assert.match(run.said, new RegExp(`port ${taken} is taken`));
    assert.match(run.said, new RegExp(`${name}=\\d+ make run`));
  });
}

for (const [env, message] of /** @type {const} */ ([
  [{ TICK: "1 fortnight" }, /TICK is "1 fortnight"/],
  [{ TICK: "1s" }, /TICK is "1s": the time between two ticks is from 5s to 1h/],
  [{ PORT: "http" }, /PORT is "http": a port is a number/],
  [{ PORT: "9999", EDGE_PORT: "9999" }, /both 9999/],
])) {
  test(`${JSON.stringify(env)} is refused`, async () => {
    const run = makeRun(env);
    const [code] = await run.exit;
    assert.notEqual(code, 0);
    assert.match(run.said, message);
  });
}
