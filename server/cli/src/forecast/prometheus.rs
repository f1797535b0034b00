//! Reads the series of a response of Prometheus' `/api/v1/query_range`, sample by sample.
//!
//! ```text
//! {"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1735689600,"104857600"]]}]}}
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::str::FromStr;

use heapbeat_forecast::Point;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::line::parse_size;
use super::series::{SeriesFileError, SeriesReader};
use super::time::Time;

/// Number of series that an error lists.
const SHOWN_SERIES: usize = 10;

/// Returns whether a text begins like a response of Prometheus.
pub(super) fn is_prometheus(beginning: &[u8]) -> bool {
    let beginning = String::from_utf8_lossy(&beginning[..beginning.len().min(200)]);
    let text: String =
        beginning.chars().filter(|char| !char.is_whitespace() && *char != '\u{feff}').collect();
    ["{\"status\":\"", "{\"data\":{", "{\"resultType\":"].iter().any(|start| text.starts_with(start))
}

/// The labels of a series, or some of them: `{instance="a", job="b"}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Labels(BTreeMap<String, String>);

impl Labels {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether all of these are labels of `other`.
    fn select(&self, other: &Labels) -> bool {
        self.0.iter().all(|(name, value)| other.0.get(name) == Some(value))
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        f.write_str(&labels.join(","))
    }
}

impl FromStr for Labels {
    type Err = String;

    /// Parses labels as Prometheus writes them, with or without braces; quotes are only needed around a comma.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = || format!("`{text}` is no label; labels are `instance=\"a\"` or `job=b,instance=a`");
        let mut labels = BTreeMap::new();
        let mut rest = text.trim().trim_start_matches('{').trim_end_matches('}').trim();
        while !rest.is_empty() {
            let (name, value) = rest.split_once('=').ok_or_else(expected)?;
            let (value, after) = match value.trim_start().strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or_else(expected)?,
                None => value.split_at(value.find(',').unwrap_or(value.len())),
            };
            labels.insert(name.trim().to_owned(), value.trim().to_owned());
            let after = after.trim_start();
            rest = after.strip_prefix(',').unwrap_or(after).trim_start();
        }
        if labels.is_empty() { Err(expected()) } else { Ok(Labels(labels)) }
    }
}

/// The series of a response.
struct Found<'a> {
    series: &'a mut SeriesReader,
    selected: &'a Labels,
    /// Number of series, and of those that the labels select. Only the first of these is kept.
    all: usize,
    matching: usize,
    /// The labels of the first series.
    labels: Vec<Labels>,
}

impl Found<'_> {
    /// Adds a series with these labels, and returns where its samples belong.
    fn add(&mut self, labels: Labels) -> Option<&mut SeriesReader> {
        self.all += 1;
        let matches = self.selected.select(&labels);
        self.matching += usize::from(matches);
        if self.labels.len() < SHOWN_SERIES {
            self.labels.push(labels);
        }
        (matches && self.matching == 1).then_some(&mut *self.series)
    }

    /// Returns the problem if there is not one series; it lists those that there are, by the labels in which they differ.
    fn problem(mut self) -> Option<String> {
        let shown = self.labels.clone();
        for labels in &mut self.labels {
            labels.0.retain(|name, _| shown.iter().any(|other| other.0.get(name) != shown[0].0.get(name)));
        }
        let list: Vec<String> = self.labels.iter().map(|labels| format!("{{{labels}}}")).collect();
        let more = if self.all > list.len() { ", and more" } else { "" };
        let list = format!("there are {}: {}{more}", self.all, list.join(", "));
        match (self.all, self.matching, self.labels.first()) {
            (_, 1, _) => None,
            (_, 0, Some(_)) => Some(format!("none has {}; {list}", self.selected)),
            (_, _, Some(first)) => Some(format!("{list}; select one with --series '{first}'")),
            (_, _, None) => {
                Some("the result is empty, or no range was asked for (use /api/v1/query_range)".to_owned())
            }
        }
    }
}

/// Reads the only series of a response, or the one that `selected` labels have.
pub(super) fn read_prometheus(
    input: impl Read,
    selected: &Labels,
    series: &mut SeriesReader,
) -> Result<(), SeriesFileError> {
    let mut found = Found { series, selected, all: 0, matching: 0, labels: Vec::new() };
    let mut deserializer = serde_json::Deserializer::from_reader(input);
    let problem = match Object(&mut found).deserialize(&mut deserializer) {
        Err(error) => Some(error.to_string()),
        Ok(error) => error.or_else(|| found.problem()),
    };
    problem.map_or(Ok(()), |problem| Err(SeriesFileError::Prometheus(problem)))
}

/// An object on the way to the series. Returns the error that Prometheus reports.
struct Object<'a, 'b>(&'a mut Found<'b>);

