//! The JSON mapping, kind by kind.

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::{Value as Json, json};

use super::{At, Defaults, Mistake, Rendered, document, message};

fn every() -> MessageDescriptor {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/rest/json");
    let set = protox::compile(["tests.proto"], [folder]).unwrap();
    let pool = DescriptorPool::from_file_descriptor_set(set).unwrap();
    pool.get_message_by_name("test.Every").unwrap()
}

fn parse(text: &str) -> Result<DynamicMessage, Mistake> {
    message(&every(), document(text.as_bytes())?, At::Root)
}

fn rendered(message: &DynamicMessage, defaults: Defaults) -> String {
    serde_json::to_string(&Rendered { message, defaults }).unwrap()
}

/// A document, read and written again.
fn through(json: &Json) -> Json {
    let message = parse(&json.to_string()).unwrap();
    let bytes = prost::Message::encode_to_vec(&message);
    let again = DynamicMessage::decode(every(), bytes.as_slice()).unwrap();
    serde_json::from_str(&rendered(&again, Defaults::Left)).unwrap()
}

fn refusal(json: &Json) -> String {
    let Mistake { field, description } = parse(&json.to_string()).unwrap_err();
    format!("{field}: {description}")
}

#[test]
fn every_kind_survives_the_way_there_and_back() {
    let document = json!({
        "a_bool": true, "an_int32": -7, "an_int64": "-9223372036854775808", "a_uint32": 4294967295_u32,
        "a_uint64": "18446744073709551615", "a_float": 0.5, "a_double": 1e300, "a_string": "ü\u{0000}\"",
        "some_bytes": "+/8=", "colour": "blue", "colours": ["RED", "COLOUR_UNSPECIFIED"],
        "inner": { "a_string": "x", "inner": {} }, "inners": [{ "an_int32": 1 }, {}], "names": ["b", "a"],
        "labels": { "z": "1", "a": "2" }, "by_number": { "-3": { "a_bool": true } }, "by_truth": { "true": "5" },
        "nickname": "", "is_known": false, "external_id": "e", "at": "2026-11-22T12:03:11.500Z", "lasts": "3.500s",
        "mask": "a_string,inner.a_bool", "wrapped_text": "", "wrapped_bool": false, "wrapped_number": "0",
        "free": { "n": 1, "f": 1.5, "b": false, "z": null, "l": [1, "a", { "x": [] }], "o": {} },
        "anything": null, "list": [1, [2], null],
    });
    assert_eq!(through(&document), document);
}

#[test]
fn names_are_taken_in_both_spellings_and_written_in_one() {
    assert_eq!(
        through(&json!({ "aString": "x", "wrappedText": "y" })),
        json!({ "a_string": "x", "wrapped_text": "y" })
    );
    assert_eq!(
        through(&json!({ "mask": "aString,inner.aBool" })),
        json!({ "mask": "a_string,inner.a_bool" })
    );
    assert_eq!(
        refusal(&json!({ "aString": "x", "a_string": "y" })),
        "a_string: is given twice"
    );
    assert_eq!(
        refusal(&json!({ "id": "x", "externalId": "y" })),
        "id: cannot be given together with external_id"
    );
}

#[test]
fn unknown_fields_are_ignored_and_unknown_values_refused() {
    assert_eq!(
        through(&json!({ "nobody": { "knows": [1] }, "a_bool": true })),
        json!({ "a_bool": true })
    );
    for colour in [
        json!("GREEN"),
        json!("red"),
        json!(3),
        json!(1.5),
        json!(true),
        json!(""),
        json!([]),
    ] {
        let message = refusal(&json!({ "inners": [{ "colour": colour }] }));
        assert_eq!(
            message,
            "inners[0].colour: must be one of COLOUR_UNSPECIFIED, RED, blue"
        );
    }
    assert_eq!(through(&json!({ "colour": 1 })), json!({ "colour": "RED" }));
}

#[test]
fn null_is_absent_except_where_anything_goes() {
    let nulls = json!({ "a_string": null, "inner": null, "names": null, "labels": null, "wrapped_bool": null, "id": null });
    assert_eq!(through(&nulls), json!({}));
    assert_eq!(through(&json!({ "anything": null })), json!({ "anything": null }));
    assert_eq!(
        refusal(&json!({ "names": [null] })),
        "names[0]: must be a string, not null"
    );
    assert_eq!(
        refusal(&json!({ "labels": { "a": null } })),
        "labels.a: must be a string, not null"
    );
}

