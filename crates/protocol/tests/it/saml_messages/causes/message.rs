//! Octets and the outside of an answer.

use genkan_protocol::saml::Cause;
use genkan_protocol::saml::idp::Protection;

use super::super::{replaced, response, signed_after};
use super::{Case, case};

pub(super) fn all() -> Vec<Case> {
    [octets(), envelope(), statuses()].into_iter().flatten().collect()
}

fn octets() -> Vec<Case> {
    let long = "A".repeat(800_000);
    let deep = format!("{}{}", "<a>".repeat(49), "</a>".repeat(49));
    let twice = signed_after(|xml| xml).replace(
        "<samlp:Status>",
        r#"<samlp:Extensions><x ID="_a1"/></samlp:Extensions><samlp:Status>"#,
    );
    let mut cases = vec![
        case(
            Cause::XmlDocumentType,
            "<!DOCTYPE a><a/>",
            "no document type",
            "<!DOCTYPE",
        ),
        case(Cause::XmlLimit, &deep, "as many as an answer needs", "nested"),
        case(Cause::XmlMalformed, "<a>", "well-formed XML", "without an end"),
        case(Cause::IdDuplicate, &twice, "once", "_a1 twice"),
        case(
            Cause::XmlEncoding,
            r#"<?xml version="1.0" encoding="utf-16"?><a/>"#,
            "UTF-8",
            "another",
        ),
        case(Cause::MessageTooLong, "", "524288 octets", "800000 letters"),
        case(Cause::Base64Malformed, "", "base64", "1 letters"),
    ];
    cases[5].form = long;
    cases[6].form = "!".to_owned();
    cases
}

fn envelope() -> Vec<Case> {
    let plain = || response().render(&Protection::default()).unwrap();
    let assertion = |xml: &str| {
        let (_, from) = xml.split_once("<saml:Assertion").unwrap();
        let (assertion, _) = from.split_once("</saml:Assertion>").unwrap();
        format!("<saml:Assertion{assertion}</saml:Assertion>")
    };
    let one = assertion(&plain());
    let two = format!("{one}{}", one.replace("_a1", "_a2"));
    vec![
        case(Cause::UnexpectedMessage, &one, "Response", "Assertion"),
        case(
            Cause::ResponseMalformed,
            &replaced(&plain(), "<samlp:Status>", "<x/><samlp:Status>"),
            "one Status",
            "x in the namespace",
        ),
        case(
            Cause::VersionNotSupported,
            &plain().replacen(r#"Version="2.0""#, r#"Version="1.1""#, 1),
            "2.0",
            "1.1",
        ),
        case(
            Cause::AssertionMissing,
            &replaced(&plain(), &one, ""),
            "one assertion",
            "none",
        ),
        case(
            Cause::AssertionCount,
            &replaced(&plain(), &one, &two),
            "one assertion",
            "2",
        ),
    ]
}

fn statuses() -> Vec<Case> {
    let failure = |code, detail: Option<&str>| {
        response()
            .render_failure(code, detail, Some("no luck"), &Protection::default())
            .unwrap()
    };
    vec![
        case(
            Cause::StatusRequester,
            &failure("Requester", None),
            "Success",
            "Requester: no luck",
        ),
        case(
            Cause::StatusResponder,
            &failure("Responder", Some("Odd")),
            "Success",
            "Responder / Odd",
        ),
        case(
            Cause::StatusAuthnFailed,
            &failure("Responder", Some("AuthnFailed")),
            "Success",
            "AuthnFailed: no luck",
        ),
        case(
            Cause::StatusNoPassive,
            &failure("Responder", Some("NoPassive")),
            "Success",
            "NoPassive",
        ),
        // Row 4 of the failures in the field.
        case(
            Cause::NoAuthnContext,
            &failure("Responder", Some("NoAuthnContext")),
            "Success",
            "NoAuthnContext",
        ),
        // Row 33: AD FS.
        case(
            Cause::StatusInvalidNameIdPolicy,
            &failure("Requester", Some("InvalidNameIDPolicy")),
            "Success",
            "Requester / InvalidNameIDPolicy: no luck",
        ),
        case(
            Cause::StatusRequestDenied,
            &failure("Requester", Some("RequestDenied")),
            "Success",
            "RequestDenied",
        ),
        case(
            Cause::StatusUnknown,
            &failure("VersionMismatch", None),
            "Success",
            "VersionMismatch",
        ),
    ]
}
