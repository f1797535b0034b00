// The command of the npm package: which program it starts on which system, and what it says where there is none.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";

/**
 * Runs the command in a folder of its own. `system` is what `uname -sm` prints, `program` where a stand-in for the program lies, and
 * `script` where the script lies. `isRelative` names the script by its path from that folder, on a system without readlink.
 * @param {{ system: string, args: string[], program?: string, script?: string, link?: string, isRelative?: boolean }} options
 */
function runCommand({ system, args, program, script = "node_modules/heapbeat/heapbeat.sh", link, isRelative }) {
  const directory = mkdtempSync(join(tmpdir(), "heapbeat-shim-"));
  /** @param {string} path @param {string} text */
  const write = (path, text) => {
    mkdirSync(join(directory, dirname(path)), { recursive: true });
    writeFileSync(join(directory, path), text);
    chmodSync(join(directory, path), 0o755);
  };
  try {
    write("bin/uname", `#!/bin/sh\necho "${system}"\n`);
    if (program) write(program, '#!/bin/sh\necho "program: $*"\nexit 7\n');
    mkdirSync(join(directory, dirname(script)), { recursive: true });
    copyFileSync("tools/package/npm/heapbeat.sh", join(directory, script));
    chmodSync(join(directory, script), 0o755);
    if (link) {
      mkdirSync(join(directory, dirname(link)), { recursive: true });
      symlinkSync(join(directory, script), join(directory, link));
    }
    const env = { ...process.env, PATH: `${join(directory, "bin")}:${process.env.PATH}` };
    if (isRelative) write("bin/readlink", "#!/bin/sh\nexit 127\n");
    const command = isRelative ? script : join(directory, link ?? script);
    const { status, stdout, stderr } = spawnSync(command, args, {
      encoding: "utf8",
      env,
      cwd: directory,
      timeout: 60_000,
    });
    return { status, stdout, stderr };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const X64 = "@heapbeat/linux-x64/heapbeat";

test("the program gets the arguments and gives the exit code, wherever the package manager has put it", () => {
  const places = [
    { program: `node_modules/${X64}` },
    { program: `node_modules/${X64}`, link: "node_modules/.bin/heapbeat" },
    { program: `node_modules/heapbeat/node_modules/${X64}` },
    // pnpm.
    {
      program: `node_modules/.pnpm/heapbeat@1/node_modules/${X64}`,
      script: "node_modules/.pnpm/heapbeat@1/node_modules/heapbeat/heapbeat.sh",
      link: "node_modules/.bin/heapbeat",
    },
    // A workspace, of which one package has the command.
    { program: `node_modules/${X64}`, script: "apps/web/node_modules/heapbeat/heapbeat.sh" },
  ];
  for (const place of places) {
    const result = runCommand({ system: "Linux x86_64", args: ["run", "--", "a b", "$c"], ...place });
    assert.deepEqual(result, { status: 7, stdout: "program: run -- a b $c\n", stderr: "" }, JSON.stringify(place));
  }
  const arm = { system: "Linux aarch64", program: "node_modules/@heapbeat/linux-arm64/heapbeat", args: ["x"] };
  assert.equal(runCommand(arm).stdout, "program: x\n");
});

test("without its program it fails where programs are deployed, and says what to do", () => {
  const missing = runCommand({ system: "Linux x86_64", args: ["run", "--", "echo", "unguarded"] });
  assert.equal(missing.status, 127);
  assert.equal(missing.stdout, "");
  assert.match(missing.stderr, /^heapbeat: the package @heapbeat\/linux-x64 is missing: .*--omit=optional/);
  const other = runCommand({
    system: "Linux riscv64",
    args: ["run", "--", "echo", "unguarded"],
    program: `node_modules/${X64}`,
  });
  assert.equal(other.status, 127);
  assert.match(other.stderr, /^heapbeat: there is no package for Linux riscv64/);
});

test("where programs are developed, it starts the program without a guard and says so", () => {
  const system = "Darwin arm64";
  const run = runCommand({ system, args: ["run", "--limit", "256MB", "--", "sh", "-c", "echo $0; exit 3", "a b"] });
  assert.deepEqual([run.status, run.stdout], [3, "a b\n"]);
  assert.match(
    run.stderr,
    /^heapbeat: guards programs on Linux, and this is Darwin arm64: sh starts without a guard\n$/,
  );
  for (const args of [["check-memory"], ["run"], ["run", "--"], []]) {
    const result = runCommand({ system, args });
    assert.deepEqual(
      [result.status, result.stderr],
      [127, "heapbeat: runs on Linux, and this is Darwin arm64\n"],
      args.join(),
    );
  }
});

test("no program is started from a folder where strangers may put one", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "heapbeat-shared-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const [script, planted] = [
    join(directory, "app/node_modules/heapbeat/heapbeat.sh"),
    join(directory, "node_modules", X64),
  ];
  for (const path of [script, planted]) mkdirSync(dirname(path), { recursive: true });
  copyFileSync("tools/package/npm/heapbeat.sh", script);
  writeFileSync(planted, "#!/bin/sh\necho planted\n");
  mkdirSync(join(directory, "bin"));
  writeFileSync(join(directory, "bin/uname"), "#!/bin/sh\necho Linux x86_64\n");
  for (const path of [script, planted, join(directory, "bin/uname")]) chmodSync(path, 0o755);
  const env = { ...process.env, PATH: `${join(directory, "bin")}:${process.env.PATH}` };
  const run = () => spawnSync(script, [], { encoding: "utf8", env });
  assert.equal(run().stdout, "planted\n", "a workspace may have it there");
  chmodSync(directory, 0o1777);
  const { status, stdout, stderr } = run();
  assert.deepEqual([status, stdout], [127, ""]);
  assert.match(stderr, /linux-x64 is missing/);
});

test("without readlink, and by a relative path, the search ends", () => {
  const found = runCommand({ system: "Linux x86_64", args: ["x"], program: `node_modules/${X64}`, isRelative: true });
  assert.equal(found.stdout, "program: x\n");
  const missing = runCommand({ system: "Linux x86_64", args: ["x"], isRelative: true });
  assert.equal(missing.status, 127);
  assert.match(missing.stderr, /linux-x64 is missing/);
});
