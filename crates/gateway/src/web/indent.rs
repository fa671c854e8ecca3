//! Messages of providers, laid out for people.
//!
//! A SAML message comes as one line of some thousand letters. This adds line feeds and blanks between its tags,
//! and changes nothing else. It is no parser: the text may be cut, or be no XML at all.

/// Deeper elements are not moved further, so that a message cannot make the page large.
const MAX_DEPTH: usize = 16;

/// A kind of markup: the text from `<` to `>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Markup {
    Start,
    End,
    /// CDATA, which belongs to the text around it.
    Text,
    /// A tag that is start and end, a comment, or an instruction.
    Other,
}

/// XML with each element in a line of its own. Text stays beside its tags, as it came. Any other text is returned as
/// it is.
pub(crate) fn indented(message: &str) -> String {
    let mut rest = message.trim_start();
    if !rest.starts_with('<') {
        return message.to_owned();
    }
    let mut laid_out = String::with_capacity(message.len() * 2);
    let (mut depth, mut before) = (0_usize, Markup::Other);
    while let Some(start) = rest.find('<') {
        let (text, markup) = rest.split_at(start);
        let (tag, after) = markup.split_at(end_of(markup).unwrap_or(markup.len()));
        let kind = kind_of(tag);
        if kind == Markup::End {
            depth = depth.saturating_sub(1);
        }
        let is_beside_text = !text.trim().is_empty() || kind == Markup::Text || before == Markup::Text;
        let is_empty_element = (before, kind) == (Markup::Start, Markup::End);
        if is_beside_text || is_empty_element {
            laid_out.push_str(text);
        } else if !laid_out.is_empty() {
            laid_out.push('\n');
            laid_out.push_str(&"  ".repeat(depth.min(MAX_DEPTH)));
        }
        laid_out.push_str(tag);
        if kind == Markup::Start {
            depth += 1;
        }
        (before, rest) = (kind, after);
    }
    laid_out.push_str(rest.trim_end());
    laid_out
}

fn kind_of(tag: &str) -> Markup {
    if tag.starts_with("</") {
        Markup::End
    } else if tag.starts_with("<![CDATA[") {
        Markup::Text
    } else if tag.starts_with("<!") || tag.starts_with("<?") || tag.ends_with("/>") {
        Markup::Other
    } else {
        Markup::Start
    }
}

/// The end of the markup that a text begins with. `None`: it has no end.
fn end_of(markup: &str) -> Option<usize> {
    for (start, end) in [("<!--", "-->"), ("<![CDATA[", "]]>")] {
        if let Some(content) = markup.strip_prefix(start) {
            return content.find(end).map(|at| start.len() + at + end.len());
        }
    }
    // A quoted value may contain `>`.
    let mut quote = None;
    for (at, letter) in markup.char_indices() {
        match quote {
            None if letter == '>' => return Some(at + 1),
            None if matches!(letter, '"' | '\'') => quote = Some(letter),
            Some(open) if open == letter => quote = None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_element_has_a_line_and_text_stays_beside_its_tags() {
        let message = r#"<!-- changed --><r a="1>2" b='"'><i>urn:idp</i><s><e/><none></none>  <v> Ada </v></s><p>a<b>c</b>d</p><c><![CDATA[<x>]]></c></r>"#;
        assert_eq!(
            indented(message),
            r#"<!-- changed -->
<r a="1>2" b='"'>
  <i>urn:idp</i>
  <s>
    <e/>
    <none></none>
    <v> Ada </v>
  </s>
  <p>a<b>c</b>d</p>
  <c><![CDATA[<x>]]></c>
</r>"#
        );
    }

    #[test]
    fn a_text_that_is_laid_out_already_stays_so() {
        let message = "<r>\n  <i>urn:idp</i>\n</r>";
        assert_eq!(indented(message), message);
        assert_eq!(indented(&format!("\n{message}\n")), message);
    }

    #[test]
    fn nothing_is_taken_away_from_text_that_is_no_xml_or_was_cut() {
        for same in [
            "",
            "client_id=genkan\nscope=openid <b>",
            "{\"sub\":\"<a><b>\"}",
            "<r a=\"",
            "<!-- no end <a>",
            "<r",
            "<<<",
        ] {
            assert_eq!(indented(same), same);
        }
        for cut in [
            "<r><a>text",
            "<a></b></c></d><e>",
            "<![CDATA[a",
            "<r><a b='<c><d>",
        ] {
            let bare = |text: &str| text.replace(['\n', ' '], "");
            assert_eq!(bare(&indented(cut)), bare(cut));
        }
    }

    #[test]
    fn a_deep_message_stays_small() {
        let deep = "<a>".repeat(5_000);
        assert!(indented(&deep).len() <= 5_000 * (3 + 1 + 2 * MAX_DEPTH));
    }
}
