use super::*;

/// A configuration from variables.
fn configured(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let variables: Vec<(String, String)> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::read(|_| None, |name| variables.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone()))
}

#[test]
fn every_setting_has_a_default() {
    let config = configured(&[]).unwrap();
    assert_eq!(config, Config::default());
    assert_eq!((config.port, config.host, config.memory_limit), (8080, None, None));
    assert_eq!(
        (config.sample_interval, config.log_interval),
        (Duration::from_secs(1), Duration::from_secs(30))
    );
    assert_eq!(config.http.max_body, Bytes(2_097_152));
    assert_eq!(config.http.request_timeout, Some(Duration::from_secs(60)));
    assert!(config.drain_timeout < Duration::from_secs(30), "Render kills after 30 s");
}

#[test]
fn every_value_arrives_in_its_field() {
    let config = configured(&[
        ("PORT", "0"),
        ("HEAPBEAT_HOST", "::1"),
        ("HEAPBEAT_HOSTS", "api.example.com"),
        ("HEAPBEAT_MEMORY_LIMIT", "512MB"),
        ("HEAPBEAT_ATTRIBUTION", "off"),
        ("HEAPBEAT_REQUEST_BUDGET", "64MB"),
        ("HEAPBEAT_SECRET", " a secret of sixteen or more\n"),
        ("HEAPBEAT_SECRET_PREVIOUS", "the secret before this one"),
        ("HEAPBEAT_HANG_TIMEOUT", "5s"),
        ("HEAPBEAT_FLIGHT_DIR", "/var/lib/api"),
        ("HEAPBEAT_UNGUARDED", "on"),
        ("HEAPBEAT_METRICS", "public"),
        ("HEAPBEAT_METRICS_TOKEN", "the token of a scraper"),
        ("HEAPBEAT_EDGE_TIMEOUT", "10m"),
        ("HEAPBEAT_ALERT_WEBHOOK", " https://hooks.example.com/T0/B0 "),
        ("HEAPBEAT_HEAP_PROFILE", "on"),
        ("HEAPBEAT_SAMPLE_INTERVAL", "250ms"),
        ("HEAPBEAT_LOG_INTERVAL", "1m"),
        ("HEAPBEAT_LOG", "warn"),
        ("HEAPBEAT_LOG_FORMAT", "json"),
        ("HEAPBEAT_MAX_BODY", "1kB"),
        ("HEAPBEAT_MAX_HEADER", "8kB"),
        ("HEAPBEAT_HEADER_TIMEOUT", "1s"),
        ("HEAPBEAT_BODY_TIMEOUT", "2s"),
        ("HEAPBEAT_REQUEST_TIMEOUT", "off"),
        ("HEAPBEAT_IDLE_TIMEOUT", "3s"),
        ("HEAPBEAT_WRITE_TIMEOUT", "4s"),
        ("HEAPBEAT_MAX_CONNECTIONS", "7"),
        ("HEAPBEAT_DRAIN_WINDOW", "0s"),
        ("HEAPBEAT_DRAIN_TIMEOUT", "9s"),
    ]);
    let expected = Config {
        port: 0,
        hosts: HostNames::Listed(vec!["api.example.com".parse().unwrap()]),
        host: Some("::1".parse().unwrap()),
        memory_limit: Some(Bytes(536_870_912)),
        thresholds: Config::default().thresholds,
        observe_only: false,
        attribution: false,
        request_budget: Some(Bytes(67_108_864)),
        secrets: Secrets {
            current: Secret::new("a secret of sixteen or more").ok(),
            previous: Secret::new("the secret before this one").ok(),
        },
        restarts_per_minute: 60,
        hang_timeout: Duration::from_secs(5),
        flight: FlightDirectory::Path("/var/lib/api".into()),
        unguarded: true,
        metrics: MetricsConfig {
            access: MetricsAccess::Public,
            token: Secret::new("the token of a scraper").ok(),
        },
        edge_timeout: EdgeTimeout::After(Duration::from_secs(600)),
        alert_webhook: webhook::webhook_or_off("https://hooks.example.com/T0/B0").unwrap(),
        heap_profile: true,
        sample_interval: Duration::from_millis(250),
        log_interval: Duration::from_secs(60),
        log: "warn".parse().unwrap(),
        log_format: LogFormat::Json,
        http: HttpLimits {
            max_body: Bytes(1024),
            max_header: Bytes(8192),
            header_timeout: Duration::from_secs(1),
            body_timeout: Duration::from_secs(2),
            request_timeout: None,
            idle_timeout: Duration::from_secs(3),
            write_timeout: Duration::from_secs(4),
            max_connections: 7,
        },
        drain_window: Duration::ZERO,
        drain_timeout: Duration::from_secs(9),
    };
    assert_eq!(configured(&[]).map(|_| ()).ok(), Some(()));
    assert_eq!(config.unwrap(), expected);
}

