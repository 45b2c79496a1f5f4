//! What is read alike, what is rewritten, and what is refused.

use serde_json::Value;

use super::*;

fn read(text: &str) -> String {
    let read = one_reading(text).unwrap().into_owned();
    // Reading is done once: a second time changes nothing.
    assert_eq!(one_reading(&read).unwrap(), read);
    read
}

fn unlike(text: &str) -> (String, &'static str) {
    let unlike = one_reading(text).unwrap_err();
    (unlike.pointer, unlike.problem)
}

#[test]
fn what_is_read_alike_stays_as_it_was_written() {
    for text in [
        r#"{"code":"654321", "n": [1, -2, 0.5, 1796040000250, 9007199254740991], "a":{"a":{}}}"#,
        "{\"b\":\"\\u001f\\u0022\\u00f6\\\"\\\\ud83d \\ud83d\\ude00 😀\",\"\":null,\n\t\"c\" : [ ] , \"d\":true}",
        "0",
        "[]",
        "\"a\"",
        r#"{"0.1":0.000001,"x":-123.456}"#,
    ] {
        assert!(matches!(one_reading(text), Ok(Cow::Borrowed(same)) if same == text));
        serde_json::from_str::<Value>(text).unwrap();
    }
}

#[test]
fn numbers_take_the_form_that_every_language_prints() {
    for (written, read_as) in [
        ("654321.0", "654321"),
        ("6.54321e5", "654321"),
        ("6.54321E+5", "654321"),
        ("654321000e-3", "654321"),
        ("-0", "0"),
        ("-0.0e7", "0"),
        ("0e999", "0"),
        ("1.50", "1.5"),
        ("1e15", "1000000000000000"),
        ("9007199254740991.0", "9007199254740991"),
        ("0.10000000000000000555", "0.1"),
        ("1e-6", "0.000001"),
        ("-25e-1", "-2.5"),
    ] {
        assert_eq!(read(written), read_as);
        assert_eq!(
            read(&format!(
                "{{\"a\":[{written} , {written}],\"b\":\"{written}\"}}"
            )),
            format!("{{\"a\":[{read_as} , {read_as}],\"b\":\"{written}\"}}")
        );
    }
    for text in [
        "9007199254740992",
        "-9007199254740993",
        "65432100000000000001",
        "1e16",
        "1e999",
        "-1e999",
        "1e-7",
        "5e-324",
        "1e-999",
    ] {
        let (pointer, problem) = unlike(&format!("{{\"a\":{{\"code\":[0,{text}]}}}}"));
        assert_eq!(pointer, "/a/code/1", "{text}");
        assert!(problem.contains("as text"), "{text}");
    }
}

#[test]
fn half_a_surrogate_pair_is_the_replacement_character() {
    for (written, read_as) in [
        (r#""Bob \ud83d""#, r#""Bob \ufffd""#),
        (r#""\uDE00\ud83d""#, r#""\ufffd\ufffd""#),
        (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
        (r#""\ud83dA\\ud83d\u0041""#, r#""\ufffdA\\ud83dA""#),
        (r#"{"a\udc00":1}"#, r#"{"a\ufffd":1}"#),
    ] {
        assert_eq!(read(written), read_as);
        serde_json::from_str::<Value>(read_as).unwrap();
    }
}

#[test]
fn what_needs_no_escape_has_none() {
    assert_eq!(
        read(r#"{"c\u006fde":"\u0036\u00354321 \u003ca\u0022\u005C\u007f\u00e9"}"#),
        r#"{"code":"654321 <a\u0022\u005C\u007f\u00e9"}"#
    );
}

#[test]
fn a_key_that_stands_twice_is_named_however_it_is_written() {
    for (text, pointer) in [
        (r#"{"code":"111111","code":"654321"}"#, "/code"),
        (r#"{"a":1,"b":{"c":[{"d":1,"e":2,"d":1}]}}"#, "/b/c/0/d"),
        (r#"{"code":1,"c\u006fde":2}"#, "/code"),
        (r#"{"a/~":1,"a\/~":2}"#, "/a~1~0"),
        (r#"{"":1,"":2}"#, "/"),
        // Both are read as U+FFFD.
        (r#"{"\ud83d":1,"\ud83e":2}"#, "/\u{fffd}"),
        (r#"{"\ud83d":1,"�":2}"#, "/\u{fffd}"),
    ] {
        let (at, problem) = unlike(text);
        assert_eq!(at, pointer);
        assert!(problem.contains("twice"));
    }
    // The same key in two objects, and in another case, is another key.
    read(r#"{"a":{"a":1},"b":[{"a":1},{"a":1}],"A":2}"#);
}

#[test]
fn a_text_that_some_language_ends_early_is_refused() {
    assert_eq!(unlike(r#"{"a":["x\u0000y"]}"#).0, "/a/0");
    assert!(one_reading(r#"{"a\u0000":1}"#).is_err());
    read(r#"{"a":"\\u0000"}"#);
}

#[test]
fn depth_and_pointers_are_bounded() {
    let nested = |depth: usize| format!("{}1{}", "{\"key\":".repeat(depth), "}".repeat(depth));
    read(&nested(128));
    assert!(unlike(&nested(129)).0.len() < 300);
    assert!(one_reading(&"[".repeat(200_000)).is_err());
    let (pointer, _) = unlike(&format!("{{\"{}\\u001b\":1e99}}", "k".repeat(1_000)));
    assert!(pointer.len() < 300 && !pointer.contains('\u{1b}'));
}

#[test]
fn what_is_no_json_is_left_to_the_parser() {
    for text in [
        "",
        "{",
        "[1,",
        "{\"a\"",
        "{\"a\":",
        "{a:1}",
        "nul",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "--1",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u12",
        "\"\\",
        "\"",
        "{\"a\":1,}",
        "[1 2]",
        "NaN",
        "\u{feff}{}",
        "{\"a\":1}}",
        "\"\\uD8é0\"",
        "[1,2] x",
        "{\"a\":1 \"a\":2}",
        "'a'",
        "/**/1",
        "[0x10]",
    ] {
        let read = one_reading(text).unwrap();
        assert!(serde_json::from_str::<Value>(&read).is_err(), "{text}");
    }
}

#[test]
fn many_keys_cost_no_more_than_their_bytes() {
    let keys: Vec<_> = (0..40_000).map(|n| format!("\"{n}\":0")).collect();
    read(&format!("{{{}}}", keys.join(",")));
}
