// Writes one file for each language, with its messages and the templates; the Worker fetches it from the platform. Messages that a
// language does not have are English.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, extname, join } from "node:path";

const TEMPLATES = "edge/templates";
const MESSAGES = "edge/messages";
const OUT = "edge/assets/pages";

/** @param {string} folder @returns {Record<string, string>} the files by their names without what stands behind the dot */
const texts = (folder) =>
  Object.fromEntries(
    readdirSync(folder).map((name) => [basename(name, extname(name)), readFileSync(join(folder, name), "utf8")]),
  );

export function writePages() {
  const templates = texts(TEMPLATES);
  const languages = texts(MESSAGES);
  const english = JSON.parse(languages.en ?? "{}");
  mkdirSync(OUT, { recursive: true });
  for (const [language, own] of Object.entries(languages)) {
    const messages = { ...english, ...JSON.parse(own) };
    writeFileSync(join(OUT, `${language}.json`), JSON.stringify({ templates, messages }));
  }
}
