use super::*;
use heapbeat_pprof::{ProfileBuilder, ProfileHeader, SourceLine};
use heapbeat_test_support::pprof as decoded;

fn line(function: &str, file: &str, line: u32) -> SourceLine {
    SourceLine { function: function.into(), file: file.into(), number: line }
}

#[test]
fn another_decoder_reads_the_profile() {
    let mut profile = ProfileBuilder::default();
    let leaf = profile.location(0x10, || vec![line("inlined", "a.rs", 7), line("leaf", "a.rs", 300)]);
    let root = profile.location(0x7fff_ffff_f000, || vec![line("main", "m.rs", 1)]);
    assert_eq!(profile.location(0x10, || panic!("called once")), leaf);
    profile.add_sample(vec![leaf, root], [3, 1 << 40], ("route", "GET /é"));
    profile.add_sample(vec![root], [1, 0], ("route", "(untagged)"));
    let written = profile.encode(&ProfileHeader {
        values: [("samples", "count"), ("inuse_space", "bytes")],
        period: 524_288,
        time_nanos: 1_800_000_000_000_000_000,
        duration_nanos: 30,
        program: "/bin/app",
        comment: "said",
    });

    let read = decoded::Profile::decode_bytes(&written);
    let [first, second] = &*read.sample else { panic!("{read:?}") };
    assert_eq!(read.stack(first), [("inlined", "a.rs", 7), ("leaf", "a.rs", 300), ("main", "m.rs", 1)]);
    assert_eq!(read.stack(second), [("main", "m.rs", 1)]);
    assert_eq!((&*first.value, &*second.value), (&[3, 1 << 40][..], &[1, 0][..]));
    assert_eq!((read.route(first), read.route(second)), ("GET /é", "(untagged)"));
    assert_eq!(read.location.iter().map(|it| it.address).collect::<Vec<_>>(), [0x10, 0x7fff_ffff_f000]);
    let types: Vec<_> =
        read.sample_type.iter().map(|it| (read.text(it.r#type), read.text(it.unit))).collect();
    assert_eq!(types, [("samples", "count"), ("inuse_space", "bytes")]);
    assert_eq!(read.text(read.default_sample_type), "inuse_space");
    let period = read.period_type.as_ref().unwrap();
    assert_eq!((read.text(period.r#type), read.text(period.unit), read.period), ("space", "bytes", 524_288));
    assert_eq!((read.time_nanos, read.duration_nanos), (1_800_000_000_000_000_000, 30));
    assert_eq!((read.text(read.mapping[0].filename), read.mapping[0].has_functions), ("/bin/app", true));
    assert_eq!(read.text(read.comment[0]), "said");
}

#[test]
fn requests_are_parsed() {
    let within = |seconds| Ok(ProfileRequest::Within(Duration::from_secs(seconds)));
    let cases = [
        (None, Ok(ProfileRequest::Now)),
        (Some(""), Ok(ProfileRequest::Now)),
        (Some("other=1"), Ok(ProfileRequest::Now)),
        (Some("seconds=30"), within(30)),
        (Some("a=b&seconds=300&seconds=7"), within(300)),
        (Some("seconds=0"), Err(ProfileError::Seconds)),
        (Some("seconds=301"), Err(ProfileError::Seconds)),
        (Some("seconds=-1"), Err(ProfileError::Seconds)),
        (Some("seconds=1e9"), Err(ProfileError::Seconds)),
        (Some("seconds="), Err(ProfileError::Seconds)),
    ];
    for (query, request) in cases {
        assert_eq!(ProfileRequest::parse(query), request, "{query:?}");
    }
}
