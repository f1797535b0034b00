//! The command line. Every setting of the library is a flag; its help is made from the library's table.

use clap::{Arg, ArgAction, Command};
use heapbeat::config::{SETTINGS, Setting};

const SERVE_EXAMPLES: &str = "\
Every setting is also an environment variable; a flag wins over its variable.

Examples:
  heapbeat serve                                     on port 8080, limit found by itself
  PORT=10000 HEAPBEAT_MEMORY_LIMIT=512MB heapbeat serve
  heapbeat serve --demo --memory-limit 200MB         with routes that eat memory
  curl localhost:8080/health                         what it says
  curl 'localhost:8080/demo/leak?mb=64'              64 MB that never come back
";

/// Commands whose exit code is an answer.
pub(crate) const ANSWERING: [&str; 2] = ["check-memory", "forecast"];

/// The whole command line.
pub(crate) fn command() -> Command {
    Command::new("heapbeat")
        .about("Keeps a memory-bound backend alive, and says why whenever it was not")
        .version(version())
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(serve())
        .subcommand(super::check_memory::command())
        .subcommand(super::run::command())
        .subcommand(super::run::start())
        .subcommand(super::recycle::command())
        .subcommand(super::forecast::command())
        .subcommand(super::apply::command())
        .subcommand(super::convert::command())
}

fn serve() -> Command {
    Command::new("serve")
        .about("Runs the example backend, guarded, with GET /health")
        .after_help(SERVE_EXAMPLES)
        .arg(Arg::new("demo").long("demo").action(ArgAction::SetTrue).help(
            "Adds routes to try the guard on: /demo/work, /demo/leak?mb=1, /demo/churn?mb=64, /demo/panic, \
                       /demo/abort, /demo/hang?s=60",
        ))
        .args(SETTINGS.iter().filter(|setting| !setting.secret).map(flag))
}

/// A setting's flag. Its value stays text: the library's parser reads it, so that variables and flags share one.
fn flag(setting: &'static Setting) -> Arg {
    let flag = Arg::new(setting.flag)
        .long(setting.flag)
        .value_name(setting.shape)
        .help(format!("{}\n[env: {}] [default: {}]", setting.meaning, setting.variable, setting.default));
    // `--unguarded` says as much as `--unguarded on`.
    if setting.shape == "SWITCH" { flag.num_args(0..=1).default_missing_value("on") } else { flag }
}

/// The version, and the commit where the build knew it (Render sets `RENDER_GIT_COMMIT`).
pub(crate) fn version() -> &'static str {
    const COMMIT: Option<&str> = match option_env!("HEAPBEAT_COMMIT") {
        Some(commit) => Some(commit),
        None => option_env!("RENDER_GIT_COMMIT"),
    };
    static VERSION: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    VERSION.get_or_init(|| match COMMIT.filter(|commit| !commit.is_empty()) {
        Some(commit) => format!("{} ({commit})", env!("CARGO_PKG_VERSION")),
        None => env!("CARGO_PKG_VERSION").to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn the_help_names_every_flag_with_its_variable_and_default() {
        let help = serve().term_width(500).render_long_help().to_string();
        for setting in SETTINGS.iter().filter(|setting| !setting.secret) {
            let line = format!("[env: {}] [default: {}]", setting.variable, setting.default);
            let value =
                if setting.shape == "SWITCH" { "[<SWITCH>]" } else { &format!("<{}>", setting.shape) };
            assert!(
                help.contains(&format!("--{} {value}", setting.flag)) && help.contains(&line),
                "{line}\n{help}"
            );
        }
    }
}
