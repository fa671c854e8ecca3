use super::*;
use crate::saml::Document;
use crate::saml::work::counted;

fn kind(text: &str) -> XmlErrorKind {
    scan(text.as_bytes(), &Limits::MESSAGE).unwrap_err().kind
}

fn is_malformed(text: &str) -> bool {
    matches!(kind(text), XmlErrorKind::Malformed(_))
}

/// Both steps, as every caller takes them.
fn parses(text: &str) -> bool {
    scan(text.as_bytes(), &Limits::MESSAGE).is_ok_and(|text| Document::parse(&text).is_ok())
}

#[test]
fn a_document_passes_without_its_mark_and_declaration() {
    for text in [
        "<a/>",
        "\u{feff}<a/>",
        "<?xml version=\"1.0\"?><a/>",
        "\u{feff}<?xml version='1.0' encoding='UTF-8' standalone=\"yes\" ?><a/>",
        "<?xml\r\nversion = \"1.0\" encoding=\"utf-8\"?><a/>",
    ] {
        assert_eq!(scan(text.as_bytes(), &Limits::MESSAGE).unwrap(), "<a/>", "{text}");
    }
}

#[test]
fn other_encodings_are_refused() {
    assert_eq!(
        scan(b"<a>\xe4</a>", &Limits::MESSAGE).unwrap_err().kind,
        XmlErrorKind::Encoding
    );
    assert_eq!(
        scan(b"\xff\xfe<\0a\0/\0>\0", &Limits::MESSAGE).unwrap_err().kind,
        XmlErrorKind::Encoding
    );
    for text in [b"<\0a\0/\0>\0", b"\0<\0a\0/\0>"] {
        assert_eq!(
            scan(text, &Limits::MESSAGE).unwrap_err().kind,
            XmlErrorKind::Encoding
        );
    }
    assert!(!parses("<a>1234\0</a>"));
    assert_eq!(
        kind("<?xml version='1.0' encoding='ISO-8859-1'?><a/>"),
        XmlErrorKind::Encoding
    );
    assert_eq!(
        kind("<?xml version='1.0' encoding='UTF-7'?><a/>"),
        XmlErrorKind::Encoding
    );
}

#[test]
fn a_wrong_declaration_is_refused() {
    for text in [
        "<?xml version='1.1'?><a/>",
        "<?xml encoding='utf-8'?><a/>",
        "<?xml ?><a/>",
        "<?xml version='1.0' standalone='maybe'?><a/>",
        "<?xml version='1.0'encoding='utf-8'?><a/>",
        "<?xml version='1.0' more='1'?><a/>",
        "<?xml version='1.0'><a/>",
        "<?xml version='1.0'?><?xml version='1.0'?><a/>",
        " <?xml version='1.0'?><a/>",
        "<a/><?XML x?>",
        "<a><?xml\tx?></a>",
        "<a><?p:q x?></a>",
    ] {
        assert!(is_malformed(text), "{text}");
    }
}

#[test]
fn a_document_type_is_refused_wherever_it_stands() {
    for text in [
        "<!DOCTYPE a><a/>",
        "<?xml version='1.0'?><!-- x --><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        "<a><!DOCTYPE b></a>",
        "<a/><!DOCTYPE a>",
    ] {
        assert_eq!(kind(text), XmlErrorKind::DocumentType, "{text}");
    }
    assert!(is_malformed("<!ENTITY a 'b'><a/>"));
    assert!(is_malformed("<!doctype a><a/>"));
    // No document type, only a text that looks like one.
    assert!(parses(
        "<a b='DOCTYPE'><![CDATA[<!DOCTYPE a>]]><!-- <!DOCTYPE a> --></a>"
    ));
}

/// Trap 2 of the tree builder: it leaves a carriage return beside a character reference.
#[test]
fn line_ends_are_line_feeds() {
    let text = scan(b"<a b='1\r\n2'>\r\r\n&#65;\r&#13;\n</a>", &Limits::MESSAGE).unwrap();
    assert_eq!(text, "<a b='1\n2'>\n\n&#65;\n&#13;\n</a>");
    let document = Document::parse(&text).unwrap();
    assert_eq!(document.root().text().unwrap(), "\n\nA\n\r\n");
}

