//! Reads the series of a response of Prometheus' `/api/v1/query_range`, sample by sample.
//!
//! ```text
//! {"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1735689600,"104857600"]]}]}}
//! ```

use std::fmt;
use std::io::Read;

use heapbeat_forecast::Point;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::line::parse_size;
use super::series::{SeriesFileError, SeriesReader};
use super::time::Time;

/// Returns whether a text begins like a response of Prometheus.
pub(super) fn is_prometheus(beginning: &[u8]) -> bool {
    let beginning = String::from_utf8_lossy(&beginning[..beginning.len().min(200)]);
    let text: String =
        beginning.chars().filter(|char| !char.is_whitespace() && *char != '\u{feff}').collect();
    ["{\"status\":\"", "{\"data\":{", "{\"resultType\":"].iter().any(|start| text.starts_with(start))
}

/// Reads the only series of a response.
pub(super) fn read_prometheus(input: impl Read, series: &mut SeriesReader) -> Result<(), SeriesFileError> {
    let mut found = 0;
    let mut deserializer = serde_json::Deserializer::from_reader(input);
    let read = Object { series, found: &mut found }.deserialize(&mut deserializer);
    let problem = match (read, found) {
        (Err(error), _) => error.to_string(),
        (Ok(Some(error)), _) => error,
        (Ok(None), 1) => return Ok(()),
        (Ok(None), 0) => {
            "the result is empty, or no range was asked for (use /api/v1/query_range)".to_owned()
        }
        (Ok(None), found) => format!("there are {found}; select one by its labels"),
    };
    Err(SeriesFileError::Prometheus(problem))
}

/// An object on the way to the series. Returns the error that Prometheus reports.
struct Object<'a> {
    series: &'a mut SeriesReader,
    /// Number of series so far. Only the first one is kept.
    found: &'a mut usize,
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the result of a query")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut error = None;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "data" => {
                    map.next_value_seed(Object { series: &mut *self.series, found: &mut *self.found })?;
                }
                "result" => {
                    map.next_value_seed(Results { series: &mut *self.series, found: &mut *self.found })?;
                }
                "values" => {
                    *self.found += 1;
                    let series = (*self.found == 1).then_some(&mut *self.series);
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
struct Results<'a> {
    series: &'a mut SeriesReader,
    found: &'a mut usize,
}

impl<'de> DeserializeSeed<'de> for Results<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Results<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of series")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Object { series: &mut *self.series, found: &mut *self.found })?.is_some()
        {
        }
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

    use crate::forecast::series::read_series;

    fn response(series: usize) -> String {
        let values: Vec<String> =
            (0..900).map(|i| format!("[{},\"{}\"]", 1_735_689_600 + i, 100_000_000 + i * 20_000)).collect();
        let one = format!("{{\"metric\":{{\"pod\":\"a\"}},\"values\":[{}]}}", values.join(","));
        let result = vec![one; series].join(",");
        format!("{{\n  \"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[{result}]}}}}")
    }

    #[test]
    fn the_series_of_a_response_is_that_of_its_values() {
        let limit = Some(Bytes::from_mb(512));
        let lines: Vec<String> = (0..900).map(|i| format!("{i},{}", 100_000_000 + i * 20_000)).collect();
        let csv = lines.join("\n");
        let expected = read_series(csv.as_bytes()).unwrap().assess(limit, Bytes::ZERO);
        assert_eq!(read_series(response(1).as_bytes()).unwrap().assess(limit, Bytes::ZERO), expected);
    }

    #[test]
    fn a_response_without_one_series_says_why() {
        let error = |text: &str| read_series(text.as_bytes()).unwrap_err().to_string();
        let vector =
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"2"]}]}}"#;
        let cases = [
            (response(0), "use /api/v1/query_range"),
            (vector.to_owned(), "use /api/v1/query_range"),
            (response(3), "there are 3; select one by its labels"),
            (r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#.to_owned(), "parse error"),
            (response(1).replace("100000000", "NaN"), "`NaN` is no size"),
            (response(1)[..500].to_owned(), "EOF while parsing"),
        ];
        for (text, reason) in cases {
            assert!(error(&text).contains(reason), "{}", error(&text));
        }
    }
}
