"""Groups 13 to 15, and the checks of the message itself: form, XML, envelope, subject, conditions, statements."""

import base64

from .honest import XSI, Form, sealed, unsolicited
from .message import (
    ACS, ADMIN, ALICE, BEARER, EMAIL, IDP, PERSISTENT, SAMLP, SP, STATUS, SUCCESS, assertion, attribute, attributes,
    audience, authn, by_assertion, by_both, by_response, conditions, confirmation, issuer, name_id, response, signed, status,
)
from .signature import strip_marks

TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"


def add(corpus):
    not_well_formed(corpus)
    requests(corpus)
    names(corpus)
    form(corpus)
    envelope(corpus)
    content(corpus)


def not_well_formed(corpus):
    """Group 13: what some parsers accept or change when they write it again."""
    group = "13-not-well-formed"
    honest = by_assertion()
    refuse = lambda name, document, cause="xml_malformed": corpus.refuse(group, name, document, cause)
    # Unsigned and short: they are refused before a signature matters.
    inside = lambda text: f'<samlp:Response xmlns:samlp="{SAMLP}"><samlp:Extensions>{text}</samlp:Extensions></samlp:Response>'
    for name, text in {
        "element-with-empty-prefix": "<:a/>", "element-with-empty-name": "<a:/>", "element-with-two-colons": "<a::b/>", "element-with-three-parts": "<a:b:c/>",
        "undeclared-prefix": "<x:y/>", "undeclared-attribute-prefix": '<y x:z=""/>', "attribute-twice": '<y a="" a=""/>',
        "attribute-twice-by-namespace": '<y xmlns:p="urn:p" xmlns:q="urn:p" p:a="" q:a=""/>', "prefix-undeclared-again": '<y xmlns:p=""/>',
        "xml-prefix-rebound": '<y xmlns:xml="urn:x"/>', "xmlns-prefix-declared": '<y xmlns:xmlns="urn:x"/>', "xmlns-namespace-bound": '<y xmlns:x="http://www.w3.org/2000/xmlns/"/>',
        "xml-namespace-bound": '<y xmlns:x="http://www.w3.org/XML/1998/namespace"/>', "xml-namespace-as-default": '<y xmlns="http://www.w3.org/XML/1998/namespace"/>',
        "two-hyphens-in-a-comment": "<!-- a -- b -->", "comment-that-ends-in-three-hyphens": "<!-- a --->", "comment-not-closed": "<!-- a ",
        "cdata-not-closed": "<y><![CDATA[ a ", "cdata-end-in-text": "<y>]]></y>", "less-than-in-an-attribute": '<y a="<"/>', "ampersand-alone": "<y>&</y>",
        "ampersand-in-an-attribute": '<y a="&"/>', "reference-to-zero": "<y>&#0;</y>", "reference-to-control": "<y>&#1;</y>", "reference-to-surrogate": "<y>&#xD800;</y>",
        "reference-to-not-a-character": "<y>&#xFFFE;</y>", "reference-beyond-unicode": "<y>&#x110000;</y>", "reference-overflow": "<y>&#x100000041;</y>", "reference-not-closed": "<y>&#65</y>",
        "reference-negative": "<y>&#-1;</y>", "reference-upper-x": "<y>&#X41;</y>", "control-character": "<y>\1</y>", "zero-character": "<y>\0</y>", "not-a-character": "<y>\ufffe</y>",
        "attribute-without-quotes": "<y a=b/>", "attribute-without-value": "<y a/>", "attributes-without-space": '<y a=""b=""/>', "space-before-the-name": "< y/>",
        "end-tag-with-attribute": '<y></y a="">', "end-tag-of-another": "<y></z>", "end-tag-with-another-prefix": '<p:y xmlns:p="urn:p" xmlns:q="urn:p"></q:y>', "end-tag-missing": "<y>",
        "declaration-inside": '<?xml version="1.0"?>', "instruction-named-xml": "<?XML x?>", "instruction-not-closed": "<?x ", "directive": "<!ELEMENT a ANY>", "name-with-digit-first": "<1/>",
    }.items():
        refuse(name, inside(text))
    for name, document in {
        "white-space": " \n", "text": "x", "text-after-the-root": honest + "x", "text-before-the-root": "x" + honest, "element-after-the-root": honest + "<x/>", "cdata-after-the-root": honest + "<![CDATA[]]>",
        "reference-after-the-root": honest + "&#32;", "second-response": honest + honest, "declaration-after-white-space": ' <?xml version="1.0"?>' + honest, "declaration-twice": '<?xml version="1.0"?><?xml version="1.0"?>' + honest,
        "not-closed": honest[:-1], "cut-in-the-middle": honest[: len(honest) // 2], "zero-after-the-root": honest + "\0", "html": "<html><body>Sign in<br></body></html>", "json": '{"SAMLResponse":""}',
        "two-byte-order-marks": "\ufeff\ufeff" + honest,
    }.items():
        refuse(name, document)
    corpus.accept(group, "comments-and-instructions-after-the-root", honest + "<!-- x --><?x y?>\n")
    # Go's encoding/xml lost the prefix of such names (CVE-2020-29509 to 29511).
    corpus.refuse(group, "prefixed-attributes-of-the-assertion", by_assertion().replace('<saml:Assertion xmlns', f'<saml:Assertion xmlns:x="urn:x" x:ID="_evil1" xmlns', 1), "digest_mismatch")
    corpus.accept(group, "prefixed-attributes-signed", by_assertion(response(assertion(more=' xmlns:x="urn:x" x:ID="_evil1" x:Version="1.1" x:IssueInstant=""'))))


def requests(corpus):
    """Group 14: answers that nobody asked for, and those to another question."""
    group = "14-unsolicited-and-replayed"
    refuse = lambda name, document, cause, **settings: corpus.refuse(group, name, document, cause, **settings)
    none = {"request": None}
    allowed = none | {"unsolicited": True}
    refuse("unsolicited-not-allowed", by_assertion(unsolicited()), "unsolicited_not_allowed", **none)
    refuse("unsolicited-not-allowed-response-signed", by_response(unsolicited()), "unsolicited_not_allowed", **none)
    refuse("unsolicited-not-allowed-encrypted", strip_marks(response(sealed().split("</samlp:Status>")[1].split("</samlp:Response>")[0], in_response_to=None)), "unsolicited_not_allowed", **none)
    refuse("unsolicited-assertion-in-a-solicited-response", by_assertion(response(assertion(confirmation=confirmation(in_response_to=None)))), "in_response_to_missing")
    refuse("unsolicited-both-signed-in-a-solicited-response", by_assertion(unsolicited()).replace("<samlp:Response ", '<samlp:Response InResponseTo="_request1" '), "in_response_to_missing")
    refuse("solicited-assertion-in-an-unsolicited-response", by_assertion(response(in_response_to=None)), "in_response_to_mismatch", **allowed)
    refuse("solicited-assertion-in-an-unsolicited-response-not-allowed", by_assertion(response(in_response_to=None)), "unsolicited_not_allowed", **none)
    refuse("solicited-assertion-of-another-request", by_assertion(response(assertion(confirmation=confirmation(in_response_to="_request2")))), "in_response_to_mismatch")
    refuse("response-to-another-request", by_both(response(assertion(confirmation=confirmation(in_response_to="_request2")), in_response_to="_request2")), "in_response_to_mismatch")
    refuse("response-does-not-say-which-request", by_assertion(response(in_response_to=None)), "in_response_to_missing")
    refuse("request-with-white-space", by_assertion(response(assertion(confirmation=confirmation(in_response_to="_request1 ")))), "in_response_to_mismatch")
    refuse("request-as-the-beginning", by_assertion(response(assertion(confirmation=confirmation(in_response_to="_request10")))), "in_response_to_mismatch")
    refuse("request-empty", by_assertion(response(assertion(confirmation=confirmation(in_response_to="")))), "in_response_to_mismatch")
    long_ago = {"not_before": "2026-11-29T11:00:00Z", "not_on_or_after": "2026-11-29T13:00:00Z"}
    old = assertion(issued="2026-11-29T11:40:00Z", conditions=conditions(**long_ago), confirmation=confirmation(in_response_to=None, not_on_or_after="2026-11-29T13:00:00Z"))
    refuse("unsolicited-twenty-minutes-old", by_assertion(response(old, in_response_to=None)), "assertion_expired", **allowed)
    corpus.accept(group, "unsolicited-nine-minutes-old", by_assertion(response(old.replace("11:40:00", "11:51:00"), in_response_to=None)), **allowed)
    corpus.accept(group, "solicited-where-unsolicited-is-allowed", by_assertion(), unsolicited=True)
    past = "2026-11-29T11:56:00Z"
    refuse("confirmation-expired", by_assertion(response(assertion(confirmation=confirmation(not_on_or_after=past)))), "assertion_expired")
    refuse("confirmation-expired-at-the-edge", by_assertion(response(assertion(confirmation=confirmation(not_on_or_after="2026-11-29T11:57:00Z")))), "assertion_expired")
    refuse("confirmation-without-an-expiry", by_assertion(response(assertion(confirmation=confirmation(not_on_or_after=None)))), "confirmation_expiry_missing")
    refuse("conditions-expired", by_assertion(response(assertion(conditions=conditions(not_on_or_after=past)))), "assertion_expired")
    refuse("conditions-expired-at-the-edge", by_assertion(response(assertion(conditions=conditions(not_on_or_after="2026-11-29T11:57:00Z")))), "assertion_expired")
    refuse("conditions-not-yet-valid", by_assertion(response(assertion(conditions=conditions(not_before="2026-11-29T12:03:01Z")))), "assertion_not_yet_valid")
    refuse("expired-by-its-offset", by_assertion(response(assertion(conditions=conditions(not_on_or_after="2026-11-29T12:04:58+02:00")))), "assertion_expired")
    refuse("not-yet-valid-by-its-offset", by_assertion(response(assertion(conditions=conditions(not_before="2026-11-29T11:58:58-01:00")))), "assertion_not_yet_valid")
    refuse("confirmation-expired-by-its-offset", by_assertion(response(assertion(confirmation=confirmation(not_on_or_after="2026-11-29T12:04:58+00:30")))), "assertion_expired")
    refuse("conditions-expired-skew-zero", by_assertion(response(assertion(conditions=conditions(not_on_or_after="2026-11-29T11:59:59Z")))), "assertion_expired", skew=0)
    refuse("conditions-not-yet-valid-skew-zero", by_assertion(response(assertion(conditions=conditions(not_before="2026-11-29T12:00:01Z")))), "assertion_not_yet_valid", skew=0)
    refuse("yesterday", by_assertion(), "assertion_expired", now="2026-11-30T12:00:00Z")
    refuse("a-year-before", by_assertion(), "assertion_not_yet_valid", now="2025-11-29T12:00:00Z")


def names(corpus):
    """Group 15: who it is said to be. What follows from a name is decided by the gateway."""
    group = "15-names"
    with_name = lambda text: by_assertion(response(assertion(name_id=text)))
    refuse = lambda name, text, cause, **settings: corpus.refuse(group, name, with_name(text), cause, **settings)
    refuse("no-name", "", "name_id_missing")
    refuse("empty", name_id(""), "name_id_malformed")
    refuse("white-space", name_id(" \n\t"), "name_id_malformed")
    refuse("two", name_id() + name_id(ADMIN), "name_id_malformed")
    refuse("too-long", name_id("a" * 1025, PERSISTENT), "name_id_malformed")
    refuse("control-character", name_id("alice&#13;@acme.example"), "name_id_malformed")
    refuse("line-feed", name_id("alice\n@acme.example"), "name_id_malformed")
    refuse("transient", name_id("_8f2c", TRANSIENT), "name_id_transient")
    refuse("for-another-service", name_id("00u1", PERSISTENT, ' SPNameQualifier="https://other-sp.example"'), "name_id_for_other_party")
    refuse("for-another-service-that-begins-like-ours", name_id("00u1", PERSISTENT, f' SPNameQualifier="{SP}.evil.example"'), "name_id_for_other_party")
    refuse("base-id", '<saml:BaseID NameQualifier="x"/>', "name_id_missing")
    # A look-alike is another name: it is handed on as it is, and the gateway compares.
    for name, value in {"cyrillic-letter": "\u0430lice@acme.example", "full-width": "\uff41lice@acme.example", "upper-case": "Alice@Acme.Example"}.items():
        corpus.accept(group, f"look-alike-{name}", with_name(name_id(value, PERSISTENT)), {"name_id": value})
    corpus.refuse(group, "no-subject", by_assertion(response(assertion(subject=""))), "name_id_missing")
    corpus.refuse(group, "name-only-in-the-confirmation", by_assertion(response(assertion(name_id="", confirmation=confirmation().replace("<saml:SubjectConfirmationData", name_id() + "<saml:SubjectConfirmationData")))), "name_id_missing")
    corpus.accept(group, "two-addresses-as-attributes", by_assertion(response(assertion(statements=authn() + attributes(attribute("email", ALICE, ADMIN))))), {"attributes": {"email": [ALICE, ADMIN]}})
    corpus.accept(group, "attribute-twice", by_assertion(response(assertion(statements=authn() + attributes(attribute("email", ALICE), attribute("email", ADMIN))))), {"attributes": {"email": [ALICE, ADMIN]}})


def form(corpus):
    """Checks 4 and 5."""
    group = "20-form"
    text = base64.b64encode(by_assertion().encode()).decode()
    refuse = lambda name, value, cause="base64_malformed": corpus.refuse(group, name, Form(value), cause)
    refuse("not-base64", "?" + text[1:])
    refuse("xml-itself", by_assertion())
    refuse("cut", text[: len(text) // 4 * 4 - 3])
    refuse("padding-in-the-middle", text[:8] + "=" + text[8:])
    refuse("too-much-padding", text.rstrip("=") + "====")
    refuse("text-after-padding", base64.b64encode(by_assertion().encode() + b"\n" * (1 + (-len(by_assertion().encode()) - 2) % 3)).decode() + "==" + "AAAA")
    refuse("no-break-space", text[:8] + "\u00a0" + text[8:])
    url_safe = base64.urlsafe_b64encode((by_assertion() + "\n<!-- \U0001f98a??>>~~ -->").encode()).decode()
    assert "-" in url_safe or "_" in url_safe
    refuse("url-safe", url_safe)
    refuse("empty", "")
    refuse("white-space", " \r\n\t")
    corpus.accept(group, "white-space-anywhere", Form(" \t" + text[:7] + "\r\n " + text[7:] + "\n"))


def envelope(corpus):
    """Checks 11 to 14."""
    group = "21-envelope"
    refuse = lambda name, document, cause, **settings: corpus.refuse(group, name, strip_marks(document), cause, **settings)
    honest = by_assertion()
    for name, place in {"at-the-end": ("</samlp:Response>", "<x xmlns='urn:x'/></samlp:Response>"), "at-the-beginning": ("<saml:Issuer>", "<x xmlns='urn:x'/><saml:Issuer>")}.items():
        refuse(f"foreign-child-{name}", honest.replace(*place, 1) if name == "at-the-beginning" else place[1].join(honest.rsplit(place[0], 1)), "response_malformed")
    refuse("text-in-the-response", honest.replace("<samlp:Status>", "x<samlp:Status>", 1), "response_malformed")
    refuse("two-issuers", honest.replace("<samlp:Status>", issuer() + "<samlp:Status>", 1), "response_malformed")
    refuse("two-statuses", honest.replace("<samlp:Status>", status(STATUS + "Responder") + "<samlp:Status>", 1), "response_malformed")
    refuse("no-status", honest.replace(status(), ""), "response_malformed")
    refuse("status-without-a-code", honest.replace(status(), "<samlp:Status/>"), "response_malformed")
    refuse("status-in-another-namespace", honest.replace("<samlp:Status>", "<saml:Status>").replace("</samlp:Status>", "</saml:Status>"), "response_malformed")
    refuse("root-with-another-name", signed(response(name="samlp:response"), "_assertion1"), "response_malformed")
    refuse("root-without-a-namespace", honest.replace("<samlp:Response ", "<Response ").replace("</samlp:Response>", "</Response>"), "response_malformed")
    refuse("assertion-inside-the-status", signed(response("", status=status(detail=f"<samlp:StatusDetail>{assertion()}</samlp:StatusDetail>")), "_assertion1"), "assertion_missing")
    refuse("soap", f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{honest}</s:Body></s:Envelope>', "response_malformed")
    for name, value in {"1-1": ' Version="1.1"', "2": ' Version="2"', "2-1": ' Version="2.1"', "absent": "", "empty": ' Version=""', "space": ' Version="2.0 "'}.items():
        refuse(f"version-{name}", by_assertion(response(version=value)), "version_not_supported")
        if name in ("1-1", "absent"):
            refuse(f"version-of-the-assertion-{name}", by_assertion(response(assertion(version=value))), "version_not_supported")
    top = lambda name: status(STATUS + name)
    nested = lambda outer, inner: status(STATUS + outer, inside=f'<samlp:StatusCode Value="{STATUS}{inner}"/>', message="no")
    for name, text, cause in (
        ("requester", top("Requester"), "status_requester"), ("responder", top("Responder"), "status_responder"), ("version-mismatch", top("VersionMismatch"), "status_unknown"),
        ("authn-failed", nested("Responder", "AuthnFailed"), "status_authn_failed"), ("no-passive", nested("Responder", "NoPassive"), "status_no_passive"),
        ("no-authn-context", nested("Responder", "NoAuthnContext"), "no_authn_context"), ("invalid-name-id-policy", nested("Requester", "InvalidNameIDPolicy"), "status_invalid_name_id_policy"),
        ("request-denied", nested("Requester", "RequestDenied"), "status_request_denied"), ("authn-failed-alone", top("AuthnFailed"), "status_authn_failed"),
        ("unknown", status("urn:example:status"), "status_unknown"), ("success-in-upper-case", status(SUCCESS.upper()), "status_unknown"), ("success-with-more", status(SUCCESS + "ful"), "status_unknown"),
        ("success-only-nested", nested("Responder", "Success"), "status_responder"), ("empty", status(""), "status_unknown"),
    ):
        refuse(f"status-{name}", response("", status=text), cause)
        if name in ("requester", "unknown", "success-only-nested"):
            refuse(f"status-{name}-with-a-signed-assertion", by_assertion(response(status=text)), cause)
    refuse("no-assertion", by_response(response("")), "assertion_missing")
    refuse("two-signed-assertions", signed(response(assertion() + assertion("_assertion2")), "_assertion1", "_assertion2"), "assertion_count")
    refuse("two-assertions-in-a-signed-response", by_response(response(assertion() + assertion("_assertion2"))), "assertion_count")


def content(corpus):
    """Checks 31 to 38, on honestly signed messages."""
    group = "22-content"
    refuse = lambda name, document, cause, **settings: corpus.refuse(group, name, document, cause, **settings)
    with_assertion = lambda **parts: by_assertion(response(assertion(**parts)))
    for name, value in {"another": "https://evil.example", "slash": IDP + "/", "upper-case": IDP.upper(), "beginning": IDP[:-1], "white-space-inside": IDP.replace("/saml", "/ saml"), "empty": ""}.items():
        refuse(f"issuer-{name}", with_assertion(issuer=issuer(value)), "issuer_mismatch")
        if name in ("another", "slash"):
            refuse(f"issuer-of-the-response-{name}", by_both(response(issuer=issuer(value))), "issuer_mismatch")
            refuse(f"issuer-of-the-unsigned-response-{name}", by_assertion(response(issuer=issuer(value))), "issuer_mismatch")
    refuse("issuer-absent", by_assertion(response(assertion(issuer="", subject=f"[[_assertion1]]<saml:Subject>{name_id()}{confirmation()}</saml:Subject>", mark=False))), "issuer_missing")
    refuse("issuer-format-email", with_assertion(issuer=issuer(IDP, f' Format="{EMAIL}"')), "issuer_mismatch")
    for name, value in {"another": "https://evil.example/acs", "slash": ACS + "/", "query": ACS + "?x=1", "http": ACS.replace("https:", "http:"), "port": ACS.replace(".example/", ".example:443/"), "upper-case": ACS.replace("conn", "Conn"),
                        "beginning": ACS[:-1], "longer": ACS + ".evil.example", "placeholder": "{recipient}", "empty": "", "host-upper-case": ACS.replace("sp.", "SP.")}.items():
        refuse(f"destination-{name}", by_response(response(destination=value)), "destination_mismatch")
        if name in ("another", "slash", "empty", "longer"):
            refuse(f"destination-{name}-unsigned", by_assertion(response(destination=value)), "destination_mismatch")
        refuse(f"recipient-{name}", with_assertion(confirmation=confirmation(recipient=value)), "recipient_mismatch")
    refuse("destination-absent-in-a-signed-response", by_response(response(destination=None)), "destination_missing")
    refuse("recipient-absent", with_assertion(confirmation=confirmation(recipient=None)), "recipient_missing")
    refuse("confirmation-absent", with_assertion(confirmation=""), "confirmation_missing")
    holder = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"
    refuse("confirmation-holder-of-key", with_assertion(confirmation=confirmation(holder)), "confirmation_not_bearer")
    refuse("confirmation-bearer-of-1-1", with_assertion(confirmation=confirmation("urn:oasis:names:tc:SAML:1.0:cm:bearer")), "confirmation_not_bearer")
    refuse("confirmation-without-data", with_assertion(confirmation=f'<saml:SubjectConfirmation Method="{BEARER}"/>'), "recipient_missing")
    bad = confirmation(recipient="https://elsewhere.example/acs")
    late = confirmation(not_on_or_after="2026-11-29T11:00:00Z")
    refuse("several-confirmations-none-holds", with_assertion(confirmation=bad + late), "confirmation_none_holds")
    refuse("confirmations-hold-only-together", with_assertion(confirmation=bad + late + confirmation(in_response_to=None)), "confirmation_none_holds")
    refuse("confirmation-time-malformed", with_assertion(confirmation=confirmation(not_on_or_after="tomorrow")), "time_malformed")
    for name, value in {"no-zone": "2026-11-29T12:04:58", "date-only": "2026-11-29", "two-digit-year": "26-11-29T12:04:58Z", "space": "2026-11-29 12:04:58Z", "month-13": "2026-13-29T12:04:58Z", "february-30": "2026-02-30T12:04:58Z",
                        "negative-year": "-2026-11-29T12:04:58Z", "five-digit-year": "12026-11-29T12:04:58Z", "lower-case": "2026-11-29t12:04:58z", "offset-25": "2026-11-29T12:04:58+25:00", "empty": "", "thirteen-digits": "2026-11-29T12:04:58.1234567890123Z",
                        "hour-25": "2026-11-29T25:04:58Z"}.items():
        refuse(f"time-{name}", with_assertion(conditions=conditions(not_on_or_after=value)), "time_malformed")
    refuse("time-of-not-before-malformed", with_assertion(conditions=conditions(not_before="soon")), "time_malformed")
    refuse("conditions-absent", with_assertion(conditions=""), "audience_missing")
    refuse("audience-absent", with_assertion(conditions=conditions("")), "audience_missing")
    refuse("audience-restriction-empty", with_assertion(conditions=conditions("<saml:AudienceRestriction/>")), "audience_mismatch")
    for name, value in {"another": "https://other.example", "slash": SP + "/", "upper-case": SP.upper(), "beginning": SP[:-1], "longer": SP + ".evil.example", "spn": "spn:" + SP, "path-longer": SP + "1", "empty": ""}.items():
        refuse(f"audience-{name}", with_assertion(conditions=conditions(audience(value))), "audience_mismatch")
    refuse("audience-placeholder", with_assertion(conditions=conditions(audience("{audience}"))), "audience_placeholder")
    refuse("audience-in-one-restriction-of-two", with_assertion(conditions=conditions(audience(SP) + audience("https://other.example"))), "audience_mismatch")
    refuse("audience-in-the-second-restriction-of-two", with_assertion(conditions=conditions(audience("https://other.example") + audience(SP))), "audience_mismatch")
    refuse("audience-in-another-namespace", with_assertion(conditions=conditions(f'<saml:AudienceRestriction><x:Audience xmlns:x="urn:x">{SP}</x:Audience></saml:AudienceRestriction>')), "audience_mismatch")
    refuse("condition-unknown", with_assertion(conditions=conditions(audience(SP) + '<saml:Condition xmlns:x="urn:x"' + XSI + ' xsi:type="x:y"/>')), "condition_unknown")
    refuse("condition-in-another-namespace", with_assertion(conditions=conditions(audience(SP) + '<x xmlns="urn:x"/>')), "condition_unknown")
    refuse("authn-statement-absent", with_assertion(statements=attributes()), "authn_statement_missing")
    refuse("authn-instant-malformed", with_assertion(statements=authn("now")), "time_malformed")
    refuse("session-over", with_assertion(statements=authn(more=' SessionNotOnOrAfter="2026-11-29T11:30:00Z"')), "session_expired")
    refuse("authentication-too-old", with_assertion(statements=authn("2026-11-29T11:00:00Z")), "authentication_too_old", force_authn_since="2026-11-29T11:59:00Z")
    refuse("context-not-as-requested", with_assertion(statements=authn(context="urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified")), "no_authn_context", requested_context=["urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"])
