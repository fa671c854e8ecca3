//! Expectations written by hand from the standards.

use super::*;
use crate::saml::document::Document;
use crate::saml::scan::{Limits, scan};
use crate::saml::work::counted;

/// The canonical form of the element with `ID="x"`, or of the root.
fn form_with(text: &str, prefixes: &str) -> Result<String, CanonicalError> {
    let text = scan(text.as_bytes(), &Limits::MESSAGE).unwrap();
    let document = Document::parse(&text).unwrap();
    let root = document.root();
    let apex = root
        .descendants()
        .find(|element| element.attribute("ID") == Some("x"))
        .unwrap_or(root);
    let left_out = apex.children().find(|child| child.local_name() == "LEFT-OUT");
    let octets = canonicalize(apex, left_out, &PrefixList::parse(prefixes)?)?;
    Ok(String::from_utf8(octets).unwrap())
}

fn form(text: &str) -> String {
    form_with(text, "").unwrap()
}

/// Exclusive C14N §2.2, the problem that it was made for.
#[test]
fn the_context_of_an_element_does_not_change_its_form() {
    let alone = r#"<n1:elem2 xmlns:n1="http://example.net" xml:lang="en"><n3:stuff xmlns:n3="ftp://example.org"></n3:stuff></n1:elem2>"#;
    let element = r#"<n1:elem2 ID="x" xml:lang="en" xmlns:n1="http://example.net"><n3:stuff xmlns:n3="ftp://example.org"/></n1:elem2>"#;
    let alone = alone.replacen(" xml:lang", r#" ID="x" xml:lang"#, 1);
    for (before, after) in [
        ("", ""),
        (r#"<n0:pdu xmlns:n0="http://a.example">"#, "</n0:pdu>"),
        (
            r#"<n2:pdu xmlns:n1="http://example.com" xmlns:n2="http://foo.example" xml:lang="fr" xml:space="retain">"#,
            "</n2:pdu>",
        ),
        (r#"<pdu xmlns="urn:default" xmlns:n3="urn:other">"#, "</pdu>"),
    ] {
        assert_eq!(form(&format!("{before}{element}{after}")), alone, "{before}");
    }
}

/// Exclusive C14N §2: a declaration stands where its prefix is used, and not again below.
#[test]
fn declarations_stand_where_their_prefix_is_used() {
    for (text, expected) in [
        (
            "<a xmlns:p='urn:p'><p:b><p:c/></p:b><p:b/></a>",
            r#"<a><p:b xmlns:p="urn:p"><p:c></p:c></p:b><p:b xmlns:p="urn:p"></p:b></a>"#,
        ),
        (
            "<p:a xmlns:p='urn:p' xmlns:q='urn:q'><p:b q:c='1'/><p:b/></p:a>",
            r#"<p:a xmlns:p="urn:p"><p:b xmlns:q="urn:q" q:c="1"></p:b><p:b></p:b></p:a>"#,
        ),
        // Bound again to another namespace, and back.
        (
            "<p:a xmlns:p='urn:1'><p:b xmlns:p='urn:2'><p:c xmlns:p='urn:1'/></p:b><p:d/></p:a>",
            r#"<p:a xmlns:p="urn:1"><p:b xmlns:p="urn:2"><p:c xmlns:p="urn:1"></p:c></p:b><p:d></p:d></p:a>"#,
        ),
        // Declared again as it was.
        (
            "<p:a xmlns:p='urn:1'><p:b xmlns:p='urn:1'/></p:a>",
            r#"<p:a xmlns:p="urn:1"><p:b></p:b></p:a>"#,
        ),
        // Bound again in between, where nothing uses it.
        (
            "<p:a xmlns:p='urn:1'><b xmlns:p='urn:2'><p:c xmlns:p='urn:1'/></b></p:a>",
            r#"<p:a xmlns:p="urn:1"><b><p:c></p:c></b></p:a>"#,
        ),
        // The two prefixes of one namespace.
        (
            "<p:a xmlns:p='urn:1' xmlns:q='urn:1'><q:b/></p:a>",
            r#"<p:a xmlns:p="urn:1"><q:b xmlns:q="urn:1"></q:b></p:a>"#,
        ),
        // An attribute without a prefix uses no namespace.
        (
            "<p:a xmlns='urn:d' xmlns:p='urn:p' b='1'/>",
            r#"<p:a xmlns:p="urn:p" b="1"></p:a>"#,
        ),
        // A value uses none either.
        (
            "<a xmlns:xs='urn:xs' xmlns:xsi='urn:xsi' xsi:type='xs:string'/>",
            r#"<a xmlns:xsi="urn:xsi" xsi:type="xs:string"></a>"#,
        ),
    ] {
        assert_eq!(form(text), expected, "{text}");
    }
}

/// Canonical XML §2.3: `xmlns=""` only where a default namespace is written further out.
#[test]
fn the_default_namespace_is_undeclared_only_where_one_is_written() {
    for (text, expected) in [
        ("<a xmlns=''/>", "<a></a>"),
        ("<a xmlns='urn:d'/>", r#"<a xmlns="urn:d"></a>"#),
        (
            "<a xmlns='urn:d'><b xmlns=''><c xmlns=''/><d xmlns='urn:d'/></b></a>",
            r#"<a xmlns="urn:d"><b xmlns=""><c></c><d xmlns="urn:d"></d></b></a>"#,
        ),
        // The default namespace of the root is not used by it, so never written.
        (
            "<p:a xmlns='urn:d' xmlns:p='urn:p'><b xmlns=''/></p:a>",
            r#"<p:a xmlns:p="urn:p"><b></b></p:a>"#,
        ),
        // The apex is further in than the declaration.
        ("<r xmlns='urn:d'><a xmlns='' ID='x'/></r>", r#"<a ID="x"></a>"#),
        (
            "<a xmlns='urn:d'><p:b xmlns:p='urn:p' xmlns=''><c/></p:b></a>",
            r#"<a xmlns="urn:d"><p:b xmlns:p="urn:p"><c xmlns=""></c></p:b></a>"#,
        ),
    ] {
        assert_eq!(form(text), expected, "{text}");
    }
}

/// Canonical XML §2.2, document order of declarations and attributes; the example of §3.3.
#[test]
fn declarations_and_attributes_are_sorted() {
    assert_eq!(
        form(
            "<e5 xmlns:b='http://www.ietf.org' xmlns:a='http://www.w3.org' xmlns='http://example.org' \
             a:attr='out' b:attr='sorted' attr2='all' attr='I&apos;m'/>"
        ),
        "<e5 xmlns=\"http://example.org\" xmlns:a=\"http://www.w3.org\" xmlns:b=\"http://www.ietf.org\" \
         attr=\"I'm\" attr2=\"all\" b:attr=\"sorted\" a:attr=\"out\"></e5>"
    );
    // Upper-case letters before lower-case ones, and by the code point of what is no ASCII.
    assert_eq!(
        form("<a é='4' a='2' z='3' B='1' xml:lang='5'/>"),
        r#"<a B="1" a="2" z="3" é="4" xml:lang="5"></a>"#
    );
}

/// Canonical XML §2.3 and the examples of §3.2 and §3.4.
#[test]
fn letters_are_escaped_as_the_standard_says() {
    assert_eq!(
        form("<a b='&lt;&gt;&amp;&quot;&apos;&#9;&#10;&#13;'>&lt;&gt;&amp;&quot;&apos;&#9;&#10;&#13;></a>"),
        "<a b=\"&lt;>&amp;&quot;'&#x9;&#xA;&#xD;\">&lt;&gt;&amp;\"'\t\n&#xD;&gt;</a>"
    );
    assert_eq!(
        form("<compute><![CDATA[value>\"0\" && value<\"10\" ?\"valid\":\"error\"]]></compute>"),
        "<compute>value&gt;\"0\" &amp;&amp; value&lt;\"10\" ?\"valid\":\"error\"</compute>"
    );
    // XML §3.3.3: white space in attributes that is no reference is a space; §2.11 first.
    assert_eq!(
        form("<a b='1\t2\n3\r\n4\r5'>\r\n\r&#13;</a>"),
        "<a b=\"1 2 3 4 5\">\n\n&#xD;</a>"
    );
    assert_eq!(
        form("<a b=\"'\"  c = '\"' ></a >"),
        "<a b=\"'\" c=\"&quot;\"></a>"
    );
    // Canonical XML §3.6: characters stand for themselves, also in other scripts.
    assert_eq!(form("<a>&#169;&#x1F98A;ü</a>"), "<a>©\u{1f98a}ü</a>");
    // Trap 4: libxml2 does not escape the names of namespaces; the standard does.
    assert_eq!(
        form("<a xmlns='urn:a?b=&quot;&amp;&lt;'/>"),
        r#"<a xmlns="urn:a?b=&quot;&amp;&lt;"></a>"#
    );
}

/// Canonical XML §2.3: processing instructions stay, comments go. White space stays.
#[test]
fn comments_go_and_instructions_stay() {
    assert_eq!(
        form("<?before?><a> <!-- c --> <?p?><?q  r ?><?s\tt\n?>\n</a><!-- c --><?after?>"),
        "<a>  <?p?><?q r ?><?s t\n?>\n</a>"
    );
}

/// XML-DSig §6.6.4.
#[test]
fn the_enveloped_signature_is_left_out() {
    let text = "<a><b/>1<LEFT-OUT><b/></LEFT-OUT>2<LEFT-OUT>again</LEFT-OUT></a>";
    assert_eq!(form(text), "<a><b></b>12<LEFT-OUT>again</LEFT-OUT></a>");
}

/// Exclusive C14N §2.1, `InclusiveNamespaces PrefixList`.
#[test]
fn prefixes_of_the_list_are_declared_as_inclusive_canonicalization_would() {
    let text = "<r xmlns='urn:d' xmlns:xs='urn:xs' xmlns:p='urn:p'><p:a ID='x'><p:b/><p:c xmlns:xs='urn:2'/></p:a></r>";
    for (prefixes, expected) in [
        ("", r#"<p:a xmlns:p="urn:p" ID="x"><p:b></p:b><p:c></p:c></p:a>"#),
        (
            "xs",
            r#"<p:a xmlns:p="urn:p" xmlns:xs="urn:xs" ID="x"><p:b></p:b><p:c xmlns:xs="urn:2"></p:c></p:a>"#,
        ),
        (
            " xs \n #default unknown xml",
            r#"<p:a xmlns="urn:d" xmlns:p="urn:p" xmlns:xs="urn:xs" ID="x"><p:b></p:b><p:c xmlns:xs="urn:2"></p:c></p:a>"#,
        ),
    ] {
        assert_eq!(form_with(text, prefixes).unwrap(), expected, "{prefixes}");
    }
    // An element that undeclares the default one.
    assert_eq!(
        form_with(
            "<p:a xmlns='urn:d' xmlns:p='urn:p'><p:b xmlns=''/></p:a>",
            "#default"
        )
        .unwrap(),
        r#"<p:a xmlns="urn:d" xmlns:p="urn:p"><p:b xmlns=""></p:b></p:a>"#
    );
    let many = (0..=MAX_PREFIXES)
        .map(|number| format!("p{number} "))
        .collect::<String>();
    assert_eq!(form_with("<a/>", &many), Err(CanonicalError::PrefixList));
}

/// Canonical XML §1.3. In CVE-2025-66568 such a document had the empty form, and its digest held.
#[test]
fn a_relative_namespace_has_no_canonical_form() {
    for namespace in ["1", "x", "/x", "//x", "#x", "a b:c", "1a:b", ":x"] {
        let text = format!("<a xmlns:p='{namespace}'><p:b/></a>");
        assert_eq!(
            form_with(&text, ""),
            Err(CanonicalError::RelativeNamespace),
            "{namespace}"
        );
        // One that nothing uses is not written.
        assert_eq!(form(&format!("<a xmlns:p='{namespace}'/>")), "<a></a>");
    }
    assert_eq!(form("<a xmlns='a+-.1:x'/>"), r#"<a xmlns="a+-.1:x"></a>"#);
}

/// Work is bounded by the document's length, but for namespaces that are written many times.
#[test]
fn a_long_namespace_that_many_elements_use_has_no_canonical_form() {
    let text = format!(
        "<a xmlns:p='urn:{}'>{}</a>",
        "x".repeat(200_000),
        "<p:b/>".repeat(10_000)
    );
    assert_eq!(form_with(&text, ""), Err(CanonicalError::TooLong));
}

/// Work on namespaces does not grow with the square of them.
#[test]
fn namespaces_cost_a_comparison_for_each_that_is_in_force() {
    let declared: String = (0..120)
        .map(|number| format!(" xmlns:p{number}='urn:{number}'"))
        .collect();
    let used: String = (0..60).map(|number| format!(" p{number}:a=''")).collect();
    let text = format!("<a{declared}>{}</a>", format!("<b{used}/>").repeat(700));
    let (compared, result) = counted(Work::Compared, || form_with(&text, ""));
    assert!(result.is_ok());
    let names = 700 * 61 + 1;
    assert!(compared < names * 64, "{compared}");
}
