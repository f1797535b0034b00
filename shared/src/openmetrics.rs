//! The text formats of Prometheus.
//!
//! There are two: OpenMetrics 1.0 (<https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>) for a
//! client that accepts it, and the older text format 0.0.4 for all others. The usual crates are registries of live atomics.
//! They support neither figures that are all read at one instant nor state sets, so this module writes the formats itself.

use std::fmt::{self, Write as _};

use crate::negotiation::weight_of;

/// The text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `application/openmetrics-text` 1.0.
    OpenMetrics,
    /// `text/plain` 0.0.4. It has no units, which are omitted, and no infos and state sets, which become gauges.
    Prometheus,
}

impl Format {
    /// Returns the format for an `Accept` header: OpenMetrics if it is named and not less wanted than `text/plain`,
    /// otherwise the older one.
    #[must_use]
    pub fn negotiate(accept: Option<&str>) -> Self {
        let weight = |kind| accept.and_then(|accept| weight_of(accept, kind));
        let openmetrics = weight("application/openmetrics-text").unwrap_or(0);
        let is_preferred = openmetrics > 0 && openmetrics >= weight("text/plain").unwrap_or(0);
        if is_preferred { Format::OpenMetrics } else { Format::Prometheus }
    }

    /// Returns the `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// The type of a metric family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// A value that only rises until the process exits. The names of its samples end with `_total`, the name of the family does not.
    Counter,
    /// A value that rises and falls.
    Gauge,
    /// Text in labels. The name of the sample ends with `_info`, the name of the family does not.
    Info,
    /// The current one of several states.
    StateSet,
    /// Counts of observations by size, written with [`Family::histogram`].
    Histogram,
}

impl MetricKind {
    const fn name(self, format: Format) -> &'static str {
        match (self, format) {
            (MetricKind::Counter, _) => "counter",
            (MetricKind::Info, Format::OpenMetrics) => "info",
            (MetricKind::StateSet, Format::OpenMetrics) => "stateset",
            (MetricKind::Histogram, _) => "histogram",
            (MetricKind::Gauge | MetricKind::Info | MetricKind::StateSet, _) => "gauge",
        }
    }

    const fn suffix(self) -> &'static str {
        match self {
            MetricKind::Counter => "_total",
            MetricKind::Info => "_info",
            MetricKind::Gauge | MetricKind::StateSet | MetricKind::Histogram => "",
        }
    }
}

/// A text to which families are added.
#[derive(Clone, Debug)]
pub struct Exposition {
    format: Format,
    text: String,
}

/// The family that is being written.
#[derive(Debug)]
pub struct Family<'a> {
    exposition: &'a mut Exposition,
    name: &'a str,
    kind: MetricKind,
}

impl Exposition {
    /// Makes an empty text.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Exposition { format, text: String::with_capacity(8 << 10) }
    }

    /// Begins a family. `name` consists of `a-z 0-9 _`, ends with its unit if it has one (`_bytes`, `_seconds`, `_ratio`), and is used once.
    pub fn family<'a>(&'a mut self, name: &'a str, kind: MetricKind, help: &str) -> Family<'a> {
        const UNITS: [&str; 3] = ["bytes", "seconds", "ratio"];
        // The older format counts the suffix into the family's name.
        let suffix = if self.format == Format::Prometheus { kind.suffix() } else { "" };
        let _ = writeln!(self.text, "# TYPE {name}{suffix} {}", kind.name(self.format));
        let unit =
            UNITS.into_iter().find(|unit| name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_')));
        if let Some(unit) = unit.filter(|_| self.format == Format::OpenMetrics) {
            let _ = writeln!(self.text, "# UNIT {name} {unit}");
        }
        let _ = writeln!(self.text, "# HELP {name}{suffix} {}", Escaped(help));
        Family { exposition: self, name, kind }
    }

    /// Returns the whole text.
    #[must_use]
    pub fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

impl Family<'_> {
    /// Adds a sample. Values of labels may be any text.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Into<MetricValue>) -> &mut Self {
        self.write_sample(self.kind.suffix(), labels, value.into())
    }

    /// Adds a histogram: the number of observations up to each of the ascending `bounds` and above the one before, then those above the
    /// last, and the sum of all observations. Both formats want the counts added up, which happens here.
    pub fn histogram(
        &mut self,
        labels: &[(&str, &str)],
        bounds: &[f64],
        counts: &[u64],
        sum: f64,
    ) -> &mut Self {
        let mut total = 0;
        for (index, count) in counts.iter().enumerate() {
            total += count;
            let bound = MetricValue::Real(bounds.get(index).copied().unwrap_or(f64::INFINITY)).to_string();
            let labels: Vec<(&str, &str)> = labels.iter().copied().chain([("le", &*bound)]).collect();
            self.write_sample("_bucket", &labels, MetricValue::Whole(total));
        }
        self.write_sample("_sum", labels, MetricValue::Real(sum));
        self.write_sample("_count", labels, MetricValue::Whole(total))
    }

    fn write_sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: MetricValue) -> &mut Self {
        let text = &mut self.exposition.text;
        let _ = write!(text, "{}{suffix}", self.name);
        for (index, (name, value)) in labels.iter().enumerate() {
            let _ = write!(text, "{}{name}=\"{}\"", if index == 0 { '{' } else { ',' }, Escaped(value));
        }
        let _ = writeln!(text, "{} {}", if labels.is_empty() { "" } else { "}" }, value);
        self
    }

    /// Adds a state set: each state with 1 if it is the current one and 0 otherwise, with a label named like the family.
    pub fn states<'s>(&mut self, states: impl IntoIterator<Item = (&'s str, bool)>) -> &mut Self {
        let label = self.name;
        for (state, holds) in states {
            self.sample(&[(label, state)], u64::from(holds));
        }
        self
    }
}

