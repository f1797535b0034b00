// The fields of a Render Blueprint for a native web service, by https://render.com/docs/blueprint-spec (read in 2026).

const RUNTIMES = ["docker", "elixir", "go", "image", "node", "python", "ruby", "rust", "static"];
const PLANS = ["free", "starter", "standard", "pro", "pro plus", "pro max", "pro ultra"];
const REGIONS = ["oregon", "ohio", "virginia", "frankfurt", "singapore"];
const TYPES = ["web", "pserv", "worker", "cron", "keyvalue"];

/** @typedef {(value: any, at: string) => string[]} Rule */

/** @type {(expected: string, isValid: (value: any) => boolean) => Rule} */
const defineRule = (expected, isValid) => (value, at) =>
  isValid(value) ? [] : [`${at} is ${JSON.stringify(value)}: ${expected}`];

const text = defineRule("it is a text", (value) => typeof value === "string" && value !== "");
const boolean = defineRule("it is true or false", (value) => typeof value === "boolean");
/** @param {string[]} words */
const oneOf = (words) => defineRule(`it is one of ${words.join(", ")}`, (value) => words.includes(value));
/** @param {number} low @param {number} high */
const wholeNumber = (low, high) =>
  defineRule(
    `it is a whole number from ${low} to ${high}`,
    (value) => Number.isInteger(value) && value >= low && value <= high,
  );

/** @type {Record<string, Rule>} */
const VARIABLE = {
  key: text,
  value: defineRule("it is a text or a number", (value) => ["string", "number"].includes(typeof value)),
  generateValue: defineRule("it is true", (value) => value === true),
  sync: defineRule("it is false", (value) => value === false),
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
  healthCheckPath: defineRule(
    "it is a path that begins with /",
    (value) => typeof value === "string" && value.startsWith("/"),
  ),
  autoDeployTrigger: oneOf(["commit", "checksPass", "off"]),
  maxShutdownDelaySeconds: wholeNumber(1, 300),
  numInstances: wholeNumber(1, 100),
  envVars: (value, at) =>
    Array.isArray(value)
      ? value.flatMap((entry, i) => findVariableProblems(entry, `${at}[${i}]`))
      : [`${at} is not a list`],
  autoDeploy: boolean,
};

/** @param {any} entry @param {string} at */
function findVariableProblems(entry, at) {
  const sources = ["value", "generateValue", "sync", "fromGroup"].filter((source) => entry[source] !== undefined);
  const found = findFieldProblems(entry, VARIABLE, at, entry.fromGroup ? [] : ["key"]);
  return sources.length === 1 ? found : [...found, `${at} has no value, or more than one: ${sources}`];
}

/** @param {any} value @param {Record<string, Rule>} rules @param {string} at @param {string[]} required */
function findFieldProblems(value, rules, at, required) {
  const missing = required.filter((name) => value[name] === undefined).map((name) => `${at}.${name} is missing`);
  const wrong = Object.entries(value)
    .filter(([, inner]) => inner !== undefined)
    .flatMap(
      ([name, inner]) => rules[name]?.(inner, `${at}.${name}`) ?? [`${at}.${name} is not a field of a Blueprint`],
    );
  return [...missing, ...wrong];
}

/** Finds everything in a parsed render.yaml that Render would refuse. @param {any} blueprint @returns {string[]} */
export function findBlueprintProblems(blueprint) {
  const unknown = Object.keys(blueprint).filter(
    (name) => !["services", "databases", "envVarGroups", "previews"].includes(name),
  );
  const required = ["type", "name", "runtime", "buildCommand", "startCommand"];
  return [
    ...unknown.map((name) => `${name} is not a field of a Blueprint`),
    ...(blueprint.services ?? []).flatMap((/** @type {any} */ service, /** @type {number} */ i) =>
      findFieldProblems(service, SERVICE, `services[${i}]`, required),
    ),
  ];
}
