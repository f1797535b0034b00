//! Every timeline in `docs/timelines` has the output in the file beside it. `HEAPBEAT_UPDATE=1 cargo test -p heapbeat-edge
//! --test replay` writes these files; review the difference.

use std::fs;
use std::path::Path;

#[test]
fn the_documented_timelines() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/timelines");
    let mut seen = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(story) = name.strip_suffix(".jsonl").filter(|story| !story.ends_with(".expected")) else {
            continue;
        };
        let expected = folder.join(format!("{story}.expected.jsonl"));
        let given = heapbeat_edge::replay::replay(&fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        if std::env::var_os("HEAPBEAT_UPDATE").is_some() {
            fs::write(&expected, &given).unwrap();
        }
        assert_eq!(given, fs::read_to_string(&expected).unwrap(), "{name}");
        seen += 1;
    }
    assert!(seen >= 5, "only {seen} timelines");
}

#[test]
fn a_line_that_cannot_be_read_is_named() {
    let head = r#"{"monitors":[{"id":"api","kind":"http","url":"https://a.example"}]}"#;
    let cases = [
        ("", "the timeline is empty"),
        ("{}", "line 1: missing field `monitors`"),
        (r#"{"monitors":[]}"#, "line 1: MONITORS: there are no monitors"),
        (&format!("{head}\n{{\"at\":\"noon\"}}"), "line 2: `noon` is not an instant"),
        (
            &format!("{head}\n\n{{\"at\":\"2026-01-01T00:00:00Z\",\"prob\":1}}"),
            "line 3: unknown field `prob`",
        ),
    ];
    for (text, error) in cases {
        let found = heapbeat_edge::replay::replay(text).unwrap_err().to_string();
        assert!(found.starts_with(error), "{text}: {found}");
    }
}
