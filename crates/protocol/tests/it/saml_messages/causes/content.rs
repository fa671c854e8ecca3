//! What an answer says: for whom, how long, and of whom.

use genkan_protocol::Timestamp;
use genkan_protocol::saml::idp::Protection;
use genkan_protocol::saml::{Cause, ContextComparison, RequestedContext};

use super::super::{ACS, IDP, NOW, REQUEST, SP, replaced, response, signed_after, signed_with, signing_key};
use super::{Case, case};

pub(super) fn all() -> Vec<Case> {
    let groups = [
        content(),
        confirmations(),
        conditions(),
        authentication(),
        names(),
    ];
    groups.into_iter().flatten().collect()
}

fn content() -> Vec<Case> {
    let with = |cause, from: &str, to: &str, expected, received| {
        case(cause, &signed_with(from, to), expected, received)
    };
    let issuer = format!("<saml:Issuer>{IDP}</saml:Issuer><saml:Subject>");
    let key = signing_key("idp");
    let response_signed = |xml: &str| key.sign_enveloped(xml, "_r1").unwrap();
    let no_destination = replaced(
        &response().render(&Protection::default()).unwrap(),
        &format!(r#" Destination="{ACS}""#),
        "",
    );
    let to_request = format!(r#" InResponseTo="{REQUEST}"/>"#);
    vec![
        with(Cause::IssuerMissing, &issuer, "<saml:Subject>", IDP, "none"),
        // Row 25: JumpCloud.
        with(
            Cause::IssuerMismatch,
            &issuer,
            "<saml:Issuer>jumpcloud</saml:Issuer><saml:Subject>",
            IDP,
            "jumpcloud",
        ),
        // Row 52: behind proxies.
        with(
            Cause::DestinationMismatch,
            &format!(r#"Destination="{ACS}""#),
            r#"Destination="http://sp.example:80/acs""#,
            ACS,
            "http://sp.example:80/acs",
        ),
        case(
            Cause::DestinationMissing,
            &response_signed(&no_destination),
            ACS,
            "none",
        ),
        // Row 46: Duo.
        with(
            Cause::InResponseToMissing,
            &format!(r#"InResponseTo="{REQUEST}">"#),
            ">",
            REQUEST,
            "none",
        ),
        with(Cause::InResponseToMissing, &to_request, "/>", REQUEST, "none"),
        with(
            Cause::InResponseToMismatch,
            &to_request,
            r#" InResponseTo="_another"/>"#,
            REQUEST,
            "_another",
        ),
    ]
}

fn confirmations() -> Vec<Case> {
    let with = |cause, from: &str, to: &str, expected, received| {
        case(cause, &signed_with(from, to), expected, received)
    };
    let recipient = format!(r#" Recipient="{ACS}""#);
    let to_request = format!(r#" InResponseTo="{REQUEST}"/>"#);
    let data_end = r#"<saml:SubjectConfirmationData NotOnOrAfter="2026-11-29T12:05:00Z""#;
    vec![
        case(
            Cause::ConfirmationMissing,
            &signed_after(|xml| {
                let xml = replaced(&xml, "<saml:SubjectConfirmation ", "<saml:Other ");
                replaced(&xml, "</saml:SubjectConfirmation>", "</saml:Other>")
            }),
            "bearer",
            "none",
        ),
        with(
            Cause::ConfirmationNotBearer,
            "cm:bearer",
            "cm:holder-of-key",
            "cm:bearer",
            "holder-of-key",
        ),
        case(
            Cause::ConfirmationNoneHolds,
            &signed_after(|xml| {
                let empty = r#"<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"/>"#;
                let start = "<saml:SubjectConfirmation ";
                let xml = replaced(&xml, start, &format!("{empty}{start}"));
                replaced(&xml, &to_request, r#" InResponseTo="_another"/>"#)
            }),
            ACS,
            "recipient_missing: none; in_response_to_mismatch: _another",
        ),
        with(Cause::RecipientMissing, &recipient, "", ACS, "none"),
        // Rows 18 and 31: Okta, OneLogin.
        with(
            Cause::RecipientMismatch,
            &recipient,
            r#" Recipient="{recipient}""#,
            ACS,
            "{recipient}",
        ),
        with(
            Cause::ConfirmationExpiryMissing,
            data_end,
            "<saml:SubjectConfirmationData",
            "NotOnOrAfter",
            "none",
        ),
    ]
}

fn conditions() -> Vec<Case> {
    let with = |cause, from: &str, to: &str, expected, received| {
        case(cause, &signed_with(from, to), expected, received)
    };
    let audience =
        format!("<saml:AudienceRestriction><saml:Audience>{SP}</saml:Audience></saml:AudienceRestriction>");
    let okta = format!("<saml:Audience>{SP}/</saml:Audience>");
    let of = |to: &str| format!("<saml:AudienceRestriction>{to}</saml:AudienceRestriction>");
    let later = Timestamp::from_secs(NOW.as_secs() + 3_600);
    let earlier = Timestamp::from_secs(NOW.as_secs() - 3_600);
    vec![
        with(
            Cause::TimeMalformed,
            r#"NotBefore="2026-11-29T12:00:00Z""#,
            r#"NotBefore="2026-11-29T12:00:00""#,
            "2026-11-29T18:39:39Z",
            "2026-11-29T12:00:00",
        ),
        // Rows 34 and 51: clocks. Both times and the difference are told.
        case(
            Cause::AssertionNotYetValid,
            &signed_after(|xml| xml),
            "2026-11-29T11:00:00Z",
            "2026-11-29T12:00:00Z, 60 min 0 s after our clock",
        )
        .at(|it| it.now = earlier),
        case(
            Cause::AssertionExpired,
            &signed_after(|xml| xml),
            "2026-11-29T13:00:00Z",
            "2026-11-29T12:05:00Z, 55 min 0 s before our clock",
        )
        .at(|it| it.now = later),
        with(Cause::AudienceMissing, &audience, "", SP, "none"),
        // Row 16: Okta; row 11: Entra.
        with(
            Cause::AudienceMismatch,
            &audience,
            &of(&okta),
            SP,
            "https://sp.example/metadata/",
        ),
        with(
            Cause::AudienceMismatch,
            &audience,
            &of("<saml:Audience>spn:1234</saml:Audience>"),
            SP,
            "spn:1234",
        ),
        // Row 30: OneLogin.
        with(
            Cause::AudiencePlaceholder,
            &audience,
            &of("<saml:Audience>{audience}</saml:Audience>"),
            SP,
            "{audience}",
        ),
        with(
            Cause::ConditionUnknown,
            &audience,
            &format!("{audience}<saml:Condition/>"),
            "AudienceRestriction",
            "Condition",
        ),
    ]
}

fn authentication() -> Vec<Case> {
    let with = |cause, from: &str, to: &str, expected, received| {
        case(cause, &signed_with(from, to), expected, received)
    };
    vec![
        case(
            Cause::AuthnStatementMissing,
            &signed_after(|xml| {
                let xml = replaced(&xml, "<saml:AuthnStatement ", "<saml:Statement ");
                replaced(&xml, "</saml:AuthnStatement>", "</saml:Statement>")
            }),
            "AuthnStatement",
            "none",
        ),
        with(
            Cause::SessionExpired,
            r#"SessionIndex="_s1""#,
            r#"SessionIndex="_s1" SessionNotOnOrAfter="2026-11-29T11:57:00Z""#,
            "2026-11-29T12:00:00Z",
            "2026-11-29T11:57:00Z, 3 min 0 s before our clock",
        ),
        with(
            Cause::AuthenticationTooOld,
            r#"AuthnInstant="2026-11-29T12:00:00Z""#,
            r#"AuthnInstant="2026-11-29T09:00:00Z""#,
            "2026-11-29T12:00:00Z",
            "2026-11-29T09:00:00Z, 3 h 0 min before our clock",
        )
        .at(|it| it.force_authn_since = Some(NOW)),
        case(
            Cause::NoAuthnContext,
            &signed_after(|xml| xml),
            "urn:example:mfa",
            "PasswordProtectedTransport",
        )
        .at(|it| {
            it.requested_context = Some(RequestedContext {
                classes: vec!["urn:example:mfa".to_owned()],
                comparison: ContextComparison::Minimum,
            });
        }),
    ]
}

fn names() -> Vec<Case> {
    let name = r#"<saml:NameID Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress">alice@acme.example</saml:NameID>"#;
    let with = |cause, to: &str, expected, received| case(cause, &signed_with(name, to), expected, received);
    let transient = name.replace("1.1:nameid-format:emailAddress", "2.0:nameid-format:transient");
    let persistent = name.replace("1.1:nameid-format:emailAddress", "2.0:nameid-format:persistent");
    let by = |attribute| persistent.replace("<saml:NameID ", &format!("<saml:NameID {attribute} "));
    vec![
        // Row 37: AD FS, Shibboleth.
        with(Cause::NameIdMissing, "", "one NameID", "none"),
        with(
            Cause::NameIdMissing,
            "<saml:EncryptedID/>",
            "one NameID",
            "EncryptedID",
        ),
        with(
            Cause::NameIdMalformed,
            "<saml:NameID> </saml:NameID>",
            "a text",
            "an empty one",
        ),
        with(
            Cause::NameIdMalformed,
            "<saml:NameID>alice </saml:NameID>",
            "a text",
            "white space around \"alice\"",
        ),
        // Row 15: a new person at each login.
        with(
            Cause::NameIdTransient,
            &transient,
            "a name that stays",
            "transient",
        ),
        with(
            Cause::NameIdForOtherParty,
            &by(r#"SPNameQualifier="https://other.example""#),
            SP,
            "https://other.example",
        ),
        with(
            Cause::NameIdForOtherParty,
            &by(r#"NameQualifier="https://other.example""#),
            IDP,
            "https://other.example",
        ),
    ]
}
