//! The assessment as text: a sentence for an alert, a few lines for a terminal, a JSON object for a program.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::assessment::{Assessment, Basis, TimeToLimit, Verdict};

impl Assessment {
    /// One JSON object: the fields, and `sentence` for people.
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct AssessmentJson<'a> {
            #[serde(flatten)]
            assessment: &'a Assessment,
            sentence: String,
        }
        let json = AssessmentJson { assessment: self, sentence: self.to_string() };
        serde_json::to_string(&json).expect("numbers and fixed words always serialise")
    }

    /// Several lines for a terminal, without colours, each ended by a newline.
    pub fn report(&self) -> String {
        TerminalText(self).to_string()
    }

    /// Why, as the second half of a sentence.
    fn because(&self) -> &'static str {
        match self.basis {
            Basis::TooShort => "not enough was seen yet",
            Basis::TooNoisy => "what comes and goes is as large as the room that is left",
            Basis::Flat => "its floor does not rise",
            Basis::Settled => "it rose and has stopped",
            Basis::Stepped => "it rose at one instant and stayed there",
            Basis::Slowing => "it slows down, as a warm-up does",
            Basis::Bent => "it does not rise in a line, which a rhythm would not either",
            Basis::Faint => "it hardly stands out from what comes and goes",
            Basis::Uneven => "a few steps make up most of it",
            Basis::Unpredictive => "its past did not predict its present, so there is no forecast",
            Basis::TooSoon => "in a line so far, but not for long enough to call it a leak",
            Basis::Remote => "in a line so far, but so slowly that a daily rhythm would look the same",
            Basis::Elsewhere => "in a line, and the application's own allocations do not explain it",
            Basis::Retained => "in a line, and none of it was given back",
            Basis::HeapFlat => "while what the application holds does not",
        }
    }
}

impl fmt::Display for Assessment {
    /// One sentence for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place.phrase();
        match (self.verdict, self.slope) {
            (Verdict::Unknown, _) => write!(f, "No verdict on {place}: {}", self.because())?,
            (_, None) => {
                write!(f, "{} is {}: {}", Capital(place), self.verdict.as_str(), self.because())?;
            }
            (verdict, Some(slope)) => {
                let colon = if verdict == Verdict::Fragmenting { "" } else { ":" };
                let verb = if verdict == Verdict::Leaking { "leaks" } else { "grows by" };
                write!(f, "{} {verb} {}{colon} {}", Capital(place), slope.expected, self.because())?;
            }
        }
        if let Some(time) = self.time_to_limit {
            let (expected, earliest, latest) = (Span(time.expected), Span(time.earliest), Span(time.latest));
            write!(f, "; it reaches {} in {expected} (between {earliest} and {latest})", self.limit)?;
        }
        match self.detectable {
            Some(rate) if self.slope.is_none() => write!(f, " (less than {rate} could not have been seen)."),
            _ => write!(f, "."),
        }
    }
}

/// The lines of [`Assessment::report`].
struct TerminalText<'a>(&'a Assessment);

impl fmt::Display for TerminalText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = self.0;
        writeln!(f, "{json}\n\n  verdict      {}", json.verdict.as_str())?;
        if let Some(slope) = json.slope {
            writeln!(f, "  slope        {} ({} to {})", slope.expected, slope.low, slope.high)?;
        }
        match json.time_to_limit {
            Some(TimeToLimit { expected, earliest, latest }) => writeln!(
                f,
                "  limit        {} in {} ({} to {})",
                json.limit,
                Span(expected),
                Span(earliest),
                Span(latest)
            )?,
            None => writeln!(f, "  limit        {}, no forecast", json.limit)?,
        }
        match json.detectable {
            Some(rate) => {
                writeln!(f, "  detectable   {rate} and more; a slower leak would not have been seen")?;
            }
            None => writeln!(f, "  detectable   nothing yet")?,
        }
        writeln!(f, "  observed     {} (figures rest on {})", Span(json.observed), Span(json.window))
    }
}

/// A text whose first letter is shown as a capital.
struct Capital<'a>(&'a str);

impl fmt::Display for Capital<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.chars();
        rest.next().map_or(Ok(()), |first| write!(f, "{}{}", first.to_ascii_uppercase(), rest.as_str()))
    }
}

/// A duration for people, two units at most: `9 s`, `4 min 10 s`, `7 h 20 min`, `12 d 3 h`.
struct Span(Duration);

impl fmt::Display for Span {
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
