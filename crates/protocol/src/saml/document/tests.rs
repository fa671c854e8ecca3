use super::*;
use crate::saml::scan::{Limits, scan};

fn with<T>(text: &str, read: impl FnOnce(Element<'_>) -> T) -> T {
    let text = scan(text.as_bytes(), &Limits::MESSAGE).unwrap();
    let document = Document::parse(&text).unwrap();
    read(document.root())
}

/// Trap 3: the tree builder's own text ends at the first comment.
#[test]
fn text_is_joined_over_comments_instructions_and_cdata() {
    for text in [
        "<a>admin@acme.example<!-- -->.evil.example</a>",
        "<a>admin@acme.example<?x?>.evil.example</a>",
        "<a>admin@acme.example<![CDATA[.evil.example]]></a>",
        "<a><!-- -->admin@acme.example.evil.exa<!---->mple<!-- --></a>",
        "<a>admin&#64;acme.example.evil.example</a>",
    ] {
        with(text, |root| {
            assert_eq!(root.text().unwrap(), "admin@acme.example.evil.example")
        });
    }
    with("<a/>", |root| assert_eq!(root.text().unwrap(), ""));
    with("<a>x<b/></a>", |root| assert_eq!(root.text(), Err(TextError)));
    with("<a><b>x</b></a>", |root| assert_eq!(root.text(), Err(TextError)));
}

#[test]
fn bare_text_has_nothing_beside_it() {
    with("<a>x</a>", |root| assert_eq!(root.bare_text(), Some("x")));
    with("<a><![CDATA[x]]>y</a>", |root| {
        assert_eq!(root.bare_text(), Some("xy"))
    });
    for text in [
        "<a/>",
        "<a>x<!-- --></a>",
        "<a><!-- -->x</a>",
        "<a>x<?p?></a>",
        "<a>x<b/></a>",
        "<a><b/></a>",
    ] {
        with(text, |root| assert_eq!(root.bare_text(), None, "{text}"));
    }
}

/// The tree builder's own function finds `x:ID` where `ID` is asked for.
#[test]
fn an_attribute_of_a_namespace_is_another_one() {
    with("<a xmlns:x='urn:x' x:ID='evil' ID='good'/>", |root| {
        assert_eq!(root.attribute("ID"), Some("good"));
        assert_eq!(root.attribute_in("urn:x", "ID"), Some("evil"));
    });
    with("<a xmlns:x='urn:x' x:ID='evil'/>", |root| {
        assert_eq!(root.attribute("ID"), None);
        assert_eq!(root.attribute("x:ID"), None);
    });
    with("<x:a xmlns:x='urn:x' ID='1'/>", |root| {
        assert_eq!(root.attribute_in("urn:x", "ID"), None)
    });
}

#[test]
fn an_element_is_named_by_its_namespace() {
    with(
        "<p:a xmlns:p='urn:one' xmlns='urn:two'><a/><b xmlns=''/><p:a xmlns:p='urn:three'/></p:a>",
        |root| {
            assert!(root.is("urn:one", "a"));
            assert_eq!((root.name(), root.prefix(), root.local_name()), ("p:a", "p", "a"));
            let children: Vec<_> = root
                .children()
                .map(|child| (child.namespace(), child.name()))
                .collect();
            assert_eq!(children, [("urn:two", "a"), ("", "b"), ("urn:three", "p:a")]);
            assert_eq!(root.child("urn:three", "a").map(Element::name), Some("p:a"));
            assert!(root.child("urn:one", "a").is_none());
        },
    );
}

#[test]
fn a_second_element_of_a_name_is_noticed() {
    with("<r xmlns='urn:x'><a/><b/><b/></r>", |root| {
        assert_eq!(root.only("urn:x", "a").unwrap().map(Element::name), Some("a"));
        assert!(matches!(root.only("urn:x", "b"), Err(Repeated)));
        assert!(matches!(root.only("urn:x", "c"), Ok(None)));
        assert_eq!(root.children_named("urn:x", "b").count(), 2);
    });
}

#[test]
fn an_identifier_names_one_element() {
    let duplicate = |text: &str| match Document::parse(text) {
        Err(XmlError {
            kind: XmlErrorKind::DuplicateId(id),
        }) => Some(id),
        Err(other) => panic!("{other}"),
        Ok(_) => None,
    };
    for text in [
        "<a ID='_1'><b ID='_1'/></a>",
        "<a ID='_1'><b><c xml:id='_1'/></b></a>",
        "<a Id='_1'><b ID='_1'/></a>",
        "<a ID='_1' xml:id='_1'/>",
        "<a ID='_1'><b ID='&#95;1'/></a>",
    ] {
        assert_eq!(duplicate(text).as_deref(), Some("_1"), "{text}");
    }
    assert_eq!(duplicate("<a ID='_1'><b ID='_2'/><c id='_1' x='_1'/></a>"), None);
    let long = "x".repeat(5000);
    let shown = duplicate(&format!("<a ID='{long}'><b ID='{long}'/></a>")).unwrap();
    assert_eq!(shown.len(), MAX_SHOWN);
}

#[test]
fn a_walk_leaves_out_one_element_and_all_comments() {
    let walked = |root: Element<'_>, left_out: Option<Element<'_>>| -> String {
        root.walk(left_out)
            .map(|step| match step {
                Step::Open(element) => format!("<{}", element.name()),
                Step::Close(element) => format!("{}>", element.name()),
                Step::Text(text) => format!("'{text}'"),
                Step::Instruction(target, content) => format!("?{target} {}", content.unwrap_or("-")),
            })
            .collect()
    };
    with("<a>1<b>2<c/></b><!-- -->3<?p?><?q  r ?><d/></a>", |root| {
        assert_eq!(walked(root, None), "<a'1'<b'2'<cc>b>'3'?p -?q r <dd>a>");
        let mut children = root.children();
        let (b, d) = (children.next(), children.next());
        assert_eq!(walked(root, b), "<a'1''3'?p -?q r <dd>a>");
        assert_eq!(walked(root, d), "<a'1'<b'2'<cc>b>'3'?p -?q r a>");
        // The walk ends with the element that it began with.
        assert_eq!(walked(b.unwrap(), None), "<b'2'<cc>b>");
        assert_eq!(walked(root, Some(root)), "");
    });
}

/// A document that came past the scan does not exhaust the stack either.
#[test]
fn depth_costs_no_stack() {
    let deep = format!("{}{}", "<a>".repeat(49_000), "</a>".repeat(49_000));
    let document = Document::parse(&deep).unwrap();
    assert_eq!(document.root().walk(None).count(), 98_000);
    assert_eq!(document.root().descendants().count(), 49_000);
}
