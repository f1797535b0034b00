// The rules of tools/lint/versions.mjs.

/** Fields that a crate takes from the workspace. */
const INHERITED = ["version", "edition", "rust-version", "license", "repository"];

/** Fields that crates.io shows of a crate. */
const SHOWN = ["description", "readme", "keywords", "categories"];

/** Whether a crate is not published: the workspace's default is not to. @param {any} crate */
const isInternal = ({ publish }) => publish === false || publish?.workspace === true;

/** The changelog's text about a version, or about what is not released yet. @param {string} changelog @param {string} version */
export function releaseNotes(changelog, version) {
  const sections = changelog.split(/^## /m).slice(1);
  const found = sections.find((section) => section.split(/\s/, 1)[0].replace(/^\[|\]$/g, "") === version);
  return found?.slice(found.indexOf("\n")).trim();
}

/**
 * Dependencies whose requirement is not the version of Cargo.lock. With that rule the least versions that an application may have are
 * those that the tests run with.
 * @param {Record<string, any>} dependencies of the workspace @param {{ name: string, version: string }[]} locked
 */
export function findUntestedVersions(dependencies, locked) {
  const problems = [];
  for (const [name, dependency] of Object.entries(dependencies)) {
    if (dependency.path) continue;
    const required = (dependency.version ?? dependency).replace(/^=/, "");
    // Without build metadata such as `+spec-1.1.0`, which requirements do not have.
    const versions = locked.filter((crate) => crate.name === name).map((crate) => crate.version.replace(/\+.*/, ""));
    if (!versions.includes(required)) {
      problems.push(`Cargo.toml: ${name} is required from "${required}" on, and tested with ${versions.join(", ")}`);
    }
  }
  return problems;
}

/**
 * Dependencies that a crate does not take from the workspace, where their versions are compared with Cargo.lock. A path alone is a crate
 * of this repository, for its tests.
 * @param {string} folder @param {any} manifest
 */
function findOwnRequirements(folder, manifest) {
  const problems = [];
  for (const table of [manifest, ...Object.values(manifest.target ?? {})]) {
    for (const kind of ["dependencies", "dev-dependencies", "build-dependencies"]) {
      for (const [name, dependency] of Object.entries(table[kind] ?? {})) {
        const isLocal = dependency.path !== undefined && dependency.version === undefined;
        if (dependency.workspace !== true && !isLocal) {
          problems.push(
            `${folder}/Cargo.toml: ${name} has to be required by the workspace: \`${name}.workspace = true\``,
          );
        }
      }
    }
  }
  return problems;
}

/**
 * Mentions of this repository, or of its images, under another address than that of Cargo.toml. Programs take it from there; texts, which
 * cannot, are compared with it.
 * @param {string} repository @param {Record<string, string>} texts by path
 */
export function findOtherAddresses(repository, texts) {
  const path = repository.replace("https://github.com/", "");
  const problems = [];
  for (const [file, text] of Object.entries(texts)) {
    for (const [found, name] of text.matchAll(/(?:github\.com|ghcr\.io)\/([\w.-]+\/heapbeat)\b/g)) {
      if (name !== path) problems.push(`${file}: ${found} is not the repository ${path} of Cargo.toml`);
    }
  }
  return problems;
}

/**
 * @param {{ workspace: any, manifests: Record<string, any>, locked: { name: string, version: string }[], changelog: string, tag?: string }} project
 *   `tag` is that of a release
 * @returns {string[]}
 */
export function findVersionProblems({ workspace, manifests, locked, changelog, tag }) {
  const { version } = workspace.package;
  const problems = findUntestedVersions(workspace.dependencies, locked);
  for (const [folder, manifest] of Object.entries(manifests)) {
    const { package: crate, "dev-dependencies": tests = {} } = manifest;
    for (const field of INHERITED) {
      if (crate[field]?.workspace !== true)
        problems.push(`${folder}/Cargo.toml: \`${field}.workspace = true\` is missing`);
    }
    problems.push(...findOwnRequirements(folder, manifest));
    if (isInternal(crate)) continue;
    for (const field of SHOWN.filter((field) => crate[field] === undefined)) {
      problems.push(`${folder}/Cargo.toml: crates.io shows \`${field}\`, which is missing`);
    }
    // A version makes crates.io look for what tests use, which may need this crate itself.
    for (const [name, { workspace: isShared }] of Object.entries(tests)) {
      if (isShared && workspace.dependencies[name]?.path && workspace.dependencies[name].version) {
        problems.push(`${folder}/Cargo.toml: tests use ${name}, which has to be named by its path alone`);
      }
    }
    const tables = [manifest, ...Object.values(manifest.target ?? {})];
    for (const name of tables.flatMap(({ dependencies = {} }) => Object.keys(dependencies))) {
      const { path, version: required } = workspace.dependencies[name] ?? {};
      if (path && required !== version) {
        problems.push(
          `Cargo.toml: ${folder} needs ${name} in version "${version}", not "${required}", to be published`,
        );
      }
      if (path && manifests[path] && isInternal(manifests[path].package)) {
        problems.push(`${folder}/Cargo.toml: ${name} is not published`);
      }
    }
  }
  if (tag && tag !== `v${version}`) problems.push(`the tag is ${tag}, and Cargo.toml has the version ${version}`);
  if (!releaseNotes(changelog, tag ? version : "Unreleased")) {
    problems.push(`CHANGELOG.md has no section "## ${tag ? version : "Unreleased"}"`);
  }
  return problems;
}
