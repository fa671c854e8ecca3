//! Conversions that many answers share.

use genkan_protocol::Timestamp;

use crate::Error;

/// A moment, as messages carry it.
pub(crate) fn time(at: Timestamp) -> prost_types::Timestamp {
    let micros = at.as_micros();
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1_000)
            .expect("less than a second in nanoseconds"),
    }
}

/// The moment in a caller's field, if it is set.
///
/// # Errors
///
/// `INVALID_ARGUMENT` if it is not a valid moment.
pub(crate) fn moment(
    field: &str,
    written: Option<&prost_types::Timestamp>,
) -> Result<Option<Timestamp>, Error> {
    let Some(written) = written else {
        return Ok(None);
    };
    let nanos = u32::try_from(written.nanos)
        .ok()
        .filter(|nanos| *nanos < 1_000_000_000);
    let micros = nanos.and_then(|nanos| {
        let micros = written.seconds.checked_mul(1_000_000)?;
        micros.checked_add(i64::from(nanos / 1_000))
    });
    let micros = micros.ok_or_else(|| Error::invalid(field, "is not a moment"))?;
    Ok(Some(Timestamp::from_micros(micros)))
}

/// The texts of a JSON object. This API stores only texts; other values, from an import,
/// are shown as JSON.
pub(crate) fn map(
    object: &serde_json::Map<String, serde_json::Value>,
) -> std::collections::BTreeMap<String, String> {
    object
        .iter()
        .map(|(key, value)| {
            let text = match value {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            (key.clone(), text)
        })
        .collect()
}

/// The JSON object of a map of texts.
pub(crate) fn object(
    map: std::collections::BTreeMap<String, String>,
) -> serde_json::Map<String, serde_json::Value> {
    map.into_iter().map(|(key, value)| (key, value.into())).collect()
}

/// A JSON object, as messages carry it.
pub(crate) fn structure(object: &serde_json::Map<String, serde_json::Value>) -> prost_types::Struct {
    prost_types::Struct {
        fields: object
            .iter()
            .map(|(key, value)| (key.clone(), free_value(value)))
            .collect(),
    }
}

fn free_value(value: &serde_json::Value) -> prost_types::Value {
    use prost_types::value::Kind;
    let kind = match value {
        serde_json::Value::Null => Kind::NullValue(0),
        serde_json::Value::Bool(value) => Kind::BoolValue(*value),
        // Protobuf has only doubles.
        serde_json::Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        serde_json::Value::String(text) => Kind::StringValue(text.clone()),
        serde_json::Value::Array(values) => Kind::ListValue(prost_types::ListValue {
            values: values.iter().map(free_value).collect(),
        }),
        serde_json::Value::Object(object) => Kind::StructValue(structure(object)),
    };
    prost_types::Value { kind: Some(kind) }
}

/// The JSON object that a message carries.
pub(crate) fn json_object(structure: prost_types::Struct) -> serde_json::Map<String, serde_json::Value> {
    structure
        .fields
        .into_iter()
        .map(|(key, value)| (key, json_value(value)))
        .collect()
}

fn json_value(value: prost_types::Value) -> serde_json::Value {
    use prost_types::value::Kind;
    match value.kind {
        None | Some(Kind::NullValue(_)) => serde_json::Value::Null,
        Some(Kind::BoolValue(value)) => value.into(),
        Some(Kind::NumberValue(number)) => json_number(number),
        Some(Kind::StringValue(text)) => text.into(),
        Some(Kind::ListValue(list)) => list.values.into_iter().map(json_value).collect(),
        Some(Kind::StructValue(structure)) => json_object(structure).into(),
    }
}

/// A whole number, if it is one: people write whole numbers, and protobuf has only doubles.
fn json_number(number: f64) -> serde_json::Value {
    /// Below this every whole number is exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and small")]
        return serde_json::Value::from(number as i64);
    }
    serde_json::Number::from_f64(number).map_or(serde_json::Value::Null, serde_json::Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_survives_the_way_through_a_message() {
        let object = json!({ "a": 17, "b": [1.5, null, true], "c": { "d": "e" } });
        let object = object.as_object().unwrap();
        assert_eq!(json_object(structure(object)), *object);
    }

    #[test]
    fn what_is_no_number_of_json_becomes_null() {
        assert_eq!(json_number(f64::NAN), serde_json::Value::Null);
        assert_eq!(json_number(f64::INFINITY), serde_json::Value::Null);
        assert_eq!(json_number(1e300), json!(1e300));
    }
}
