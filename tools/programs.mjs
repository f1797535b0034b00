// The native programs that the tools build and run. HEAPBEAT_BIN names a program that is built already; `make run` then runs it
// and builds none, as in the tests.

const { HEAPBEAT_BIN } = process.env;

/** Whether there is nothing to build. */
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
