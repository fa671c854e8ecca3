//! Makes transcripts equal in every run: addresses, identifiers, secrets and tokens become words.

/// Replaces what differs between runs.
#[derive(Debug, Clone)]
pub(crate) struct Redactor {
    /// The texts to find, and their replacements.
    servers: Vec<(String, String)>,
}

impl Redactor {
    pub(crate) fn new(servers: &[(String, String)]) -> Self {
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let mut all: Vec<_> = servers.to_vec();
        // Inside a query they are percent-encoded.
        all.extend(servers.iter().map(|(url, shown)| (encoded(url), encoded(shown))));
        Self { servers: all }
    }

    pub(crate) fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (url, shown) in &self.servers {
            text = text.replace(url, shown);
        }
        let mut redacted = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            if is_word(first) {
                let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                redacted.push_str(&word(&rest[..end]));
                rest = &rest[end..];
            } else {
                redacted.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        redacted
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

fn word(word: &str) -> String {
    let parts: Vec<&str> = word.split('.').collect();
    if word.starts_with("eyJ") && parts.len() == 3 {
        return "<jwt>".to_owned();
    }
    if parts.len() == 1 && word.len() >= 43 {
        return "<secret>".to_owned();
    }
    match word.rsplit_once('_') {
        Some((prefix, digits)) if digits.len() == 21 && digits.bytes().all(|c| c.is_ascii_digit()) => {
            format!("{prefix}_<id>")
        }
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_becomes_words() {
        let redactor = Redactor::new(&[("http://localhost:1".to_owned(), "https://gateway.test".to_owned())]);
        let secret = "A".repeat(43);
        let text = format!(
            "http://localhost:1/login/lri_000000000000000000007?iss=http%3A%2F%2Flocalhost%3A1&code={secret} \"eyJh.eyJi.c-_\" no-store"
        );
        assert_eq!(
            redactor.redact(&text),
            "https://gateway.test/login/lri_<id>?iss=https%3A%2F%2Fgateway.test&code=<secret> \"<jwt>\" no-store"
        );
    }
}
