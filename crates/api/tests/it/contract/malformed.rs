//! Hostile messages, to every method: a correct code, an `ErrorInfo`, no panic.

use genkan_api::methods::{self, Callers};
use prost::Message;
use prost_reflect::{Cardinality, DynamicMessage, FieldDescriptor, Kind, ReflectMessage, Value};
use tonic::{Code, Status};

use super::{call, call_raw, sample};
use crate::support::{Harness, MANAGEMENT, error_info};

/// Codes for mistakes of the caller and for missing objects.
const HONEST: [Code; 8] = [
    Code::InvalidArgument,
    Code::NotFound,
    Code::AlreadyExists,
    Code::FailedPrecondition,
    Code::Aborted,
    Code::PermissionDenied,
    Code::Unimplemented,
    Code::ResourceExhausted,
];

fn assert_honest(what: &str, answer: &Result<bytes::Bytes, Status>) {
    let Err(status) = answer else { return };
    assert!(HONEST.contains(&status.code()), "{what}: {status:?}");
    assert!(!status.message().is_empty(), "{what}");
    assert!(!error_info(status).error_code.is_empty(), "{what}");
}

fn no_text(_: &FieldDescriptor) -> Option<String> {
    None
}

#[tokio::test]
async fn an_empty_message_and_a_full_one_are_answered_by_every_method() {
    let harness = Harness::start().await;
    for (path, method) in methods::all() {
        let empty = call_raw(&harness, Some(MANAGEMENT), path, b"").await;
        assert_honest(path, &empty);
        let full = sample::message(&method.descriptor.input(), &no_text);
        assert_honest(path, &call(&harness, MANAGEMENT, path, &full).await);
    }
}

#[tokio::test]
async fn bytes_that_are_no_message_are_refused_by_every_method() {
    let harness = Harness::start().await;
    for (path, method) in methods::served() {
        if matches!(method.callers, Callers::Others | Callers::Nobody) {
            continue;
        }
        let full = sample::message(&method.descriptor.input(), &no_text).encode_to_vec();
        let cut = full.split_last().map_or(&[][..], |(_, rest)| rest);
        // Endless varint, unknown wire types, a length beyond the end, groups.
        for bytes in [
            &[0xff; 64][..],
            &[0x0f, 0x01],
            &[0x0a, 0x7f],
            &[0x0b; 300],
            &[0x00, 0x01],
        ] {
            let answer = call_raw(&harness, Some(MANAGEMENT), path, bytes).await;
            let code = answer.as_ref().err().map(Status::code);
            assert_eq!(code, Some(Code::InvalidArgument), "{path} {bytes:?}");
            assert_honest(path, &answer);
        }
        assert_honest(path, &call_raw(&harness, Some(MANAGEMENT), path, cut).await);
    }
}

#[tokio::test]
async fn every_field_with_a_hostile_value_is_answered() {
    let harness = Harness::start().await;
    for (path, method) in methods::served() {
        let full = sample::message(&method.descriptor.input(), &no_text);
        for hostile in mutations(&full, 0) {
            let answer = call(&harness, MANAGEMENT, path, &hostile).await;
            assert_honest(&format!("{path} with {hostile}"), &answer);
        }
    }
}

/// The message with one field changed at a time, down to the second level.
fn mutations(message: &DynamicMessage, depth: usize) -> Vec<DynamicMessage> {
    let mut found = Vec::new();
    for field in message.descriptor().fields() {
        for value in hostile_values(&field) {
            let mut changed = message.clone();
            changed.set_field(&field, value);
            found.push(changed);
        }
        if let Value::Message(inner) = &*message.get_field(&field)
            && depth < 2
            && inner.descriptor().full_name().starts_with("scalekit.")
        {
            for inner in mutations(inner, depth + 1) {
                let mut changed = message.clone();
                changed.set_field(&field, Value::Message(inner));
                found.push(changed);
            }
        }
    }
    found
}

fn hostile_values(field: &FieldDescriptor) -> Vec<Value> {
    if field.is_map() {
        return Vec::new();
    }
    let values = match field.kind() {
        Kind::String => {
            let texts = [
                "",
                "\0",
                "'; DROP TABLE users; --",
                "%",
                "../../etc/passwd",
                "\u{202e}\u{1f600}",
            ];
            let mut values: Vec<Value> = texts
                .iter()
                .map(|text| Value::String((*text).to_owned()))
                .collect();
            values.push(Value::String("9".repeat(20_000)));
            values
        }
        Kind::Int32 => vec![Value::I32(i32::MIN), Value::I32(i32::MAX)],
        Kind::Int64 => vec![Value::I64(i64::MIN), Value::I64(i64::MAX)],
        Kind::Uint32 => vec![Value::U32(u32::MAX)],
        Kind::Uint64 => vec![Value::U64(u64::MAX)],
        Kind::Double => vec![Value::F64(f64::NAN), Value::F64(f64::INFINITY)],
        Kind::Enum(_) => vec![Value::EnumNumber(9_999), Value::EnumNumber(-1)],
        Kind::Bytes => vec![Value::Bytes(vec![0xff; 20_000].into())],
        Kind::Message(of) if of.full_name() == "google.protobuf.Timestamp" => {
            [(i64::MAX, i32::MAX), (i64::MIN, -1)]
                .into_iter()
                .map(|(seconds, nanos)| {
                    let mut time = DynamicMessage::new(of.clone());
                    time.set_field_by_name("seconds", Value::I64(seconds));
                    time.set_field_by_name("nanos", Value::I32(nanos));
                    Value::Message(time)
                })
                .collect()
        }
        _ => Vec::new(),
    };
    if field.cardinality() == Cardinality::Repeated {
        let many = values.iter().map(|value| Value::List(vec![value.clone(); 2_000]));
        many.take(2).collect()
    } else {
        values
    }
}
