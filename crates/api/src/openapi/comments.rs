//! The comments in `proto/` about services, methods, messages and fields.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost_reflect::FileDescriptor;

use crate::descriptors;

/// By file and path inside it, as `google.protobuf.SourceCodeInfo` counts.
static COMMENTS: LazyLock<HashMap<(String, Vec<i32>), String>> = LazyLock::new(|| {
    let mut comments = HashMap::new();
    for file in descriptors::pool().files() {
        let Some(info) = &file.file_descriptor_proto().source_code_info else {
            continue;
        };
        for location in &info.location {
            if let Some(comment) = &location.leading_comments {
                comments.insert((file.name().to_owned(), location.path.clone()), tidy(comment));
            }
        }
    }
    comments
});

/// The comment above the element at `path`; empty if there is none.
pub(crate) fn at(file: &FileDescriptor, path: &[i32]) -> &'static str {
    let key = (file.name().to_owned(), path.to_vec());
    COMMENTS.get(&key).map_or("", String::as_str)
}

/// Lines joined to paragraphs.
fn tidy(comment: &str) -> String {
    let paragraphs = comment.split("\n\n").map(|paragraph| {
        let lines: Vec<&str> = paragraph
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        lines.join(" ")
    });
    let paragraphs: Vec<String> = paragraphs.filter(|paragraph| !paragraph.is_empty()).collect();
    paragraphs.join("\n\n")
}

/// The first sentence, without its full stop, and the whole text.
pub(crate) fn summary(text: &str) -> &str {
    let first = text.split("\n\n").next().unwrap_or_default();
    let sentence = first.split_once(". ").map_or(first, |(sentence, _)| sentence);
    sentence.trim_end_matches('.')
}

/// `GetOrganizationByExternalId` in words, instead of a missing comment.
pub(crate) fn words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 8);
    let mut before = ' ';
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        let begins_word = c.is_uppercase()
            && (before.is_lowercase() || rest.peek().is_some_and(|next| next.is_lowercase()));
        if begins_word && !words.is_empty() {
            words.push(' ');
        }
        let is_acronym =
            c.is_uppercase() && (before.is_uppercase() || rest.peek().is_none_or(|next| next.is_uppercase()));
        if words.is_empty() || is_acronym {
            words.push(c);
        } else {
            words.extend(c.to_lowercase());
        }
        before = c;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_words() {
        for (name, expected) in [
            ("ListOrganization", "List organization"),
            ("GetOrganizationByExternalId", "Get organization by external id"),
            ("DeletePortalLinkByID", "Delete portal link by ID"),
        ] {
            assert_eq!(words(name), expected);
        }
    }

    #[test]
    fn the_first_sentence_sums_up() {
        let text = tidy(" Finds an organization.\n By id.\n\n Not by name.\n");
        assert_eq!(text, "Finds an organization. By id.\n\nNot by name.");
        assert_eq!(summary(&text), "Finds an organization");
        assert_eq!(summary(""), "");
    }
}
