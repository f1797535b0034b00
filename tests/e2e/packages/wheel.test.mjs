// The wheel in a new virtual environment: gunicorn under guard, with no tool of Rust and no Node on PATH.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  findPackage,
  leakUntilReplaced,
  makePackages,
  makePath,
  RunningCommand,
  runIn,
  timed,
} from "../support/packages.mjs";
import { findFreePort } from "../support/target.mjs";
import { waitUntil } from "../support/wait.mjs";

/** Keeps what `/leak` adds for ever. */
const APP = `
kept = []

def app(environ, start_response):
    if environ["PATH_INFO"] == "/leak":
        kept.append(bytearray(1024 * 1024))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(len(kept)).encode()]
`;

/** The wheel for this machine; a release has one for each. */
const WHEEL = process.arch === "arm64" ? /aarch64\.whl$/ : /x86_64\.whl$/;

const directory = mkdtempSync(join(tmpdir(), "heapbeat-wheel-"));
const venv = join(directory, "venv");
/** @type {Record<string, string | undefined>} */ let env;
/** @type {RunningCommand | undefined} */ let guarded;

before(async () => {
  const packages = await makePackages(join(directory, "dist"));
  const { HOME, PATH } = process.env;
  await timed("python -m venv", runIn(directory, ["python3", "-m", "venv", "--without-pip", venv], { PATH }));
  const pip = ["python3", "-m", "pip", "--python", join(venv, "bin/python"), "install", "--quiet"];
  const install = [...pip, "--disable-pip-version-check", findPackage(packages, WHEEL), "gunicorn==23.0.0"];
  await timed("pip install heapbeat gunicorn", runIn(directory, install, { PATH }));
  const own = `${join(venv, "bin")}:${makePath(join(directory, "bin"), {})}`;
  env = { PATH: own, HOME, NO_COLOR: "1", CI: "true" };
  writeFileSync(join(directory, "app.py"), APP);
});

after(async () => {
  await guarded?.stop();
  rmSync(directory, { recursive: true, force: true });
});

test("gunicorn under guard is replaced without a failed request", async () => {
  const port = await findFreePort();
  // gunicorn binds $PORT by itself.
  const command = [join(venv, "bin/heapbeat"), "run", "--limit", "160MB", "--", "gunicorn", "app:app"];
  const running = new RunningCommand(directory, command, { ...env, PORT: String(port) });
  guarded = running;
  const answer = waitUntil("the first answer", () => {
    running.hasPrinted(/./);
    return fetch(`http://127.0.0.1:${port}/`).then(
      (response) => response.ok,
      () => false,
    );
  });
  await timed("heapbeat run -- gunicorn, until the first answer", answer);
  await leakUntilReplaced(running, port, { rate: 10, path: "/leak" });
  await running.stop();
});
