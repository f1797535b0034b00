//! Errors of the configuration: the name of the setting as it was given, its value, and what is expected.

use std::fmt;

use super::Setting;

/// Where a value was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the environment.
    Variable,
    /// On the command line.
    Flag,
}

/// One value that cannot be used.
#[derive(Clone, Debug)]
pub struct SettingProblem {
    /// The setting that it was given for.
    pub setting: &'static Setting,
    /// Name of the flag, without dashes, by which the command takes the setting.
    pub flag: &'static str,
    /// Where it was given.
    pub origin: Origin,
    /// The value; `None` for a secret, which is never shown.
    pub value: Option<String>,
    /// What is expected instead.
    pub expected: String,
}

impl fmt::Display for SettingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            Origin::Variable => f.write_str(self.setting.variable)?,
            Origin::Flag => write!(f, "--{}", self.flag)?,
        }
        match &self.value {
            Some(value) => write!(f, " is {value:?}: {}", self.expected),
            None => write!(f, " cannot be used: {}", self.expected),
        }
    }
}

/// Every value that cannot be used, one a line: also by `Debug`, as Rust prints the error of a `main` that returns one.
#[derive(Clone)]
pub struct ConfigError {
    /// At least one problem.
    pub problems: Vec<SettingProblem>,
}

impl ConfigError {
    /// Names the flag of a setting as the command that read it does.
    #[must_use]
    pub fn with_flag(mut self, setting: &str, flag: &'static str) -> Self {
        for problem in self.problems.iter_mut().filter(|problem| problem.setting.flag == setting) {
            problem.flag = flag;
        }
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigError {}
