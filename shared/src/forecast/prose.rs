//! Formats an assessment: as a sentence for an alert, as a few lines for a terminal, as a JSON object for a program.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::assessment::{Assessment, Basis, Rate, TimeToLimit, Verdict};
use crate::units::Bytes;

impl Assessment {
    /// Formats the assessment as one JSON object: the fields, the newest reading, and the sentence.
    pub fn to_json(&self, newest: Bytes) -> String {
        #[derive(Serialize)]
        struct AssessmentJson {
            #[serde(flatten)]
            assessment: Assessment,
            newest_bytes: Bytes,
            limit_reached: bool,
            sentence: String,
        }
        let json = AssessmentJson {
            assessment: self.at_reading(newest),
            newest_bytes: newest,
            limit_reached: newest >= self.limit,
            sentence: self.sentence(newest),
        };
        serde_json::to_string(&json).expect("numbers and fixed words always serialize")
    }

    /// Formats the assessment as several lines for a terminal, without colors, each with a newline. `newest` is the newest reading.
    pub fn report(&self, newest: Bytes) -> String {
        TerminalText { assessment: &self.at_reading(newest), newest }.to_string()
    }

    /// Returns the assessment after the newest reading: if that has reached the limit, there is no time until then.
    fn at_reading(&self, newest: Bytes) -> Assessment {
        Assessment { time_to_limit: self.time_to_limit.filter(|_| newest < self.limit), ..*self }
    }

    /// Returns the sentence. If the newest reading has reached the limit, that is the first one.
    fn sentence(&self, newest: Bytes) -> String {
        let assessment = self.at_reading(newest);
        match newest.0.checked_sub(self.limit.0) {
            None => assessment.to_string(),
            Some(0) => format!("Memory is at the limit of {}. {assessment}", self.limit),
            Some(above) => format!(
                "Memory is at {newest}, {} above the limit of {}. {assessment}",
                Bytes(above),
                self.limit
            ),
        }
    }

    /// Returns the reason for the verdict, as the second half of a sentence.
    fn reason(&self) -> &'static str {
        match self.basis {
            Basis::InsufficientData => "not enough data yet to distinguish a leak from a warm-up",
            Basis::TooNoisy => "the usual variation is as large as the remaining room",
            Basis::NoGrowth => "its lowest values do not rise",
            Basis::GrowthStopped => "it grew, and has stopped growing",
            Basis::SingleStep => "it rose once, and has not changed since",
            Basis::GrowthSlowing => "the growth slows down, as in a warm-up",
            Basis::WeakGrowth => "the growth barely exceeds the usual variation",
            Basis::BacktestFailed => "earlier growth does not predict later growth, so there is no forecast",
            Basis::ObservedTooBriefly => "the growth has lasted too short a time to call it a leak",
            Basis::LimitFarAway => "the growth is slow enough to be part of a daily rhythm",
            Basis::OutsideLiveHeap => "the application's allocations do not explain the growth",
            Basis::SustainedGrowth => "none of the growth was given back",
            Basis::LiveHeapFlat => "while the live heap does not grow",
            Basis::AcceleratingGrowth => "the growth accelerates, and none of it was given back",
            Basis::GivenBack => "what had grown has been given back",
            Basis::HeapMayFill => {
                "its collector may still be filling the heap, which the resident set alone does not show"
            }
        }
    }
}

impl fmt::Display for Assessment {
    /// Formats one sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = self.part.phrase();
        match (self.verdict, self.slope) {
            (Verdict::Unknown, _) => write!(f, "No verdict on {part}: {}", self.reason())?,
            (_, None) => {
                write!(f, "{} is {}: {}", Capitalized(part), self.verdict.as_str(), self.reason())?;
            }
            (verdict, Some(slope)) => {
                let colon = if verdict == Verdict::Fragmenting { "" } else { ":" };
                let verb = if verdict == Verdict::Leaking { "leaks" } else { "grows by" };
                write!(f, "{} {verb} {}{colon} {}", Capitalized(part), slope.expected, self.reason())?;
            }
        }
        if let Some(time) = self.time_to_limit {
            let (expected, earliest, latest) =
                (ShortDuration(time.expected), ShortDuration(time.earliest), ShortDuration(time.latest));
            if time.expected.as_secs() == 0 {
                write!(f, "; its usual peaks reach {} now", self.limit)?;
            } else if time.is_vague() {
                write!(f, "; it reaches {} {}", self.limit, VagueTime(time))?;
            } else {
                write!(f, "; it reaches {} in {expected} (between {earliest} and {latest})", self.limit)?;
            }
        }
        if self.runtime_max.is_some() && self.verdict == Verdict::Steady {
            write!(f, "; a leak inside the heap of the runtime cannot be seen from outside")?;
        }
        match self.detectable.filter(|_| self.slope.is_none()) {
            Some(Rate(rate)) if rate <= 0.0 => write!(f, " (any growth would have been detected)."),
            Some(rate) => write!(f, " (growth below {rate} could not have been detected)."),
            None => write!(f, "."),
        }
    }
}