impl<'de> DeserializeSeed<'de> for Object<'_, '_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_, '_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the result of a query")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut error, mut labels) = (None, Labels::default());
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "data" => {
                    map.next_value_seed(Object(&mut *self.0))?;
                }
                "result" => map.next_value_seed(Results(&mut *self.0))?,
                // Prometheus writes the labels before the values.
                "metric" => labels = Labels(map.next_value()?),
                "values" => {
                    let series = self.0.add(std::mem::take(&mut labels));
                    map.next_value_seed(Values { series })?;
                }
                "error" => error = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(error)
    }
}

/// The list of series.
struct Results<'a, 'b>(&'a mut Found<'b>);

impl<'de> DeserializeSeed<'de> for Results<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Results<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of series")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Object(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

/// The samples of a series; those of a further one are skipped.
struct Values<'a> {
    series: Option<&'a mut SeriesReader>,
}

impl<'de> DeserializeSeed<'de> for Values<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

/// A time in seconds, and a number as text.
#[derive(Deserialize)]
struct Value(Time, String);

impl<'de> Visitor<'de> for Values<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of [time, \"value\"]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some(series) = self.series else {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        while let Some(Value(time, text)) = list.next_element()? {
            let sample = time.to_millis().zip(parse_size(&text));
            let (at, total) =
                sample.ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no size")))?;
            series.add(Point::single(at, total).into(), 1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::Bytes;

    use super::*;
    use crate::forecast::series::{SeriesOptions, read_series};

    fn read(text: &str, selected: &str) -> Result<SeriesReader, SeriesFileError> {
        let labels = selected.parse().unwrap_or_default();
        read_series(text.as_bytes(), &SeriesOptions { labels, interval: None })
    }

    fn response(series: u64) -> String {
        let one = |index: u64| {
            let bytes = |second: u64| 100_000_000 * (index + 1) + second * 20_000;
            let values: Vec<String> =
                (0..900).map(|i| format!("[{},\"{}\"]", 1_735_689_600 + i, bytes(i))).collect();
            let labels = format!("{{\"job\":\"api\",\"pod\":\"p{index}\"}}");
            format!("{{\"metric\":{labels},\"values\":[{}]}}", values.join(","))
        };
        let result = (0..series).map(one).collect::<Vec<_>>().join(",");
        format!("{{\n  \"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[{result}]}}}}")
    }

    #[test]
    fn the_series_of_a_response_is_that_of_its_values() {
        let limit = Bytes::from_mb(512);
        let lines: Vec<String> = (0..900).map(|i| format!("{i},{}", 100_000_000 + i * 20_000)).collect();
        let csv = lines.join("\n");
        let expected = read(&csv, "").unwrap().assess(limit);
        assert_eq!(read(&response(1), "").unwrap().assess(limit), expected);
    }

    #[test]
    fn a_response_without_one_series_says_why() {
        let error = |text: &str| read(text, "").unwrap_err().to_string();
        let vector =
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"2"]}]}}"#;
        let cases = [
            (response(0), "use /api/v1/query_range"),
            (vector.to_owned(), "use /api/v1/query_range"),
            (response(2), r#"there are 2: {pod="p0"}, {pod="p1"}; select one with --series 'pod="p0"'"#),
            (response(12), r#"{pod="p9"}, and more; select one with"#),
            (r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#.to_owned(), "parse error"),
            (response(1).replace("100000000", "NaN"), "`NaN` is no size"),
            (response(1)[..500].to_owned(), "EOF while parsing"),
        ];
        for (text, reason) in cases {
            assert!(error(&text).contains(reason), "{}", error(&text));
        }
    }

    #[test]
    fn one_of_several_series_is_selected_by_its_labels() {
        let limit = Bytes::from_mb(512);
        let two = response(2);
        let assess = |text: &str, selected: &str| read(text, selected).unwrap().assess(limit);
        for selected in [r#"{pod="p0"}"#, "pod=p0", r#" job = "api", pod="p0" "#] {
            assert_eq!(assess(&two, selected), assess(&response(1), ""), "{selected}");
        }
        assert_ne!(assess(&two, "pod=p1"), assess(&two, "pod=p0"));
        let error = |selected: &str| read(&two, selected).unwrap_err().to_string();
        assert!(error("pod=p7").contains(r#"none has pod="p7"; there are 2: {pod="p0"}, {pod="p1"}"#));
        assert!(error("job=api").contains(r#"select one with --series 'pod="p0"'"#));
        let csv = read("0,1\n1,2\n", "pod=p1").unwrap_err().to_string();
        assert!(csv.contains("--series selects nothing"), "{csv}");
    }

    #[test]
    fn labels_are_read_as_prometheus_writes_them() {
        let labels: Labels = r#"{instance="a,b:9",job="x"}"#.parse().unwrap();
        assert_eq!(labels.to_string(), r#"instance="a,b:9",job="x""#);
        for text in ["", "{}", "instance", r#"instance="a"#] {
            assert!(text.parse::<Labels>().unwrap_err().contains("is no label"), "{text}");
        }
    }
}
