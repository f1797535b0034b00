// The files of a project that deploys the edge: what `heapbeat-edge init` writes. They are made from the answers to its questions and from
// the repository's wrangler.toml, and nothing else.

import { renderVariable } from "./secret-file.mjs";

/**
 * @typedef {object} Answers
 * @property {string} name the name of the Worker, part of its address
 * @property {string} title the title of the page
 * @property {{ kind: "heapbeat" | "http", url: string } | undefined} monitor
 */

/** What the folder holds that belongs into no repository. */
const IGNORED = ["node_modules", ".wrangler", ".heapbeat", ".dev.vars"];

/** The secrets of the Worker, with what they are for. */
export const SECRETS = {
  HEAPBEAT_SECRET:
    "Signs probes; the backend has the same value in HEAPBEAT_SECRET. A random text: openssl rand -hex 32",
  ADMIN_TOKEN: "Authorizes the owner's requests, such as heapbeat apply. A random text: openssl rand -hex 32",
};

/** What the owner may set in wrangler.toml. */
const VARIABLES = {
  MONITORS: "What is watched: a list of monitors, each with id, name, kind and url",
  PAGE: "The title, links and colors of the status page",
};

/** Replaces a text that occurs exactly once. @param {string} text @param {string | RegExp} part @param {string} by */
function replaceOnce(text, part, by) {
  const [before, after, ...more] = text.split(part);
  if (after === undefined || more.length > 0) throw new Error(`wrangler.toml does not have "${part}" exactly once`);
  return before + by + after;
}

/** The wrangler.toml of a project. @param {string} template that of the repository @param {Answers} answers */
export function renderConfig(template, { name, title, monitor }) {
  const root = "node_modules/heapbeat-edge";
  let text = replaceOnce(
    template,
    "# The edge: a Cloudflare Worker that monitors your backend. docs/deploy.md describes the steps.",
    "# A status page and the monitors behind it: npm run deploy puts it on Cloudflare, npm run dev runs it here.",
  );
  text = replaceOnce(text, 'name = "heapbeat"\n', `name = ${JSON.stringify(name)}\n`);
  text = replaceOnce(text, '"edge/build/index.js"', `"${root}/edge/build/index.js"`);
  text = replaceOnce(text, '[build]\ncommand = "make --no-print-directory wasm"\n\n', "");
  text = replaceOnce(text, '"edge/assets"', `"${root}/edge/assets"`);
  const [settings, monitors] = text.split("# The monitors.");
  const page = `[vars.PAGE]\ntitle = ${JSON.stringify(title)}\n\n`;
  const list = `# The monitors.${monitors.replace("`make deploy`", "`npm run deploy`")}`;
  return settings + page + (monitor ? setMonitor(list, monitor) : commentOut(list));
}

/** @param {string} text @param {{ kind: string, url: string }} monitor */
function setMonitor(text, { kind, url }) {
  const withUrl = replaceOnce(
    text,
    'url = "https://api.example.com/health"        # replace with your server\'s URL',
    `url = ${JSON.stringify(url)}`,
  );
  return replaceOnce(withUrl, 'kind = "heapbeat"  ', `kind = ${JSON.stringify(kind)}  `);
}

/** @param {string} text */
const commentOut = (text) => text.replace(/^(?=[^#\n])/gm, "# ");

/** The .dev.vars of a project. Throws if it cannot hold a value. @param {Record<keyof typeof SECRETS, string>} values */
export const renderSecrets = (values) =>
  Object.entries(values)
    .map(([name, value]) => renderVariable(name, value))
    .join("");

/**
 * The files of a project, without its secrets: the path of each, and its text.
 * @param {{ template: string, version: string, answers: Answers }} options @returns {Record<string, string>}
 */
export function renderProject({ template, version, answers }) {
  const describe = (/** @type {Record<string, string>} */ all) =>
    Object.fromEntries(Object.entries(all).map(([name, description]) => [name, { description }]));
  const manifest = {
    name: answers.name,
    private: true,
    scripts: { deploy: "heapbeat-edge deploy --yes", dev: "heapbeat-edge dev" },
    dependencies: { "heapbeat-edge": `^${version}` },
    // The packages below wrangler work without their install scripts.
    allowScripts: { esbuild: false, workerd: false },
    // Cloudflare's deploy button shows these beside its fields.
    cloudflare: { bindings: { ...describe(SECRETS), ...describe(VARIABLES) } },
  };
  const empty = /** @type {Record<keyof typeof SECRETS, string>} */ (
    Object.fromEntries(Object.keys(SECRETS).map((name) => [name, ""]))
  );
  return {
    "package.json": `${JSON.stringify(manifest, null, 2)}\n`,
    "wrangler.toml": renderConfig(template, answers),
    ".dev.vars.example": renderSecrets(empty),
    ".gitignore": IGNORED.map((line) => `${line}\n`).join(""),
  };
}