/// The lines of [`Assessment::report`].
struct TerminalText<'a> {
    assessment: &'a Assessment,
    newest: Bytes,
}

impl fmt::Display for TerminalText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TerminalText { assessment, newest } = *self;
        let sentence = assessment.sentence(newest);
        writeln!(f, "{sentence}\n\n  verdict      {}", assessment.verdict.as_str())?;
        if let Some(slope) = assessment.slope {
            writeln!(f, "  slope        {} ({} to {})", slope.expected, slope.low, slope.high)?;
        }
        match assessment.time_to_limit {
            Some(time) if time.expected.as_secs() == 0 => {
                writeln!(f, "  limit        {}, which its usual peaks reach now", assessment.limit)?;
            }
            Some(time) if time.is_vague() => {
                writeln!(f, "  limit        {} {}", assessment.limit, VagueTime(time))?;
            }
            Some(TimeToLimit { expected, earliest, latest }) => writeln!(
                f,
                "  limit        {} in {} ({} to {})",
                assessment.limit,
                ShortDuration(expected),
                ShortDuration(earliest),
                ShortDuration(latest)
            )?,
            None if newest >= assessment.limit => {
                writeln!(f, "  limit        {}, reached: memory is at {newest}", assessment.limit)?;
            }
            None => writeln!(f, "  limit        {}, no forecast", assessment.limit)?,
        }
        match assessment.detectable {
            Some(Rate(rate)) if rate <= 0.0 => writeln!(f, "  detectable   any growth")?,
            Some(rate) => {
                writeln!(f, "  detectable   {rate} and more; slower growth would not have been detected")?;
            }
            None => writeln!(f, "  detectable   nothing yet")?,
        }
        writeln!(
            f,
            "  observed     {} (analyzed: {})",
            ShortDuration(assessment.observed),
            ShortDuration(assessment.window)
        )
    }
}

/// Displays a time to the limit whose interval is too wide to be an estimate: without its end.
struct VagueTime(TimeToLimit);

impl fmt::Display for VagueTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (expected, earliest) = (ShortDuration(self.0.expected), ShortDuration(self.0.earliest));
        write!(f, "in about {expected}, perhaps in {earliest}, perhaps much later")
    }
}

/// Displays a text with a capital first letter.
struct Capitalized<'a>(&'a str);

impl fmt::Display for Capitalized<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.chars();
        rest.next().map_or(Ok(()), |first| write!(f, "{}{}", first.to_ascii_uppercase(), rest.as_str()))
    }
}

/// Displays a duration in at most two units: `9 s`, `4 min 10 s`, `7 h 20 min`, `12 d 3 h`.
struct ShortDuration(Duration);

impl fmt::Display for ShortDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0.as_secs();
        let pair = |f: &mut fmt::Formatter<'_>, big: u64, unit: &str, small: u64, lesser: &str| match small {
            0 => write!(f, "{big} {unit}"),
            _ => write!(f, "{big} {unit} {small} {lesser}"),
        };
        match s {
            0..60 => write!(f, "{s} s"),
            60..3600 => pair(f, s / 60, "min", s % 60, "s"),
            3600..86_400 => pair(f, s / 3600, "h", s % 3600 / 60, "min"),
            _ if s / 86_400 > 3650 => write!(f, "more than ten years"),
            _ => pair(f, s / 86_400, "d", s % 86_400 / 3600, "h"),
        }
    }
}