/// Trap 6, and what was found beside it: the tree builder lets each of these through.
#[test]
fn what_namespaces_forbid_is_refused_although_the_tree_builder_accepts_it() {
    for text in [
        "<a xmlns:p=''/>",
        "<a xmlns='urn:x' xmlns='urn:y'/>",
        "<a xmlns:p='urn:p' p:xmlns='urn:x'/>",
        "<a xmlns:xmlns='urn:x'/>",
        "<:a/>",
        "<a :ID='x'/>",
    ] {
        assert!(is_malformed(text), "{text}");
        assert!(
            roxmltree_accepts(text),
            "{text}: the tree builder refuses it by now, so the scan need not"
        );
    }
    for text in [
        "<a::b/>",
        "<a b:='x'/>",
        "<a xmlns:='urn:x'/>",
        "<a: xmlns:a='urn:x'/>",
    ] {
        assert!(is_malformed(text), "{text}");
    }
    assert!(parses("<a xmlns=''/>"));
    assert!(parses("<a xmlns:p='urn:p' p:b='1'><p:c xmlns:p='urn:q'/></a>"));
}

#[expect(clippy::disallowed_methods, reason = "asks the tree builder alone")]
fn roxmltree_accepts(text: &str) -> bool {
    roxmltree::Document::parse(text).is_ok()
}

#[test]
fn references_are_to_characters_that_xml_has() {
    assert!(parses(
        "<a b='&lt;&#9;'>&amp;&lt;&gt;&quot;&apos;&#65;&#x1F98A;&#xD7FF;&#xfffd;</a>"
    ));
    for reference in [
        "&",
        "&;",
        "&nbsp;",
        "&#;",
        "&#x;",
        "&#0;",
        "&#8;",
        "&#xD800;",
        "&#xFFFE;",
        "&#x110000;",
        "&#X41;",
        "&#+65;",
        "&#x-41;",
        "&amp",
        "& amp;",
        "&#99999999999999999999;",
        "&AMP;",
    ] {
        assert!(is_malformed(&format!("<a>{reference}</a>")), "{reference}");
        assert!(is_malformed(&format!("<a b='{reference}'/>")), "{reference}");
    }
    // The tree builder reads this one as U+FFFD.
    assert!(roxmltree_accepts("<a>&#xD800;</a>"));
    // None of these is a reference.
    assert!(parses("<a><!-- &x; --><![CDATA[&x;]]><?p &x;?></a>"));
}

#[test]
fn there_is_one_root_and_no_text_beside_it() {
    for text in [
        "",
        " ",
        "<!-- -->",
        "x<a/>",
        "<a/>x",
        "<a/><b/>",
        "<a/><![CDATA[]]>",
        "<![CDATA[]]><a/>",
        "<a>",
        "<a></a></a>",
        "</a><a>",
        "</a>",
        "<a/>&#32;",
        "<a/>\u{a0}",
    ] {
        assert!(is_malformed(text), "{text}");
    }
    assert!(parses(" <!-- --> <?p?> <a/> \n<?p?><!-- --> "));
}

#[test]
fn a_tag_that_is_none_is_refused() {
    for text in [
        "<",
        "<>",
        "< a/>",
        "<a",
        "<a b",
        "<a b=",
        "<a b=c/>",
        "<a b='c/>",
        "<a b='<'/>",
        "<a b='1'c='2'/>",
        "<a / >",
        "</>",
        "<a></a b>",
        "<a><!-- </a>",
        "<a><![CDATA[</a>",
        "<a><?p </a>",
        "<a><!x></a>",
        "<a b='1' b='2'/>",
        "<a></b>",
        "<a b/>",
    ] {
        assert!(!parses(text), "{text}");
    }
}

/// Decrypted text is looked through alone. So it cannot end the element that it is put into.
#[test]
fn a_text_cannot_end_an_element_around_it() {
    for text in [
        "</x><a/><x>",
        "<a/></x><x>",
        "<a></a></x><x><a></a>",
        "<a/><a/>",
        "<!--",
        "<a>",
    ] {
        assert!(is_malformed(text), "{text}");
    }
}