#[test]
fn numbers_may_be_text_but_not_nearly_numbers() {
    assert_eq!(
        through(&json!({ "an_int32": "12", "a_uint64": 5, "a_double": "1.5" })),
        json!({ "an_int32": 12, "a_uint64": "5", "a_double": 1.5 })
    );
    assert_eq!(
        through(&json!({ "an_int32": 3.0, "an_int64": 1e3 })),
        json!({ "an_int32": 3, "an_int64": "1000" })
    );
    assert_eq!(
        through(&json!({ "a_double": "NaN", "a_float": "-Infinity" })),
        json!({ "a_double": "NaN", "a_float": "-Infinity" })
    );
    for bad in [
        json!(1.5),
        json!("1.0"),
        json!(" 1"),
        json!("+1"),
        json!("0x1"),
        json!("1_0"),
        json!(""),
        json!("-"),
        json!(true),
        json!([1]),
        json!(1e300),
    ] {
        assert!(
            refusal(&json!({ "an_int32": bad })).starts_with("an_int32: must be a whole number"),
            "{bad}"
        );
    }
    for (field, bad) in [
        ("an_int32", json!(2_147_483_648_i64)),
        ("an_int32", json!("-2147483649")),
        ("a_uint32", json!(-1)),
        ("a_uint64", json!("-1")),
        ("an_int64", json!(9_223_372_036_854_775_808_u64)),
        ("a_uint64", json!("18446744073709551616")),
    ] {
        let sent = json!({ field: bad });
        assert_eq!(refusal(&sent), format!("{field}: is out of range"));
    }
    assert!(refusal(&json!({ "an_int32": "9".repeat(60) })).contains("whole number"));
}

#[test]
fn a_mistake_names_its_place_and_never_repeats_what_stood_there() {
    assert_eq!(
        refusal(&json!({ "inner": { "inners": [{}, { "aString": 5 }] } })),
        "inner.inners[1].a_string: must be a string, not a number"
    );
    assert_eq!(
        refusal(&json!({ "labels": { "k": 5 } })),
        "labels.k: must be a string, not a number"
    );
    assert_eq!(
        refusal(&json!({ "inner": "secret" })),
        "inner: must be an object, not a string"
    );
    assert_eq!(
        refusal(&json!({ "names": "secret" })),
        "names: must be an array, not a string"
    );
    assert_eq!(
        refusal(&json!({ "a_bool": "true" })),
        "a_bool: must be true or false, not a string"
    );
    assert_eq!(
        refusal(&json!({ "some_bytes": "s*cret" })),
        "some_bytes: must be bytes in base64"
    );
    assert_eq!(
        refusal(&json!({ "by_number": { "x": {} } })),
        "by_number.x: is not a key of this map"
    );
    assert_eq!(
        refusal(&json!({ "at": "secret" })),
        "at: must be a timestamp such as 2026-11-22T14:03:11Z, not a string"
    );
    assert_eq!(
        refusal(&json!({ "packed": {} })),
        "packed: is of a kind that JSON cannot carry"
    );
    assert_eq!(refusal(&json!([])), ": must be an object, not an array");
}

#[test]
fn bytes_come_in_both_alphabets_padded_or_not() {
    for same in ["+/8=", "+/8", "-_8=", "-_8"] {
        assert_eq!(
            through(&json!({ "some_bytes": same })),
            json!({ "some_bytes": "+/8=" }),
            "{same}"
        );
    }
}

#[test]
fn what_is_written_is_the_same_every_time() {
    let labels: serde_json::Map<String, Json> = (0..50).map(|n| (format!("k{n:02}"), json!("v"))).collect();
    let text = json!({ "labels": labels, "free": labels }).to_string();
    let first = rendered(&parse(&text).unwrap(), Defaults::Left);
    for _ in 0..20 {
        assert_eq!(rendered(&parse(&text).unwrap(), Defaults::Left), first);
    }
    assert!(first.starts_with(r#"{"labels":{"k00":"v","k01":"v","#), "{first}");
}

#[test]
fn defaults_are_shown_only_where_absence_would_say_the_same() {
    let shown = rendered(&parse("{}").unwrap(), Defaults::Shown);
    let shown: Json = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        shown,
        json!({
            "a_bool": false, "an_int32": 0, "an_int64": "0", "a_uint32": 0, "a_uint64": "0", "a_float": 0.0, "a_double": 0.0,
            "a_string": "", "some_bytes": "", "colour": "COLOUR_UNSPECIFIED", "inners": [], "names": [], "labels": {},
            "by_number": {}, "by_truth": {}, "colours": [],
        })
    );
}

#[test]
fn free_values_nest_as_deep_as_protobuf_can_carry_them_back() {
    let nested = |levels: usize| format!("{{\"free\":{}1{}}}", "{\"a\":".repeat(levels), "}".repeat(levels));
    let deepest: Json = serde_json::from_str(&nested(23)).unwrap();
    assert_eq!(through(&deepest), deepest);
    assert!(
        parse(&nested(24))
            .unwrap_err()
            .description
            .contains("nested more than 24 levels deep")
    );
}
