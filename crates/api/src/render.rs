//! What many answers share.

use genkan_protocol::Timestamp;

/// A moment, as messages carry it.
pub(crate) fn time(at: Timestamp) -> prost_types::Timestamp {
    let micros = at.as_micros();
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1_000)
            .expect("less than a second in nanoseconds"),
    }
}

/// The texts of a JSON object. Only texts get in through this API; what else an
/// import may have brought is shown as JSON.
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
