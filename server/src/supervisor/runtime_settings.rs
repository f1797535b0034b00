//! Environment variables that fit the heap of a program's runtime into its memory limit.
//!
//! Node does not fully respect a container's limit, and Go's collector does not read it. Variables reach a runtime through npm, shells
//! and scripts, which pass them on; flags would not. A runtime is recognized by the words of the command. Where none is, as in
//! `bash start.sh`, the variables of Node and of Go are both set, as other programs ignore them.

use std::ffi::OsString;

use heapbeat_shared::Bytes;

use super::redact::redact;

/// Programs that are Node or start Node.
const NODE: &[&str] =
    &["node", "nodejs", "npm", "npx", "yarn", "pnpm", "corepack", "next", "tsx", "ts-node", "nest", "nuxt"];

/// Programs that start a JVM.
const JAVA: &[&str] = &["java", "gradle", "gradlew", "mvn", "mvnw", "sbt"];

/// Programs in a language without a memory setting.
const OTHER: &[&str] = &[
    "python",
    "python3",
    "gunicorn",
    "uvicorn",
    "hypercorn",
    "celery",
    "flask",
    "ruby",
    "bundle",
    "puma",
    "rails",
    "php",
    "php-fpm",
    "perl",
    "deno",
    "bun",
    "beam.smp",
    "mix",
    "dotnet",
];

/// The variables to set for a program, and what the log says about them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RuntimeSettings {
    pub(super) variables: Vec<(&'static str, String)>,
    pub(super) notices: Vec<String>,
}

/// A variable that limits the heap of one runtime.
struct HeapSetting {
    variable: &'static str,
    /// Words by which the user has set it already.
    own: &'static [&'static str],
    option: String,
    /// The language, as the log names it where it is not certain.
    language: &'static str,
}

/// Least memory for which one of several instances is set, in MB: a runtime with less gives up with what a small program needs.
const LEAST_SHARE_MB: u64 = 128;

/// Returns the variables for the command of each of `instances`, which share the limit. Settings that `given` returns are the user's and are
/// kept.
pub(super) fn runtime_settings(
    command: &[OsString],
    limit: Bytes,
    instances: u32,
    given: impl Fn(&str) -> Option<OsString>,
) -> RuntimeSettings {
    let words = words(command);
    let has = |names: &[&str]| words.iter().any(|word| names.contains(&&**word));
    let first_is = |names: &[&str]| words.first().is_some_and(|word| names.contains(&&**word));
    // A program that is known itself decides; a wrapper is followed by what it starts.
    let certain = [NODE, JAVA, OTHER].into_iter().find(|names| first_is(names));
    let runs = |names: &[&str]| certain.map_or_else(|| has(names), |known| known == names);
    let (node, java, other) = (runs(NODE), runs(JAVA), runs(OTHER));
    let unknown = !node && !java && !other;
    let mb = share_mb(limit.0 >> 20, instances);
    let whose = if instances > 1 { "each instance's share of " } else { "" };
    let settings = [
        (node || unknown).then(|| HeapSetting {
            variable: "NODE_OPTIONS",
            own: &["max-old-space-size", "max_old_space_size"],
            option: format!("--max-old-space-size={}", old_space_mb(mb)),
            language: "Node",
        }),
        java.then(|| HeapSetting {
            variable: "JAVA_TOOL_OPTIONS",
            own: &["MaxRAM", "-Xmx"],
            option: format!("-XX:MaxRAM={mb}m -XX:MaxRAMPercentage=75"),
            language: "Java",
        }),
        unknown.then(|| HeapSetting {
            variable: "GOMEMLIMIT",
            own: &[""],
            option: format!("{}MiB", mb * 9 / 10),
            language: "Go",
        }),
    ];
    let mut result = RuntimeSettings::default();
    for setting in settings.into_iter().flatten() {
        let before = given(setting.variable).map(|value| value.to_string_lossy().into_owned());
        let is_own = |text: &str| setting.own.iter().any(|word| text.contains(word));
        // An argument such as `node --max-old-space-size=200` has precedence anyway.
        let in_arguments = setting.variable != "GOMEMLIMIT"
            && command.iter().any(|argument| is_own(&argument.to_string_lossy()));
        if in_arguments || before.as_deref().is_some_and(is_own) {
            continue;
        }
        let value = before.map_or_else(String::new, |before| before + " ") + &setting.option;
        let condition =
            if unknown { format!(" (if it is written in {})", setting.language) } else { String::new() };
        result.notices.push(format!(
            "set {}={}{condition} for {whose}the memory limit of {limit}",
            setting.variable,
            redact(&value)
        ));
        result.variables.push((setting.variable, value));
    }
    result
}

/// Returns the memory that one of several instances may have, all in MB.
fn share_mb(limit_mb: u64, instances: u32) -> u64 {
    (limit_mb / u64::from(instances.max(1))).max(LEAST_SHARE_MB.min(limit_mb))
}

/// Returns the cap of V8's old generation for a memory limit, both in MB.
///
/// V8 gives up when its old space cannot hold what the young generation would move there, before it is full. With the cap at the limit
/// that is at 105 % of the limit or more, by `bench/heap-caps.mjs`: above the recycle threshold. With a cap below the limit it was
/// below it; a larger cap lets V8 collect later than it could.
const fn old_space_mb(limit_mb: u64) -> u64 {
    limit_mb
}

