//! Path templates of the HTTP annotations: `/api/v1/organizations/{id}:enable`.
//!
//! axum's router cannot match them: a parameter fills a whole segment there, and a verb
//! behind it panics.
//!
//! Source: `google/api/http.proto`, "Path template syntax".

use std::borrow::Cow;

/// A template, cut at its slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    segments: Vec<Segment>,
}

/// The part between two slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Fixed text. A verb behind it (`organizations:search`) is part of it.
    Literal(String),
    /// `{field}`, or `{field}:verb`.
    Variable { field: String, verb: Option<String> },
}

/// A template that this version cannot serve: wildcards, and variables over several segments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unsupported;

/// How specific a segment is: the smaller, the more specific.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    Literal,
    VariableWithVerb,
    Variable,
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, Unsupported> {
        let segments = text.strip_prefix('/').ok_or(Unsupported)?.split('/');
        let segments = segments.map(Segment::parse).collect::<Result<_, _>>()?;
        Ok(Self { segments })
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The fields that the path sets.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Variable { field, .. } => Some(field.as_str()),
            Segment::Literal(_) => None,
        })
    }

    /// Sorts templates of one length: the more specific one first.
    pub(crate) fn ranks(&self) -> Vec<Rank> {
        self.segments.iter().map(Segment::rank).collect()
    }

    /// The values of the variables, still percent-encoded, if `path` fits.
    pub(crate) fn captures<'t, 'p>(&'t self, path: &[&'p str]) -> Option<Vec<(&'t str, &'p str)>> {
        if path.len() != self.segments.len() {
            return None;
        }
        let mut captures = Vec::new();
        for (segment, text) in self.segments.iter().zip(path) {
            match segment {
                Segment::Literal(literal) => {
                    if literal != text && decoded(text).as_deref() != Some(literal) {
                        return None;
                    }
                }
                Segment::Variable { field, verb } => {
                    let value = match verb {
                        // A colon that is encoded belongs to the value.
                        Some(verb) => text.strip_suffix(verb.as_str())?.strip_suffix(':')?,
                        None => text,
                    };
                    if value.is_empty() {
                        return None;
                    }
                    captures.push((field.as_str(), value));
                }
            }
        }
        Some(captures)
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, Unsupported> {
        let Some(rest) = text.strip_prefix('{') else {
            let is_plain = !text.is_empty() && !text.contains(['*', '{', '}', '%']);
            return is_plain
                .then(|| Self::Literal(text.to_owned()))
                .ok_or(Unsupported);
        };
        let (variable, behind) = rest.split_once('}').ok_or(Unsupported)?;
        let field = variable.strip_suffix("=*").unwrap_or(variable);
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        if field.is_empty() || !field.chars().all(is_name) {
            return Err(Unsupported);
        }
        let verb = match behind.strip_prefix(':') {
            Some(verb) if !verb.is_empty() => Some(verb.to_owned()),
            None if behind.is_empty() => None,
            _ => return Err(Unsupported),
        };
        Ok(Self::Variable {
            field: field.to_owned(),
            verb,
        })
    }

    fn rank(&self) -> Rank {
        match self {
            Self::Literal(_) => Rank::Literal,
            Self::Variable { verb: Some(_), .. } => Rank::VariableWithVerb,
            Self::Variable { verb: None, .. } => Rank::Variable,
        }
    }
}

/// Percent-decodes a segment or a part of a query.
///
/// Absent if a `%` is not followed by two hex digits, or the bytes are not UTF-8: such a
/// text names nothing here.
pub(crate) fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captures(template: &str, path: &str) -> Option<Vec<(String, String)>> {
        let template = Template::parse(template).unwrap();
        let path: Vec<&str> = path[1..].split('/').collect();
        let captures = template.captures(&path)?;
        let owned = |(field, value): (&str, &str)| (field.to_owned(), value.to_owned());
        Some(captures.into_iter().map(owned).collect())
    }

    fn one(field: &str, value: &str) -> Option<Vec<(String, String)>> {
        Some(vec![(field.to_owned(), value.to_owned())])
    }

    #[test]
    fn a_verb_behind_a_variable_is_not_part_of_the_value() {
        assert_eq!(
            captures("/x/{id}:enable", "/x/conn_1:enable"),
            one("id", "conn_1")
        );
        assert_eq!(captures("/x/{id}:enable", "/x/a:b:enable"), one("id", "a:b"));
        for other in [
            "/x/conn_1",
            "/x/conn_1:disable",
            "/x/:enable",
            "/x/conn_1%3Aenable",
            "/x/enable",
        ] {
            assert_eq!(captures("/x/{id}:enable", other), None, "{other}");
        }
    }

    #[test]
    fn a_variable_takes_one_whole_segment_and_never_an_empty_one() {
        assert_eq!(captures("/x/{id}", "/x/a:b"), one("id", "a:b"));
        assert_eq!(captures("/x/{id}", "/x/a%2Fb"), one("id", "a%2Fb"));
        for other in ["/x/", "/x/a/", "/x/a/b", "/x", "/y/a", "//a"] {
            assert_eq!(captures("/x/{id}", other), None, "{other}");
        }
    }

    #[test]
    fn literals_may_arrive_encoded() {
        for same in ["/orgs:search", "/orgs%3Asearch", "/orgs%3asearch"] {
            assert_eq!(captures("/orgs:search", same), Some(vec![]), "{same}");
        }
        for other in [
            "/ORGS:search",
            "/orgs%3",
            "/orgs%zzsearch",
            "/orgs%ffsearch",
            "/orgs:search%00",
        ] {
            assert_eq!(captures("/orgs:search", other), None, "{other}");
        }
    }

    #[test]
    fn templates_over_several_segments_are_not_supported() {
        for unsupported in [
            "x", "/x/**", "/x/*", "/{a=b/*}", "/{a", "/a}", "/{}", "/{a b}", "/x/{id}:", "/x/{id}y", "//x",
            "/",
        ] {
            assert_eq!(Template::parse(unsupported), Err(Unsupported), "{unsupported}");
        }
        assert_eq!(Template::parse("/{id=*}"), Template::parse("/{id}"));
    }

    #[test]
    fn only_whole_escapes_of_utf8_are_decoded() {
        assert_eq!(decoded("a%2Fb%20c%3A%C3%BC").unwrap(), "a/b c:ü");
        assert_eq!(decoded("%2525").unwrap(), "%25");
        for bad in ["%", "%2", "%zz", "%-1", "%+1", "a%", "%ff", "%c3", "%ed%a0%80"] {
            assert_eq!(decoded(bad), None, "{bad}");
        }
    }
}
