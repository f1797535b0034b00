use heapbeat_shared::statement::catalog::CATALOG;
use heapbeat_shared::{Param, Params, Statement};

use super::super::language::LANGUAGES;
use super::*;

const NOW: UnixMillis = UnixMillis(1_769_860_800_000); // 2026-01-31T12:00:00Z

fn plain(text: &impl ToString) -> String {
    text.to_string().replace('\u{a0}', " ")
}

#[test]
fn durations_shares_and_instants_are_formatted() {
    let messages = Messages::load("en");
    let renderer = Renderer::new(&messages, NOW, "");
    let durations = [
        (0, "0 s"),
        (59, "59 s"),
        (3599, "59 min"),
        (3600, "1 h"),
        (11_100, "3 h 5 min"),
        (352_800, "4 d 2 h"),
    ];
    for (seconds, expected) in durations {
        assert_eq!(plain(&renderer.duration(&seconds)), expected);
    }
    let shares = [(100.0, "100 %"), (99.999, "99.99 %"), (99.98, "99.98 %"), (0.0, "0.00 %")];
    for (share, expected) in shares {
        assert_eq!(plain(&renderer.percent(&Percent::cut(share))), expected);
    }
    assert_eq!(plain(&renderer.age(&UnixMillis(NOW.0 - 720_000))), "12 min");
    assert_eq!(plain(&renderer.age(&UnixMillis(NOW.0 + 720_000))), "0 s");
    let time = renderer.time(&UnixMillis(NOW.0 - 720_000));
    assert_eq!(time.as_str(), "<time datetime=\"2026-01-31T11:48:00Z\">11:48 UTC</time>");
    let time = renderer.time(&UnixMillis(NOW.0 - 86_400_000));
    assert_eq!(time.as_str(), "<time datetime=\"2026-01-30T12:00:00Z\">30 Jan 12:00 UTC</time>");
}

#[test]
fn a_share_has_the_decimal_separator_of_the_language() {
    let messages = Messages::load("de");
    let renderer = Renderer::new(&messages, NOW, "");
    assert_eq!(plain(&renderer.percent(&Percent::cut(99.98))), "99,98 %");
}

#[test]
fn a_statement_is_translated_by_its_code_and_english_without_one() {
    let shown = |language: &str, code: &str, params: &Params| {
        let messages = Messages::load(language);
        Renderer::new(&messages, NOW, "").statement(code, params, "<b>").to_string()
    };
    let status = Params::from([("status".to_owned(), Param::Number(503))]);
    assert_eq!(shown("de", "http-status", &status), "HTTP-Status 503");
    assert_eq!(shown("en", "of-a-newer-version", &status), "&#60;b&#62;");
    assert_eq!(shown("fr", "of-a-newer-version", &status), "<span lang=\"en\">&#60;b&#62;</span>");
    // A statement with missing values is shown with its English text.
    assert_eq!(shown("fr", "http-status", &Params::new()), "<span lang=\"en\">&#60;b&#62;</span>");
    let by = Params::from([("by".to_owned(), Param::from("<i>"))]);
    assert_eq!(shown("en", "stop-requested", &by), "shutdown requested by &#60;i&#62;");
    let bytes =
        Params::from(["before_bytes", "after_bytes"].map(|name| (name.to_owned(), Param::Number(1 << 20))));
    assert_eq!(shown("en", "limit-changed", &bytes), "memory limit changed from 1.0 MB to 1.0 MB");
}

#[test]
fn no_value_of_a_hostile_server_stops_a_page_or_becomes_html() {
    let values = [i64::MIN, -1, 0, 1, i64::MAX].map(Param::Number).into_iter();
    let texts = ["", "<script>", "{ $x }", "\u{0}\u{feff}\u{fffe}", "9999-12-31T23:59:59Z", "-1.5e400"]
        .map(Param::from);
    let values: Vec<_> = values.chain(texts).collect();
    let codes = CATALOG.iter().map(|entry| (entry.code, entry.params));
    let foreign = ["", "x.attribute", "-term", "\u{0}", "state-up"].map(|code| (code, ["x"].as_slice()));
    let codes: Vec<_> = codes.chain(foreign).collect();
    for (language, _) in LANGUAGES {
        let messages = Messages::load(language);
        let renderer = Renderer::new(&messages, NOW, "");
        for (code, names) in &codes {
            for value in &values {
                let params: Params = names.iter().map(|name| ((*name).to_owned(), value.clone())).collect();
                let html = renderer.statement(code, &params, "<i>").to_string();
                assert!(!html.contains("<script") && !html.contains("<i>"), "{language} {code}: {html}");
                let _ = renderer.statement_text(code, &params, "text");
            }
        }
    }
}

#[test]
fn levels_of_pressure_and_instants_in_a_statement_are_in_the_readers_language() {
    let messages = Messages::load("de");
    let renderer = Renderer::new(&messages, NOW, "");
    let shown = |it: &Statement| renderer.statement(&it.code, &it.params, &it.text).to_string();
    let changed = Statement::pressure_changed(Pressure::Calm, Pressure::Purge, Bytes(1 << 20));
    assert_eq!(shown(&changed), "Speicherdruck von normal auf hoch bei 1.0 MB");
    let interrupted = Statement::monitoring_interrupted("2026-01-31T11:48:00Z");
    let time = "<time datetime=\"2026-01-31T11:48:00Z\">11:48 UTC</time>";
    assert!(shown(&interrupted).starts_with(&format!("Überwachung seit {time} unterbrochen")));
}
