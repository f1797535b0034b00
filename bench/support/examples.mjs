// Example programs as the benchmarks start them.

import { installProgram } from "./programs.mjs";

/** Installs the Express server. */
export const prepareExpress = () => ({
  name: "Express",
  cwd: installProgram.express(),
  command: () => ["node", "server.js"],
  script: "server.js",
});

/** Installs the FastAPI server. */
export const prepareFastApi = () => ({
  name: "FastAPI under uvicorn",
  cwd: installProgram.fastapi(),
  command: () => ["venv/bin/python", "app.py"],
  script: "app.py",
  interpreter: "venv/bin/python",
});
