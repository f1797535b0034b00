//! What is said about a bad setting: its name as it was given, its value, and what would be right.

use std::fmt;

use super::Setting;

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The environment.
    Variable,
    /// The command line.
    Flag,
}

/// One value that cannot be used.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The setting it was meant for.
    pub setting: &'static Setting,
    /// Where it came from.
    pub origin: Origin,
    /// What was given; never that of a secret.
    pub value: Option<String>,
    /// What would be right.
    pub right: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            Origin::Variable => f.write_str(self.setting.variable)?,
            Origin::Flag => write!(f, "--{}", self.setting.flag)?,
        }
        match &self.value {
            Some(value) => write!(f, " is {value:?}: {}", self.right),
            None => write!(f, " cannot be used: {}", self.right),
        }
    }
}

/// Every value that cannot be used, one a line.
#[derive(Clone, Debug)]
pub struct ConfigError {
    /// At least one.
    pub problems: Vec<Problem>,
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

impl std::error::Error for ConfigError {}
