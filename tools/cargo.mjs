// Cargo builds that run in parallel: their output is only printed if they fail, and their progress can be read.

import { captureCommand } from "./process.mjs";

/** The progress that cargo prints with CARGO_TERM_PROGRESS_WHEN=always. */
const PROGRESS = /\[[=> ]*\] (\d+)\/(\d+)[^\r\n]*/g;

/** Lines that do not explain a failure. */
const ROUTINE =
  /^ *(?:Blocking|Building|Compiling|Downloaded|Downloading|Finished|Locking|Updating)\b[^\r\n]*[\r\n]+|\r/gm;

/** Messages of cargo if it cannot reach the registry, and the part that says which host or why. */
const OFFLINE =
  /could(?:n't| not) (?:resolve|connect)|failed to download|spurious network error|using offline mode|attempting to make an HTTP request/i;
const OFFLINE_REASON = /could(?:n't| not) resolve host: [\w.-]+|failed to connect to [\w.-]+|offline mode/i;

/**
 * Variables for the makefile of jemalloc, which otherwise compiles every file for a library that Rust does not link, and lists
 * the headers of every file: 45 s of CPU.
 */
const JEMALLOC_MAKEFLAGS = " -- STATIC_LIBS=lib/libjemalloc_pic.a CC_MM=";

/** A cargo command. */
export class CargoBuild {
  /** Crates that are up to date or compiled, and all crates. */
  done = 0;
  total = 0;
  started = false;
  finished = false;
  /** Seconds that the build took. */
  seconds = 0;
  /** Crates that were up to date. @type {number | undefined} */
  #fresh;
  #output = "";

  /**
   * @param {string} name the name in the progress
   * @param {string[]} args
   * @param {{ env?: Record<string, string>, expectedCrates: number, slowCrates: number }} options `expectedCrates` is used until
   *   cargo reports the number of crates; `slowCrates` is the number of average crates that the large last ones take as long as
   */
  constructor(name, args, { env, expectedCrates, slowCrates }) {
    this.name = name;
    this.args = args;
    this.env = env;
    this.expectedCrates = expectedCrates;
    this.slowCrates = slowCrates;
  }

  /** Crates that this build has compiled. */
  get compiled() {
    return this.done - (this.#fresh ?? this.done) + (this.finished && this.#fresh !== undefined ? this.slowCrates : 0);
  }

  /** Average crates that remain to be compiled. */
  get remaining() {
    return this.finished ? 0 : (this.total || this.expectedCrates) - this.done + this.slowCrates;
  }

  /** Runs the build. Throws if it fails, with the output of cargo. */
  async run() {
    this.started = true;
    const began = performance.now();
    const env = {
      ...{ CARGO_TERM_PROGRESS_WHEN: "always", CARGO_TERM_PROGRESS_WIDTH: "80", MAKEFLAGS: JEMALLOC_MAKEFLAGS },
      ...this.env,
    };
    try {
      await captureCommand(["cargo", ...this.args], { env, onOutput: (text) => this.#read(text) });
    } catch (error) {
      const output = this.#output.replace(PROGRESS, "").replace(ROUTINE, "").replace(/^ *\n/gm, "").trim();
      if (OFFLINE.test(output)) {
        const [reason = "the registry cannot be reached"] = OFFLINE_REASON.exec(output) ?? [];
        throw new Error(`cargo could not download crates: check the network connection (${reason})`);
      }
      throw new Error(`${output}\n${/** @type {Error} */ (error).message}`);
    }
    this.finished = true;
    this.seconds = (performance.now() - began) / 1000;
  }

  /** @param {string} text */
  #read(text) {
    this.#output += text;
    for (const [, done, total] of text.matchAll(PROGRESS)) {
      this.done = Number(done);
      this.total = Number(total);
      this.#fresh ??= this.done;
    }
  }
}
