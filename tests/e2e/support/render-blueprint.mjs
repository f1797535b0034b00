// Render's Blueprint fields for a native web service, after https://render.com/docs/blueprint-spec (read in 2026).

const RUNTIMES = ["docker", "elixir", "go", "image", "node", "python", "ruby", "rust", "static"];
const PLANS = ["free", "starter", "standard", "pro", "pro plus", "pro max", "pro ultra"];
const REGIONS = ["oregon", "ohio", "virginia", "frankfurt", "singapore"];
const TYPES = ["web", "pserv", "worker", "cron", "keyvalue"];

/** @typedef {(value: any, at: string) => string[]} Rule */

/** @type {(expected: string, good: (value: any) => boolean) => Rule} */
const rule = (expected, good) => (value, at) => (good(value) ? [] : [`${at} is ${JSON.stringify(value)}: ${expected}`]);

const text = rule("it is a text", (value) => typeof value === "string" && value !== "");
const truth = rule("it is true or false", (value) => typeof value === "boolean");
/** @param {string[]} words */
const oneOf = (words) => rule(`it is one of ${words.join(", ")}`, (value) => words.includes(value));
/** @param {number} low @param {number} high */
const whole = (low, high) =>
  rule(
    `it is a whole number from ${low} to ${high}`,
    (value) => Number.isInteger(value) && value >= low && value <= high,
  );

/** @type {Record<string, Rule>} */
const VARIABLE = {
  key: text,
  value: rule("it is a text or a number", (value) => ["string", "number"].includes(typeof value)),
  generateValue: rule("it is true", (value) => value === true),
  sync: rule("it is false", (value) => value === false),
  fromGroup: text,
};

/** @type {Record<string, Rule>} */
const SERVICE = {
  type: oneOf(TYPES),
  name: text,
  runtime: oneOf(RUNTIMES),
  plan: oneOf(PLANS),
  region: oneOf(REGIONS),
  repo: text,
  branch: text,
  rootDir: text,
  buildCommand: text,
  startCommand: text,
  preDeployCommand: text,
  healthCheckPath: rule(
    "it is a path that begins with /",
    (value) => typeof value === "string" && value.startsWith("/"),
  ),
  autoDeployTrigger: oneOf(["commit", "checksPass", "off"]),
  maxShutdownDelaySeconds: whole(1, 300),
  numInstances: whole(1, 100),
  envVars: (value, at) =>
    Array.isArray(value) ? value.flatMap((entry, i) => variable(entry, `${at}[${i}]`)) : [`${at} is not a list`],
  autoDeploy: truth,
};

/** @param {any} entry @param {string} at */
function variable(entry, at) {
  const sources = ["value", "generateValue", "sync", "fromGroup"].filter((source) => entry[source] !== undefined);
  const found = fields(entry, VARIABLE, at, entry.fromGroup ? [] : ["key"]);
  return sources.length === 1 ? found : [...found, `${at} has no value, or more than one: ${sources}`];
}

/** @param {any} value @param {Record<string, Rule>} rules @param {string} at @param {string[]} required */
function fields(value, rules, at, required) {
  const missing = required.filter((name) => value[name] === undefined).map((name) => `${at}.${name} is missing`);
  const wrong = Object.entries(value)
    .filter(([, inner]) => inner !== undefined)
    .flatMap(
      ([name, inner]) => rules[name]?.(inner, `${at}.${name}`) ?? [`${at}.${name} is not a field of a Blueprint`],
    );
  return [...missing, ...wrong];
}

/** Everything in a parsed render.yaml that Render would refuse. @param {any} blueprint @returns {string[]} */
export function problems(blueprint) {
  const unknown = Object.keys(blueprint).filter(
    (name) => !["services", "databases", "envVarGroups", "previews"].includes(name),
  );
  const required = ["type", "name", "runtime", "buildCommand", "startCommand"];
  return [
    ...unknown.map((name) => `${name} is not a field of a Blueprint`),
    ...(blueprint.services ?? []).flatMap((/** @type {any} */ service, /** @type {number} */ i) =>
      fields(service, SERVICE, `services[${i}]`, required),
    ),
  ];
}