/// Returns the names of the programs that a command may start: its words, also those of a shell's command, without folders.
fn words(command: &[OsString]) -> Vec<String> {
    let arguments = command.iter().map(|argument| argument.to_string_lossy().into_owned());
    arguments
        .flat_map(|argument| {
            let words = argument.split(|char: char| char.is_whitespace() || ";&|()\"'`=".contains(char));
            let names = words.map(|word| word.rsplit('/').next().unwrap_or_default().to_owned());
            names.filter(|name| !name.is_empty()).collect::<Vec<_>>()
        })
        .map(|name| version_removed(&name).to_owned())
        .collect()
}

/// `python3.12` is `python3`.
fn version_removed(name: &str) -> &str {
    if name.starts_with("python3.") { "python3" } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(command: &[&str], set: &[(&str, &str)]) -> RuntimeSettings {
        let command: Vec<OsString> = command.iter().map(OsString::from).collect();
        let given = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
        runtime_settings(&command, Bytes::from_mb(512), 1, given)
    }

    type Variables<'a> = &'a [(&'a str, &'a str)];

    const CAP: &str = "--max-old-space-size=512";

    #[test]
    fn runtimes_get_the_limit_unless_the_user_has_set_one() {
        let java = "-XX:MaxRAM=512m -XX:MaxRAMPercentage=75";
        let node: &[(&str, &str)] = &[("NODE_OPTIONS", CAP)];
        let both: &[(&str, &str)] = &[("NODE_OPTIONS", CAP), ("GOMEMLIMIT", "460MiB")];
        let appended = format!("--trace-gc {CAP}");
        let appended: &[(&str, &str)] = &[("NODE_OPTIONS", &appended)];
        // Command, variables of the user, expected variables.
        let cases: [(&[&str], Variables<'_>, Variables<'_>); 19] = [
            (&["/usr/bin/node", "a.js"], &[], node),
            (&["npm", "start"], &[], node),
            (&["sh", "-c", "exec node a.js"], &[], node),
            (&["bash", "-c", "cd /app&&npx tsx a.ts"], &[], node),
            (&["docker-entrypoint.sh", "node", "a.js"], &[], node),
            (&["env", "A=b", "node", "a.js"], &[], node),
            (&["node", "a.js"], &[("NODE_OPTIONS", "--trace-gc")], appended),
            (&["node", "a.js"], &[("NODE_OPTIONS", "--max-old-space-size=100")], &[]),
            (&["node", "--max-old-space-size=100", "a.js"], &[], &[]),
            (&["sh", "-c", "node --max_old_space_size=100 a.js"], &[], &[]),
            (&["java", "-jar", "a.jar"], &[], &[("JAVA_TOOL_OPTIONS", java)]),
            (&["java", "-Xmx64m", "-jar", "a.jar"], &[], &[]),
            (&["java", "-jar", "a.jar"], &[("JAVA_TOOL_OPTIONS", "-Xmx64m")], &[]),
            (&["python3", "node.py", "node"], &[], &[]),
            (&["sh", "-c", "gunicorn app:app"], &[], &[]),
            (&["/venv/bin/python3.12", "a.py"], &[], &[]),
            (&["./api"], &[], both),
            (&["bash", "start.sh"], &[], both),
            (&["./api"], &[("GOMEMLIMIT", "off"), ("NODE_OPTIONS", CAP)], &[]),
        ];
        for (command, set, expected) in cases {
            let found = settings(command, set).variables;
            let found: Vec<(&str, &str)> = found.iter().map(|(name, value)| (*name, &**value)).collect();
            assert_eq!(found, expected, "{command:?} {set:?}");
        }
    }

    #[test]
    fn several_instances_are_set_for_their_share_of_the_limit() {
        for (limit, instances, share) in
            [(512, 0, 512), (512, 1, 512), (512, 2, 256), (512, 8, 128), (100, 4, 100)]
        {
            let command = ["node".into()];
            let settings = runtime_settings(&command, Bytes::from_mb(limit), instances, |_| None);
            assert_eq!(
                settings.variables[0].1,
                format!("--max-old-space-size={share}"),
                "{limit} {instances}"
            );
            let says_share = settings.notices[0].contains("for each instance's share of the memory limit of");
            assert_eq!(says_share, instances > 1, "{:?}", settings.notices);
        }
    }

    #[test]
    fn the_log_says_for_which_language_a_variable_is_unless_that_is_certain() {
        let node = settings(&["npm", "start"], &[("NODE_OPTIONS", "--title=a")]).notices;
        assert_eq!(
            node,
            ["set NODE_OPTIONS=--title=a --max-old-space-size=512 for the memory limit of 512.0 MB"]
        );
        assert_eq!(
            settings(&["./api"], &[]).notices,
            [
                "set NODE_OPTIONS=--max-old-space-size=512 (if it is written in Node) for the memory limit of 512.0 MB",
                "set GOMEMLIMIT=460MiB (if it is written in Go) for the memory limit of 512.0 MB"
            ]
        );
    }
}
