// Temporary directories that disappear with the test.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Creates a directory that is removed after the test. @param {import("node:test").TestContext} t */
export async function createTempDir(t) {
  const directory = await mkdtemp(join(tmpdir(), "heapbeat-e2e-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
