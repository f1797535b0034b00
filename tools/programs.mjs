// The native programs that the tools build and run.

/** The backend that `make run` starts. */
export const SERVER = {
  buildArgs: ["--profile", "quick", "-p", "heapbeat-demo"],
  command: ["target/quick/heapbeat-demo"],
};

/** The command line, which `make run` builds when the page is up. */
export const COMMAND_LINE = {
  buildArgs: ["--profile", "quick", "-p", "heapbeat-cli", "--bin", "heapbeat"],
  program: "target/quick/heapbeat",
};
