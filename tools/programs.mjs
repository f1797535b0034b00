// The programs that the tools build and run. HEAPBEAT_BIN names a program that already exists; `make run` then runs it instead of building
// one, as in the tests.

const { HEAPBEAT_BIN } = process.env;

/** Whether the program already exists, so that it is not built. */
export const IS_BUILT = Boolean(HEAPBEAT_BIN);

/** The backend that `make run` starts. */
export const SERVER = {
  buildArgs: ["--profile", "quick", "-p", "heapbeat-demo"],
  command: HEAPBEAT_BIN ? [HEAPBEAT_BIN, "serve", "--demo"] : ["target/quick/heapbeat-demo"],
};

/** The command line, which `make run` builds when the page is up. */
export const COMMAND_LINE = {
  buildArgs: ["--profile", "quick", "-p", "heapbeat-cli", "--bin", "heapbeat"],
  program: HEAPBEAT_BIN ?? "target/quick/heapbeat",
};

/** The target of the edge. */
export const WASM_TARGET = "wasm32-unknown-unknown";

/** The cargo profile of the edge as it is deployed, and the one to develop with: see the root Cargo.toml. */
export const DEPLOYED = "wasm";
export const DEVELOPMENT = "wasm-dev";
