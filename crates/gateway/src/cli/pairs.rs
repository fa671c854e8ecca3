//! Maps of names and values, and their changes by a command.

/// Splits `name=value`.
pub(super) fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

/// A change of a map: it may be cleared first, then each pair is set, or removed if it has no value.
#[derive(Debug, Clone, Copy)]
pub(super) struct PairsChange<'a> {
    pub(super) clear: bool,
    pub(super) pairs: &'a [(String, String)],
}

impl PairsChange<'_> {
    /// Changes a map of metadata.
    pub(super) fn apply(self, map: &mut serde_json::Map<String, serde_json::Value>) {
        if self.clear {
            map.clear();
        }
        for (name, value) in self.pairs {
            if value.is_empty() {
                map.remove(name);
            } else {
                map.insert(name.clone(), value.clone().into());
            }
        }
    }
}

/// `name=value, …`, for people.
pub(super) fn line(map: &serde_json::Map<String, serde_json::Value>) -> String {
    let pair = |(name, value): (&String, &serde_json::Value)| match value.as_str() {
        Some(text) => format!("{name}={text}"),
        None => format!("{name}={value}"),
    };
    map.iter().map(pair).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_set_and_those_without_a_value_go() {
        let pair = |text: &str| parse_pair(text).unwrap();
        let mut map = serde_json::Map::new();
        let change = |clear, pairs: &[(String, String)], map: &mut _| PairsChange { clear, pairs }.apply(map);
        change(false, &[pair("plan=gold"), pair("desk=1=A")], &mut map);
        assert_eq!(line(&map), "desk=1=A, plan=gold");
        change(false, &[pair("plan=")], &mut map);
        assert_eq!(line(&map), "desk=1=A");
        change(true, &[pair("plan=silver")], &mut map);
        assert_eq!(line(&map), "plan=silver");
        assert!(parse_pair("=gold").is_err() && parse_pair("gold").is_err());
    }
}
