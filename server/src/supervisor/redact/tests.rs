use super::*;

#[test]
fn secrets_are_masked_by_their_shape() {
    // Text, expected.
    let cases = [
        (
            "connecting to postgres://app:hunter2@db:5432/x failed",
            "connecting to postgres://***@db:5432/x failed",
        ),
        ("redis://:p/w@cache and https://example.com/a@b", "redis://***@cache and https://example.com/a@b"),
        (
            "GET https://api.example.com/v1?api_key=abc&limit=5 401",
            "GET https://api.example.com/v1?api_key=***&limit=5 401",
        ),
        ("DATABASE_PASSWORD=hunter2 NODE_ENV=production", "DATABASE_PASSWORD=*** NODE_ENV=production"),
        (r#"{"user":"ann","password":"a b\"c","n":1}"#, r#"{"user":"ann","password":***,"n":1}"#),
        (r#"{"apiKey": "abc", "secretAccessKey":'x y'}"#, r#"{"apiKey": ***, "secretAccessKey":***}"#),
        ("authorization: Bearer abc.def, and more", "authorization: ***"),
        ("Cookie: a=b; c=d", "Cookie: ***"),
        ("token: Bearer abcdef end", "token: *** end"),
        ("sent Bearer abcdefgh12 to x", "sent Bearer *** to x"),
        ("key AKIAIOSFODNN7EXAMPLE used", "key *** used"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln failed", "jwt *** failed"),
        ("hash 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "hash ***"),
        ("value dGhpcyBpcyBhIHNlY3JldCB2YWx1ZTEy ok", "value *** ok"),
        ("--db-password hunter2 --port 80", "--db-password *** --port 80"),
        ("run curl -u admin:hunter2 https://a", "run curl -u *** https://a"),
        ("ls -u now, then --token --verbose", "ls -u now, then --token --verbose"),
        ("{'password': b'hunter2', 'n': 1}", "{'password': ***, 'n': 1}"),
        ("{'password': rb\"a b\", 'secret': u'x'}", "{'password': ***, 'secret': ***}"),
        ("password=bunny", "password=***"),
        ("password: correct horse battery staple", "password: ***"),
        ("wallet passphrase: one two, three", "wallet passphrase: ***"),
        (r#"{"password": "a", "n": 1}"#, r#"{"password": ***, "n": 1}"#),
        (r#"{\"password\":\"a\\\"b c\"}"#, r#"{\"password\":***}"#),
        (r#"{\"password\":\"a\\\\\",\"n\":1}"#, r#"{\"password\":***,\"n\":1}"#),
        (r#"{\\\"password\\\":\\\"a b\\\",\\\"n\\\":1}"#, r#"{\\\"password\\\":***,\\\"n\\\":1}"#),
        ("with wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY now", "with *** now"),
        ("got q8Zk-Tq3L_0pXbW9-vN2s-Yd7Rf4Hj1 here", "got *** here"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMzEfYyjiWA4R4/M2bS\nabc=\n-----END RSA PRIVATE KEY-----\nnext",
            "-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----\nnext",
        ),
        ("key: \"-----BEGIN PRIVATE KEY-----\\nMzEf\\nabc", "key: \"-----BEGIN PRIVATE KEY-----***"),
        (
            "MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6d/a8Kq0zPb7LwVt3XyRn5JmUe9HoQs\ngZk2/3Yw4Tq8XcVb==",
            "***\n***==",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(redact(text), expected);
    }
}

#[test]
fn what_explains_an_exit_stays() {
    let texts = [
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
        "<--- Last few GCs --->",
        "[1234:0x5c2f3a0]    12345 ms: Mark-Compact 254.2 (258.3) -> 253.9 (258.6) MB, 103.41 / 0.00 ms  (average mu = 0.1, current mu = 0.0) allocation failure; scavenge might not succeed",
        " 1: 0xb76dc5 node::OOMErrorHandler(char const*, v8::OOMDetails const&) [node]",
        "    at Object.<anonymous> (/app/node_modules/express/lib/router/index.js:284:15)",
        "SyntaxError: Unexpected token } in JSON at position 12",
        "  File \"/usr/lib/python3.12/site-packages/django/core/handlers/wsgi.py\", line 12, in <module>",
        "Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space",
        "the author: Ann; passage: 5; keyboard=x; monkey: 7; duplicate key value violates unique constraint",
        "request 550e8400-e29b-41d4-a716-446655440000 took 12 ms",
        "\tat com.example.ReallyLongClassNameForTestingPurposesOnly.run(Main.java:5)",
        "größer als 20 €",
        "node_modules/Express4/lib/Router/Index/a",
        "the branch feature-ABC-123-add-something-quite-long is deployed",
        "-----BEGIN CERTIFICATE-----",
        "pod web-7d4b9c6f5d-x2x9z restarted",
    ];
    for text in texts {
        assert_eq!(redact(text), text);
    }
}

#[test]
fn control_characters_and_escape_sequences_are_removed() {
    let text = "\u{1b}[31mred\u{1b}[0m\r\n\u{1b}]0;title\u{7}a\tb\u{0}\u{202e}c\u{1b}";
    assert_eq!(redact(text), "red\na\tbc");
    assert_eq!(redact("pass\u{1b}[0mword=x"), "password=***", "a sequence does not hide a name");
}

#[test]
fn arguments_are_masked_with_the_flag_before_them() {
    let command =
        ["node", "app.js", "--token", "abc", "--port", "80", "--api-key=xyz", "-v", "--password", "--x"];
    assert_eq!(
        redact_arguments(&command.map(OsString::from)),
        ["node", "app.js", "--token", "***", "--port", "80", "--api-key=***", "-v", "--password", "--x"]
    );
}

#[test]
fn any_text_can_be_redacted() {
    for text in [
        "",
        "=",
        "://",
        "://@",
        "password=",
        "password=\"",
        "token: \\\"é",
        "é=é",
        "secret:é token=>'",
        "a://é:b@",
    ] {
        let once = redact(text);
        assert_eq!(redact(&once), once, "{text:?}");
    }
}
