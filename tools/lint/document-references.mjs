// What documents refer to: paths of the repository, and texts that the programs print.

/** Expands `{a,b}`. @param {string} path @returns {string[]} */
const expandBraces = (path) => {
  const [all, before = "", choices = "", after = ""] = /^([^{]*)\{([^}]*)\}(.*)$/.exec(path) ?? [];
  return all === undefined ? [path] : choices.split(",").flatMap((one) => expandBraces(before + one + after));
};

/** Returns the back-quoted texts of a document with their lines. @param {string} text */
const quotedTexts = (text) =>
  text
    .split("\n")
    .flatMap((content, index) =>
      [...content.matchAll(/`([^`]+)`/g)].map(([, quoted = ""]) => ({ line: index + 1, quoted })),
    );

/** @param {string} path */
const toPattern = (path) => path.replaceAll(/[.+^$()|[\]\\]/g, String.raw`\$&`).replaceAll("*", "[^/]*");

/**
 * Finds back-quoted paths that do not exist. A path begins with a top-level folder of the repository; `{a,b}` and `*` stand for several.
 * @param {string} text
 * @param {string[]} files the files of the repository
 * @param {boolean} abridged whether a path of a source file may begin with a folder further down
 * @returns {{ line: number, path: string }[]}
 */
export const findMissingPaths = (text, files, abridged = false) => {
  const folders = new Set(files.filter((file) => file.includes("/")).map((file) => file.slice(0, file.indexOf("/"))));
  const all = files.join("\n");
  return quotedTexts(text).flatMap(({ line, quoted }) => {
    if (!/^[\w.-]+\/[\w./{},*-]*$/.test(quoted)) return [];
    const isWhole = folders.has(quoted.slice(0, quoted.indexOf("/")));
    if (!isWhole && !(abridged && /\.(?:rs|m?js|ftl)$/.test(quoted))) return [];
    return expandBraces(quoted.replace(/\/$/, ""))
      .filter((path) => !new RegExp(`${isWhole ? "^" : "^(?:.*/)?"}${toPattern(path)}(?:/|$)`, "m").test(all))
      .map((path) => ({ line, path }));
  });
};

/** Quoted texts of fewer words are too likely to be something other than output. */
const MIN_WORDS = 4;

/** Values in a message, which the sources have as placeholders. */
const VALUES = /…|\d[\d.,]*|[A-Z]+_[A-Z_]+/;

/** Commands, settings and requests are not output. */
const IS_INPUT = /^(?:heapbeat |cargo |curl |make |npx |openssl |git |GET |POST |PORT=|HEAPBEAT_|<|\{)/;

/**
 * Finds quoted texts of at least four words that the sources do not contain, apart from values.
 * @param {string} text a document
 * @param {string} sources the text of the sources
 * @returns {{ line: number, message: string }[]}
 */
export const findUnprintedTexts = (text, sources) => {
  const printed = sources.replaceAll(/\\\n\s*/g, "");
  return quotedTexts(text).flatMap(({ line, quoted }) => {
    if (IS_INPUT.test(quoted) || quoted.split(" ").length < MIN_WORDS) return [];
    const isPrinted = quoted.split(VALUES).every((part) => printed.includes(part.trim()));
    return isPrinted ? [] : [{ line, message: quoted }];
  });
};