/// A number with its format.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MetricValue {
    /// A count.
    Whole(u64),
    /// Any other number.
    Real(f64),
}

impl From<u64> for MetricValue {
    fn from(value: u64) -> Self {
        MetricValue::Whole(value)
    }
}

impl From<f64> for MetricValue {
    fn from(value: f64) -> Self {
        MetricValue::Real(value)
    }
}

impl fmt::Display for MetricValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            MetricValue::Whole(value) => value.fmt(f),
            MetricValue::Real(value) if value.is_nan() => f.write_str("NaN"),
            MetricValue::Real(value) if value.is_infinite() => {
                f.write_str(if value > 0.0 { "+Inf" } else { "-Inf" })
            }
            MetricValue::Real(value) => value.fmt(f),
        }
    }
}

/// Text in quotes or in a help line. The older format does not escape `\"` in a help line, but no help line has one.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            c => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format) -> String {
        let mut all = Exposition::new(format);
        all.family("up_seconds", MetricKind::Gauge, "Age.").sample(&[], 1.5);
        all.family("got_bytes", MetricKind::Counter, "Bytes.")
            .sample(&[("route", "GET /\"a\\b\"\n"), ("n", "1")], 7)
            .sample(&[("route", "é"), ("n", "2")], u64::MAX);
        all.family("build", MetricKind::Info, "Which.").sample(&[("version", "1")], 1);
        all.family("level", MetricKind::StateSet, "The level.").states([("calm", true), ("shed", false)]);
        all.family("odd_ratio", MetricKind::Gauge, "No numbers.")
            .sample(&[("n", "1")], f64::NAN)
            .sample(&[("n", "2")], f64::NEG_INFINITY)
            .sample(&[("n", "3")], 1e300);
        all.finish()
    }

    #[test]
    fn open_metrics_has_units_infos_and_state_sets() {
        let huge = format!("1{}", "0".repeat(300));
        let expected = [
            "# TYPE up_seconds gauge\n# UNIT up_seconds seconds\n# HELP up_seconds Age.\nup_seconds 1.5\n",
            "# TYPE got_bytes counter\n# UNIT got_bytes bytes\n# HELP got_bytes Bytes.\n",
            "got_bytes_total{route=\"GET /\\\"a\\\\b\\\"\\n\",n=\"1\"} 7\n",
            "got_bytes_total{route=\"é\",n=\"2\"} 18446744073709551615\n",
            "# TYPE build info\n# HELP build Which.\nbuild_info{version=\"1\"} 1\n",
            "# TYPE level stateset\n# HELP level The level.\nlevel{level=\"calm\"} 1\nlevel{level=\"shed\"} 0\n",
            "# TYPE odd_ratio gauge\n# UNIT odd_ratio ratio\n# HELP odd_ratio No numbers.\n",
            "odd_ratio{n=\"1\"} NaN\nodd_ratio{n=\"2\"} -Inf\n",
            &format!("odd_ratio{{n=\"3\"}} {huge}\n"),
            "# EOF\n",
        ];
        assert_eq!(written(Format::OpenMetrics), expected.concat());
    }

    #[test]
    fn the_older_format_has_only_counters_and_gauges() {
        let text = written(Format::Prometheus);
        let comments: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
        let expected = [
            "# TYPE up_seconds gauge",
            "# TYPE got_bytes_total counter",
            "# TYPE build_info gauge",
            "# TYPE level gauge",
            "# TYPE odd_ratio gauge",
        ];
        assert_eq!(comments, expected);
        assert!(!text.contains("# UNIT") && !text.contains("# EOF"), "{text}");
    }

    #[test]
    fn a_histogram_adds_its_counts_up() {
        let mut all = Exposition::new(Format::OpenMetrics);
        all.family("took_seconds", MetricKind::Histogram, "Time.")
            .histogram(&[("route", "/")], &[0.1, 1.0], &[2, 0, 3], 9.5)
            .histogram(&[], &[0.5], &[0, 0], 0.0);
        let expected = [
            "# TYPE took_seconds histogram\n# UNIT took_seconds seconds\n# HELP took_seconds Time.\n",
            "took_seconds_bucket{route=\"/\",le=\"0.1\"} 2\ntook_seconds_bucket{route=\"/\",le=\"1\"} 2\n",
            "took_seconds_bucket{route=\"/\",le=\"+Inf\"} 5\ntook_seconds_sum{route=\"/\"} 9.5\ntook_seconds_count{route=\"/\"} 5\n",
            "took_seconds_bucket{le=\"0.5\"} 0\ntook_seconds_bucket{le=\"+Inf\"} 0\ntook_seconds_sum 0\ntook_seconds_count 0\n",
            "# EOF\n",
        ];
        assert_eq!(all.finish(), expected.concat());
    }

    #[test]
    fn open_metrics_is_chosen_by_the_accept_header() {
        let cases = [
            (None, Format::Prometheus),
            (Some("*/*"), Format::Prometheus),
            (Some("text/plain;version=0.0.4"), Format::Prometheus),
            (
                Some(
                    "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
                ),
                Format::OpenMetrics,
            ),
        ];
        for (accept, format) in cases {
            assert_eq!(Format::negotiate(accept), format, "{accept:?}");
        }
    }
}
