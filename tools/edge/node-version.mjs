// The version of Node that wrangler runs on. Without a look at it, `dev` would only say that wrangler has ended.

/** The least version, as wrangler states it. */
const LEAST = [22, 12];

/**
 * Says what is wrong with a version of Node; `undefined` if nothing is.
 * @param {string} version such as `22.12.0`
 */
export function describeOldNode(version) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [leastMajor = 0, leastMinor = 0] = LEAST;
  const isOld = major < leastMajor || (major === leastMajor && minor < leastMinor);
  return isOld ? `this is Node ${version}, and wrangler runs on ${LEAST.join(".")} or later: update Node` : undefined;
}
