//! The settings of the library as flags: [`clap::Args`] made from the library's table instead of derived from a struct, so that there
//! is one table for the flags, the variables and the documentation.

use std::collections::HashMap;

use clap::error::Error;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use heapbeat::config::{Config, ConfigError, SETTINGS, Setting, unknown_variables};

use crate::error::RunError;

/// The settings that were given as flags. Values stay text: the library parses flags and variables alike, and reports every bad
/// value at once.
#[derive(Debug, Default)]
pub(crate) struct SettingArgs(HashMap<&'static str, String>);

impl SettingArgs {
    /// Returns settings as if they were given as flags.
    pub(crate) fn from_flags(flags: impl IntoIterator<Item = (&'static str, Option<String>)>) -> Self {
        SettingArgs(flags.into_iter().filter_map(|(flag, value)| Some((flag, value?))).collect())
    }

    /// Reads the configuration from these flags and the environment.
    ///
    /// # Errors
    /// Returns all invalid values at once.
    pub(crate) fn read_config(&self) -> Result<Config, ConfigError> {
        Config::from_flags_and_env(|setting| self.0.get(setting.flag).cloned())
    }

    /// Reads the configuration of a guarded program, to which `PORT` belongs.
    ///
    /// # Errors
    /// Returns all invalid values at once.
    pub(crate) fn read_config_of_program(&self) -> Result<Config, ConfigError> {
        let variable = |name: &str| {
            let value = std::env::var_os(name).filter(|_| name != "PORT")?;
            Some(value.to_string_lossy().into_owned())
        };
        Config::read(|setting| self.0.get(setting.flag).cloned(), variable)
    }

    /// Converts an error of the guard; wrong thresholds are named by the flags or variables that were used, with their values.
    pub(crate) fn describe_error(&self, error: heapbeat::Error) -> RunError {
        match error {
            heapbeat::Error::Thresholds(error) => {
                RunError::Thresholds(error.describe(|variable| self.describe_setting(variable)))
            }
            error => RunError::Guard(error),
        }
    }

    /// Returns the flag or variable that a setting was given with and its value, or its variable if it was not given.
    fn describe_setting(&self, variable: &'static str) -> String {
        let setting = SETTINGS.iter().find(|setting| setting.variable == variable);
        if let Some((flag, value)) = setting.and_then(|setting| self.0.get_key_value(setting.flag)) {
            return format!("--{flag} {value}");
        }
        match std::env::var(variable) {
            Ok(value) if !value.is_empty() => format!("{variable}={value}"),
            _ => variable.to_owned(),
        }
    }
}

/// Logs a warning for each `HEAPBEAT_*` variable that is neither a setting nor one of `others`, which the command with arguments `A` has
/// besides.
pub(crate) fn log_unknown_variables<A: Args>(command: &'static str, others: &[&str]) {
    let arguments = A::augment_args(Command::new(command));
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for (name, meant) in unknown_variables(names, others) {
        let hint = match (flag_of_variable(&arguments, &name), meant) {
            (Some(flag), _) => format!("it is the flag --{flag} of `heapbeat {command}`"),
            (None, Some(meant)) => format!("did you mean {meant}?"),
            (None, None) => {
                format!("`heapbeat {command} --help` and docs/configuration.md list all settings")
            }
        };
        tracing::warn!("{name} is not a setting and has no effect; {hint}");
    }
}

/// Returns the flag of a command that a variable is named after, such as `hold` for `HEAPBEAT_HOLD`.
fn flag_of_variable(command: &Command, variable: &str) -> Option<String> {
    let flag = variable.strip_prefix("HEAPBEAT_")?.to_ascii_lowercase().replace('_', "-");
    command.get_arguments().filter_map(Arg::get_long).any(|it| it == flag).then_some(flag)
}

impl Args for SettingArgs {
    fn augment_args(command: Command) -> Command {
        command.args(flag_settings().map(flag_argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given = flag_settings()
            .filter(|setting| matches.value_source(setting.flag) == Some(ValueSource::CommandLine));
        let given = given
            .filter_map(|setting| Some((setting.flag, matches.get_one::<String>(setting.flag)?.clone())));
        Ok(SettingArgs(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Returns the settings that have a flag: all but secrets.
fn flag_settings() -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(|setting| !setting.secret)
}

/// Builds the flag of a setting, with its variable and default in the help.
fn flag_argument(setting: &'static Setting) -> Arg {
    let argument = Arg::new(setting.flag)
        .long(setting.flag)
        .value_name(setting.value_name)
        .help(setting.help)
        .env(setting.variable)
        .hide_env_values(true)
        .default_value(setting.default);
    // `--unguarded` means `--unguarded on`.
    if setting.value_name == "SWITCH" {
        argument.num_args(0..=1).default_missing_value("on")
    } else {
        argument
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_is_named_after_a_flag_is_traced_to_it() {
        let command =
            Command::new("run").args([Arg::new("a").long("hold"), Arg::new("b").long("ready-path")]);
        let cases = [
            ("HEAPBEAT_HOLD", Some("hold")),
            ("HEAPBEAT_READY_PATH", Some("ready-path")),
            ("HEAPBEAT_SECERT", None),
            ("HOLD", None),
        ];
        for (variable, flag) in cases {
            assert_eq!(flag_of_variable(&command, variable).as_deref(), flag, "{variable}");
        }
    }

    #[test]
    fn the_help_names_every_flag_with_its_variable_and_default() {
        let command = SettingArgs::augment_args(Command::new("serve").term_width(500));
        let help = command.clone().render_long_help().to_string();
        for setting in flag_settings() {
            let value = match setting.value_name {
                "SWITCH" => "[<SWITCH>]",
                name => &format!("<{name}>"),
            };
            let expected = [
                format!("--{} {value}", setting.flag),
                format!("[env: {}]", setting.variable),
                format!("[default: {}]", setting.default),
            ];
            assert!(expected.iter().all(|text| help.contains(text)), "{expected:?}\n{help}");
        }
    }

    #[test]
    fn only_flags_of_the_command_line_count_as_flags() {
        let command = SettingArgs::augment_args(Command::new("serve"));
        let matches = command.try_get_matches_from(["serve", "--port", "81", "--unguarded"]).unwrap();
        let mut given: Vec<_> = SettingArgs::from_arg_matches(&matches).unwrap().0.into_iter().collect();
        given.sort_unstable();
        assert_eq!(given, [("port", "81".to_owned()), ("unguarded", "on".to_owned())]);
    }
}