#[test]
fn an_error_names_the_setting_its_value_and_what_is_expected() {
    let cases = [
        ("PORT", "http", r#"PORT is "http": a port is a number from 1 to 65535, or 0 for any free one"#),
        ("PORT", "65536", r#"PORT is "65536": a port is a number from 1 to 65535, or 0 for any free one"#),
        (
            "HEAPBEAT_HOST",
            "localhost",
            "HEAPBEAT_HOST is \"localhost\": an address is an IP address of this machine, such as 127.0.0.1 or ::1, or \
             `any` for all of them",
        ),
        (
            "HEAPBEAT_MEMORY_LIMIT",
            "12 XB",
            "HEAPBEAT_MEMORY_LIMIT is \"12 XB\": a size is a number and a unit, such as 512MB, 1.5GB or 800MiB (B, kB, \
             MB, GB, TB in powers of 1024); or `auto` to detect it",
        ),
        (
            "HEAPBEAT_MEMORY_LIMIT",
            "512",
            "HEAPBEAT_MEMORY_LIMIT is \"512\": a size needs a unit; did you mean 512MB?; or `auto` to detect it",
        ),
        (
            "HEAPBEAT_SAMPLE_INTERVAL",
            "1",
            r#"HEAPBEAT_SAMPLE_INTERVAL is "1": a duration is a number and a unit, such as 500ms, 30s, 5m, 1h30m or 7d"#,
        ),
        (
            "HEAPBEAT_SAMPLE_INTERVAL",
            "0s",
            r#"HEAPBEAT_SAMPLE_INTERVAL is "0s": the value must be from 50ms to 60s"#,
        ),
        (
            "HEAPBEAT_LOG",
            "loud",
            "HEAPBEAT_LOG is \"loud\": a filter is a level (error, warn, info, debug, trace, off), or levels by module \
             such as info,heapbeat::http=debug",
        ),
        (
            "HEAPBEAT_REQUEST_BUDGET",
            "1kB",
            "HEAPBEAT_REQUEST_BUDGET is \"1kB\": the value must be from 64.0 kB to 16384.00 GB; or `off`",
        ),
        ("HEAPBEAT_METRICS", "all", r#"HEAPBEAT_METRICS is "all": access is `owner`, `public` or `off`"#),
        ("HEAPBEAT_LOG_FORMAT", "xml", r#"HEAPBEAT_LOG_FORMAT is "xml": a log format is auto, text or json"#),
        (
            "HEAPBEAT_REQUEST_TIMEOUT",
            "never",
            "HEAPBEAT_REQUEST_TIMEOUT is \"never\": a duration is a number and a unit, such as 500ms, 30s, 5m, 1h30m or \
             7d; or `off`",
        ),
        (
            "HEAPBEAT_MAX_CONNECTIONS",
            "0",
            r#"HEAPBEAT_MAX_CONNECTIONS is "0": the value is a number from 1 to 1000000"#,
        ),
        (
            "HEAPBEAT_MAX_CONNECTIONS",
            "many",
            r#"HEAPBEAT_MAX_CONNECTIONS is "many": the value is a number from 1 to 1000000"#,
        ),
    ];
    for (name, value, message) in cases {
        assert_eq!(configured(&[(name, value)]).unwrap_err().to_string(), message);
    }
}

#[test]
fn a_drain_window_that_outlasts_the_drain_is_refused() {
    let window = ("HEAPBEAT_DRAIN_WINDOW", "30s");
    let error = configured(&[window]).unwrap_err().to_string();
    assert_eq!(
        error,
        r#"HEAPBEAT_DRAIN_WINDOW is "30s": the window is part of the drain, so it must not be longer than HEAPBEAT_DRAIN_TIMEOUT (25s)"#
    );
    assert!(configured(&[window, ("HEAPBEAT_DRAIN_TIMEOUT", "1m")]).is_ok());
    // The default window is cut to a short drain.
    assert!(configured(&[("HEAPBEAT_DRAIN_TIMEOUT", "500ms")]).is_ok());
}

#[test]
fn an_error_lists_every_bad_value_on_a_line_of_its_own() {
    let error = configured(&[("PORT", "x"), ("HEAPBEAT_LOG_FORMAT", "y"), ("HEAPBEAT_DRAIN_TIMEOUT", "z")])
        .unwrap_err();
    let names: Vec<_> =
        error.to_string().lines().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect();
    assert_eq!(names, ["PORT", "HEAPBEAT_LOG_FORMAT", "HEAPBEAT_DRAIN_TIMEOUT"]);
}

#[test]
fn a_flag_wins_over_its_variable_and_an_error_names_the_flag() {
    let flag =
        |value: &'static str| move |setting: &Setting| (setting.flag == "port").then(|| value.to_owned());
    let variable = |name: &str| (name == "PORT").then(|| "not read".to_owned());
    assert_eq!(Config::read(flag("81"), variable).unwrap().port, 81);
    let error = Config::read(flag("eighty"), variable).unwrap_err().to_string();
    assert!(error.starts_with(r#"--port is "eighty": a port is"#), "{error}");
}

/// Neither by the error about a bad one nor by the configuration with a good one.
#[test]
fn a_secret_is_never_shown() {
    let error = configured(&[("HEAPBEAT_SECRET", "hunter2"), ("HEAPBEAT_SECRET_PREVIOUS", "swordfish")]);
    let error = error.unwrap_err();
    let right = "a secret needs at least 16 bytes; generate one with `openssl rand -base64 32`; or `off`";
    let expected =
        format!("HEAPBEAT_SECRET cannot be used: {right}\nHEAPBEAT_SECRET_PREVIOUS cannot be used: {right}");
    assert_eq!(error.to_string(), expected);
    let good = configured(&[("HEAPBEAT_SECRET", "correct horse battery staple")]).unwrap();
    assert_ne!(good, Config::default());
    for shown in [format!("{error:?}"), format!("{good:?}")] {
        for secret in ["hunter2", "swordfish", "correct horse"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    let flag =
        |setting: &Setting| (setting.flag == "secret").then(|| "correct horse battery staple".to_owned());
    assert_eq!(Config::read(flag, |_| None).unwrap(), Config::default(), "no flag carries a secret");
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    assert_eq!(configured(&[("PORT", ""), ("HEAPBEAT_MEMORY_LIMIT", "")]).unwrap(), Config::default());
}

#[test]
fn a_flag_has_the_name_of_its_variable() {
    for setting in SETTINGS {
        let expected = setting.variable.trim_start_matches("HEAPBEAT_").to_lowercase().replace('_', "-");
        assert_eq!(setting.flag, expected);
        assert!(setting.help.ends_with('.'), "{}: the help is a sentence", setting.variable);
    }
}

#[test]
fn a_misspelled_variable_is_found_with_the_setting_that_was_meant() {
    let names = ["PATH", "HEAPBEAT_MEMORY_LIMT", "HEAPBEAT_COLOUR_OF_SKY", "HEAPBEAT_HOST", "HEAPBEAT_AGENT"];
    let unknown = unknown_variables(names.map(str::to_owned), &["HEAPBEAT_AGENT"]);
    assert_eq!(
        unknown,
        [
            ("HEAPBEAT_COLOUR_OF_SKY".to_owned(), None),
            ("HEAPBEAT_MEMORY_LIMT".to_owned(), Some("HEAPBEAT_MEMORY_LIMIT"))
        ]
    );
}

#[test]
fn an_address_of_a_webhook_is_checked_and_never_shown() {
    for good in ["https://hooks.example.com/T0/B0", "http://127.0.0.1:8080", "https://[::1]/x?y=1"] {
        let webhook = webhook::webhook_or_off(good).unwrap().unwrap();
        assert_eq!((webhook.address(), format!("{webhook:?}").as_str()), (good, "Webhook(…)"));
    }
    let long = format!("https://hooks.example.com/{}", "x".repeat(2000));
    for bad in [
        "hooks.example.com/secret",
        "ftp://secret/",
        "https://",
        "https://a:secret@b/",
        "https://a b/secret",
        &long,
    ] {
        let error = configured(&[("HEAPBEAT_ALERT_WEBHOOK", bad)]).unwrap_err().to_string();
        assert!(
            error.contains("HEAPBEAT_ALERT_WEBHOOK") && error.contains("begins with https://"),
            "{error}"
        );
        assert!(!error.contains("secret") && !error.contains("example"), "{error}");
    }
    assert_eq!(webhook::webhook_or_off("off"), Ok(None));
}

#[test]
fn a_main_that_returns_the_error_prints_one_line_for_each_value() {
    let error: Box<dyn std::error::Error> =
        Box::new(configured(&[("PORT", "abc"), ("HEAPBEAT_MEMORY_LIMIT", "big")]).unwrap_err());
    let printed = format!("{error:?}");
    let starts = ["PORT is \"abc\": ", "HEAPBEAT_MEMORY_LIMIT is \"big\": "];
    assert_eq!(printed.lines().count(), starts.len(), "{printed}");
    assert!(printed.lines().zip(starts).all(|(line, start)| line.starts_with(start)), "{printed}");
}