#[test]
fn each_limit_is_the_last_that_passes() {
    let limits = Limits {
        bytes: 1000,
        depth: 3,
        tags: 6,
        attributes: 2,
        namespaces: 3,
        in_force: 2,
        references: 2,
    };
    let limited = |text: &str| match scan(text.as_bytes(), &limits).map_err(|error| error.kind) {
        Ok(_) => None,
        Err(XmlErrorKind::Limit(what)) => Some(what),
        Err(other) => panic!("{text}: {other}"),
    };
    for (passes, fails, what) in [
        (
            "<a><b><c/></b></a>",
            "<a><b><c><d/></c></b></a>",
            "nested elements",
        ),
        (
            "<a><b><c></c></b></a>",
            "<a><b><c><d></d></c></b></a>",
            "nested elements",
        ),
        (
            "<a><b/><!-- --><?p?><![CDATA[]]><b/></a>",
            "<a><b/><!-- --><?p?><![CDATA[]]><b/><b/></a>",
            "tags",
        ),
        (
            "<a b='' c=''/>",
            "<a b='' c='' d=''/>",
            "attributes of one element",
        ),
        (
            "<a xmlns='x' b='' c=''><b xmlns:c='y'/></a>",
            "<a xmlns='x'><b xmlns:c='y' xmlns:d='z'/></a>",
            "namespace declarations",
        ),
        (
            "<a xmlns='x'><b xmlns:c='y'/><b xmlns:c='y'></b></a>",
            "<a><b xmlns:c='y'/><b xmlns:c='y'/><b xmlns:c='y'/><b xmlns:c='y'/></a>",
            "namespace declarations",
        ),
        ("<a b='&lt;'>&gt;</a>", "<a b='&lt;&lt;'>&gt;</a>", "references"),
    ] {
        assert_eq!(limited(passes), None, "{passes}");
        assert_eq!(limited(fails), Some(what), "{fails}");
    }
    assert_eq!(limited(&format!("<a>{}</a>", " ".repeat(993))), None);
    assert_eq!(limited(&format!("<a>{}</a>", " ".repeat(994))), Some("octets"));
    assert_eq!(limited(&format!("<{}/>", "n".repeat(900))), None);
    let long = format!("<{}/>", "n".repeat(MAX_NAME + 1));
    assert_eq!(kind(&long), XmlErrorKind::Limit("letters of a name"));
}

/// Okta, Shibboleth and whatever is built on OpenSAML declare both prefixes at each value.
#[test]
fn a_person_may_have_a_thousand_groups() {
    let value = "<saml2:AttributeValue xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" \
                 xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"xs:string\">group</saml2:AttributeValue>";
    let text = format!(
        "<saml2:A xmlns:saml2='urn:a' xmlns:saml2p='urn:b' xmlns:ds='urn:c'>{}</saml2:A>",
        value.repeat(2500)
    );
    assert!(parses(&text));
}

/// Few are in force, but many elements copy them.
#[test]
fn copies_of_namespaces_are_counted() {
    let namespaces: String = (0..120).map(|number| format!(" xmlns:p{number}='u'")).collect();
    let text = |times| format!("<a{namespaces}>{}</a>", "<b xmlns:c='d'/>".repeat(times));
    assert!(parses(&text(250)));
    assert_eq!(kind(&text(300)), XmlErrorKind::Limit("namespace declarations"));
}

/// Trap 1: a tree of these takes seconds. The scan refuses them after a small part, and
/// looks at each octet of any document a few times at most.
#[test]
fn hostile_documents_cost_a_look_at_each_octet() {
    let namespaces: String = (0..3000)
        .map(|number| format!(" xmlns:p{number}='urn:{number}'"))
        .collect();
    let attributes: String = (0..10_000).map(|number| format!(" a{number}=''")).collect();
    for (text, refused_after) in [
        (
            format!("<a{namespaces}>{}</a>", "<b xmlns:c='d'/>".repeat(1000)),
            8_000,
        ),
        (format!("<a{attributes}/>"), 1_000),
        ("<a>".repeat(100_000), 200),
        (format!("<a>{}</a>", "&amp;".repeat(100_000)), 1_200_000),
        (format!("<a>{}</a>", "&amp".repeat(100_000)), 500_000),
        (format!("<a>{}</a>", "&".repeat(100_000)), 500_000),
        (format!("<a>{}</a>", "<!---->".repeat(40_000)), 200_000),
        (format!("<a>{}", "<!-- -- ".repeat(40_000)), 400_000),
        (format!("<a>{}", "<![CDATA[".repeat(40_000)), 400_000),
        (format!("<a b='{}", "x".repeat(400_000)), 500_000),
        (format!("<{}/>", "a:".repeat(200_000)), 2_000),
    ] {
        let (octets, result) = counted(Step::Scanned, || scan(text.as_bytes(), &Limits::MESSAGE));
        assert!(result.is_err(), "{}", &text[..40]);
        assert!(octets <= refused_after, "{}: {octets}", &text[..40]);
    }
    // At the limits, and accepted.
    let wide = format!("<a>{}</a>", "<b c='&lt;'/>".repeat(19_999));
    let (octets, result) = counted(Step::Scanned, || {
        scan(wide.as_bytes(), &Limits::MESSAGE).map(|_| ())
    });
    assert_eq!(result, Ok(()));
    assert!(octets < 4 * wide.len(), "{octets}");
}
