"""Groups 01 to 03: another element is read than the one that was signed."""

from .message import (
    ADMIN, ALICE, IDP, SAML, SAMLP, STATUS, assertion, attribute, attributes, audience, authn, by_assertion, by_both,
    by_response, conditions, confirmation, name_id, response, signed, status,
)
from .signature import strip_marks

FORGED = {"name_id": name_id(ADMIN)}


def add(corpus):
    assertion_wrapped(corpus)
    response_wrapped(corpus)
    other_ids(corpus)
    donors(corpus)
    parsers(corpus)


def cut(text, name):
    """The first element of this name, and the text around it."""
    start = text.index(f"<{name}")
    end = text.index(f"</{name}>") + len(f"</{name}>")
    return text[start:end], text[:start], text[end:]


def holders(inner):
    """Where an element can be hidden in a message: name, and the parts of `response` and `assertion` that hold it."""
    return {
        "extensions": ({"extensions": f"<samlp:Extensions>{inner}</samlp:Extensions>"}, {}),
        "status-detail": ({"status": status(detail=f"<samlp:StatusDetail>{inner}</samlp:StatusDetail>")}, {}),
        "advice": ({}, {"advice": f"<saml:Advice>{inner}</saml:Advice>"}),
        "confirmation-data": ({}, {"confirmation": confirmation(inside=inner)}),
        "attribute-value": ({}, {"statements": authn() + attributes(attribute("email", inner))}),
    }


def in_signature(signature, place, inner):
    """The signature with another element within."""
    if place == "object":
        inner = f"<ds:Object>{inner}</ds:Object>"
    if place == "key-info":
        return signature.replace("</ds:KeyInfo>", f"{inner}</ds:KeyInfo>")
    if place == "signed-info":
        return signature.replace("</ds:SignedInfo>", f"{inner}</ds:SignedInfo>")
    return signature.replace("</ds:Signature>", f"{inner}</ds:Signature>")


def assertion_wrapped(corpus):
    """The signed assertion is moved, and a forged one stands where it was."""
    honest, _, _ = cut(by_assertion(), "saml:Assertion")
    signature, before, after = cut(honest, "ds:Signature")
    bare = before + after
    for ident, same in (("_evil1", "new-id"), ("_assertion1", "same-id")):

        def refuse(name, document, cause):
            cause = cause if same == "new-id" else "id_duplicate"
            corpus.refuse("01-wrapping", f"assertion-{name}-{same}", strip_marks(document), cause)

        evil = lambda sign_here="", **parts: assertion(ident, mark=False, **FORGED | parts).replace(
            "</saml:Issuer>", f"</saml:Issuer>{sign_here}", 1)
        refuse("forged-before", response(evil() + honest), "assertion_count")
        refuse("forged-after", response(honest + evil()), "assertion_count")
        refuse("forged-before-with-the-signature", response(evil(signature) + bare), "assertion_count")
        refuse("forged-with-a-copy-of-the-signature-after", response(honest + evil(signature)), "assertion_count")
        refuse("inside-the-forged", response(evil(honest)), "signature_missing")
        refuse("inside-the-forged-which-has-the-signature", response(evil(signature, after=bare)), "reference_foreign")
        refuse("inside-the-forged-both-have-the-signature", response(evil(signature, after=honest)), "reference_foreign")
        for place in ("signature", "object", "signed-info"):
            refuse(f"inside-the-forged-signature-{place}", response(evil(in_signature(signature, place, bare))), "signature_malformed")
            refuse(f"signed-inside-the-forged-signature-{place}", response(evil(in_signature(signature, place, honest))), "signature_malformed")
            refuse(f"forged-inside-the-signature-{place}", response(before + in_signature(signature, place, evil()) + after), "signature_malformed")
        # What KeyInfo holds is neither signed nor read, so hiding the original there leaves a foreign reference.
        refuse("inside-the-forged-signature-key-info", response(evil(in_signature(signature, "key-info", bare))), "reference_foreign")
        held = response(before + in_signature(signature, "key-info", evil()) + after)
        if same == "new-id":
            corpus.accept("01-wrapping", f"assertion-forged-inside-the-signature-key-info-{same}", strip_marks(held))
        else:
            refuse("forged-inside-the-signature-key-info", held, "id_duplicate")
        for place in ("extensions", "status-detail"):
            # The signed assertion stays, so it is what is read; the other one is not looked at.
            held = strip_marks(response(honest, **holders(evil())[place][0]))
            if same == "new-id":
                corpus.accept("01-wrapping", f"assertion-forged-in-{place}-{same}", held)
            else:
                refuse(f"forged-in-{place}", held, "id_duplicate")
        for place in holders(""):
            outer, inner = holders(honest)[place]
            refuse(f"in-{place}", response(evil(**inner), **outer), "signature_missing")
            outer, inner = holders(bare)[place]
            refuse(f"in-{place}-the-forged-has-the-signature", response(evil(signature, **inner), **outer), "reference_foreign")
            outer, inner = holders(honest)[place]
            refuse(f"in-{place}-both-have-the-signature", response(evil(signature, **inner), **outer), "reference_foreign")
    # The signature goes to the Response, whose child the signed assertion is not the first of.
    corpus.refuse("01-wrapping", "assertion-signature-moved-to-the-response", strip_marks(
        response(bare).replace("[[_response1]]", signature)), "reference_foreign")
    corpus.refuse("01-wrapping", "assertion-signature-moved-to-the-response-forged-first", strip_marks(
        response(assertion("_evil1", mark=False, **FORGED) + bare).replace("[[_response1]]", signature)), "assertion_count")
    corpus.refuse("01-wrapping", "assertion-signature-in-the-subject", response(
        honest.replace(signature, "").replace("</saml:NameID>", f"</saml:NameID>{signature}"), mark=False), "signature_missing")
    corpus.refuse("01-wrapping", "assertion-in-the-extensions-no-other", strip_marks(response("", extensions=f"<samlp:Extensions>{honest}</samlp:Extensions>")), "assertion_missing")


def response_wrapped(corpus):
    """The signed Response is moved into a forged one."""
    honest = by_response()
    signature, before, after = cut(honest, "ds:Signature")
    bare = before + after
    for ident, same in (("_evil2", "new-id"), ("_response1", "same-id")):

        def refuse(name, document, cause, always=False):
            cause = cause if same == "new-id" or always else "id_duplicate"
            corpus.refuse("01-wrapping", f"response-{name}-{same}", strip_marks(document), cause)

        forged = lambda sign_here="", body=None, inner=None, **parts: response(
            body or assertion("_evil1", mark=False, **FORGED | (inner or {})), ident, mark=False, **parts).replace(
            "</saml:Issuer>", f"</saml:Issuer>{sign_here}", 1)
        refuse("two-roots-forged-first", forged() + honest, "xml_malformed", always=True)
        refuse("two-roots-forged-last", honest + forged(), "xml_malformed", always=True)
        refuse("child-of-the-forged", forged(honest), "response_malformed")
        refuse("child-of-the-forged-which-has-the-signature", forged(signature + bare), "response_malformed")
        for place in ("signature", "object"):
            refuse(f"inside-the-forged-signature-{place}", forged(in_signature(signature, place, bare)), "signature_malformed")
            refuse(f"signed-inside-the-forged-signature-{place}", forged(in_signature(signature, place, honest)), "signature_malformed")
            refuse(f"forged-inside-the-signature-{place}", before + in_signature(signature, place, forged()) + after, "signature_malformed")
        refuse("inside-the-forged-signature-key-info", forged(in_signature(signature, "key-info", bare)), "reference_foreign")
        for place in holders(""):
            outer, inner = holders(honest)[place]
            refuse(f"in-{place}", forged(inner=inner, **outer), "signature_missing")
            outer, inner = holders(bare)[place]
            refuse(f"in-{place}-the-forged-has-the-signature", forged(signature, inner=inner, **outer), "reference_foreign")
    # The forged assertion takes the place of the signed Response's own.
    evil = assertion("_evil1", mark=False, **FORGED)
    corpus.refuse("01-wrapping", "response-assertion-added-before", honest.replace("<saml:Assertion", evil + "<saml:Assertion"), "assertion_count")
    corpus.refuse("01-wrapping", "response-assertion-exchanged", before + signature + after.replace(ALICE, ADMIN), "digest_mismatch")
    both = by_both()
    inner, head, tail = cut(both, "saml:Assertion")
    for name, text in (("either", {}), ("both", {"signing": "both"}), ("assertion", {"signing": "assertion"})):
        corpus.refuse("01-wrapping", f"both-signed-assertion-exchanged-{name}-required", head + evil + tail, "digest_mismatch", **text)
    corpus.refuse("01-wrapping", "both-signed-assertion-moved-to-extensions", strip_marks(
        response(evil, extensions=f"<samlp:Extensions>{inner}</samlp:Extensions>")), "signature_missing")
    corpus.refuse("01-wrapping", "signature-twice-in-the-response", honest.replace(signature, signature * 2), "signature_count")
    corpus.refuse("01-wrapping", "signature-twice-in-the-assertion", by_assertion().replace(
        cut(by_assertion(), "ds:Signature")[0], cut(by_assertion(), "ds:Signature")[0] * 2), "signature_count")


def other_ids(corpus):
    """The forged element carries the signed ID in something that is not its ID."""
    honest, _, _ = cut(by_assertion(), "saml:Assertion")
    signature, before, after = cut(honest, "ds:Signature")
    for name, more in {
        "id-lower-case": ' id="_assertion1"',
        "id-mixed-case": ' Id="_assertion1"',
        "assertion-id": ' AssertionID="_assertion1"',
        "id-in-a-namespace": ' xmlns:x="urn:x" x:ID="_assertion1"',
        "id-in-the-namespace-of-saml": ' saml:ID="_assertion1"',
    }.items():
        evil = assertion("_evil1", mark=False, more=more, **FORGED).replace("</saml:Issuer>", f"</saml:Issuer>{signature}", 1)
        held = response(evil, extensions=f"<samlp:Extensions>{before}{after}</samlp:Extensions>")
        cause = "id_duplicate" if name == "id-mixed-case" else "reference_foreign"
        corpus.refuse("03-parser", f"forged-has-the-{name}", strip_marks(held), cause)
        alone = strip_marks(response(evil))
        corpus.refuse("03-parser", f"forged-alone-has-the-{name}", alone, "reference_foreign")
    for name, more in {"xml-id-of-another": ' xml:id="_response1"', "xml-id-of-itself": ' xml:id="_assertion1"'}.items():
        corpus.refuse("03-parser", name, by_assertion(response(assertion(more=more))), "id_duplicate")
    corpus.refuse("03-parser", "id-in-a-namespace-instead", strip_marks(
        response(honest.replace(' ID="_assertion1"', ' xmlns:x="urn:x" x:ID="_assertion1"'))), "reference_foreign")
    corpus.refuse("03-parser", "id-of-the-signature-element", strip_marks(response(
        assertion("_evil1", mark=False, **FORGED).replace("</saml:Issuer>", "</saml:Issuer>" + signature.replace(
            "<ds:Signature ", '<ds:Signature ID="_assertion1" '), 1))), "signature_malformed")


def donors(corpus):
    """Group 02: something else was signed, by the right key."""
    group = "02-signed-something-else"
    error = by_response(response("", status=status(STATUS + "Responder")))
    signature, before, after = cut(error, "ds:Signature")
    evil = assertion("_evil1", mark=False, **FORGED)
    good = status()
    turned = error[: error.index("<samlp:Status>")] + good + evil + "</samlp:Response>"
    corpus.refuse(group, "error-response-turned-into-success", turned, "digest_mismatch")
    corpus.refuse(group, "error-response-gets-an-assertion", error.replace("</samlp:Response>", evil + "</samlp:Response>"), "status_responder")
    corpus.refuse(group, "signature-of-an-error-response-on-a-forged-one", strip_marks(
        response(evil, id="_evil2", mark=False).replace("</saml:Issuer>", f"</saml:Issuer>{signature}", 1)), "reference_foreign")
    corpus.refuse(group, "error-response-in-the-extensions", strip_marks(
        response(evil, id="_evil2", extensions=f"<samlp:Extensions>{error}</samlp:Extensions>")), "signature_missing")
    metadata = (f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{IDP}" ID="_metadata1">'
                f'[[_metadata1]]<md:IDPSSODescriptor protocolSupportEnumeration="{SAMLP}"/></md:EntityDescriptor>')
    metadata = signed(metadata, "_metadata1")
    md_signature = cut(metadata, "ds:Signature")[0]
    logout = (f'<samlp:LogoutRequest xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="_logout1" Version="2.0" IssueInstant="2026-11-29T11:59:58Z">'
              f"<saml:Issuer>{IDP}</saml:Issuer>[[_logout1]]{name_id(ADMIN)}</samlp:LogoutRequest>")
    logout = signed(logout, "_logout1")
    for name, donor, taken in (("metadata", metadata, md_signature), ("logout-request", logout, cut(logout, "ds:Signature")[0])):
        corpus.refuse(group, f"{name}-in-the-extensions-with-its-signature-on-the-assertion", strip_marks(response(
            evil.replace("</saml:Issuer>", f"</saml:Issuer>{taken}", 1),
            extensions=f"<samlp:Extensions>{donor.replace(taken, '')}</samlp:Extensions>")), "reference_foreign")
        corpus.refuse(group, f"{name}-in-the-extensions-with-its-signature-on-the-response", strip_marks(response(
            evil, extensions=f"<samlp:Extensions>{donor.replace(taken, '')}</samlp:Extensions>").replace("[[_response1]]", taken)), "reference_foreign")
        corpus.refuse(group, f"{name}-signature-with-the-id-of-it", strip_marks(response(
            assertion(f"_{name.split('-')[0]}1", mark=False, **FORGED).replace("</saml:Issuer>", f"</saml:Issuer>{taken}", 1))), "digest_mismatch")
    corpus.refuse(group, "logout-request-as-the-answer", logout, "unexpected_message")
    corpus.refuse(group, "logout-response-as-the-answer", signed(
        f'<samlp:LogoutResponse xmlns:samlp="{SAMLP}" ID="_logout1" Version="2.0" IssueInstant="2026-11-29T11:59:58Z">[[_logout1]]{status()}</samlp:LogoutResponse>', "_logout1"), "unexpected_message")
    corpus.refuse(group, "authn-request-as-the-answer", signed(
        f'<samlp:AuthnRequest xmlns:samlp="{SAMLP}" ID="_r1" Version="2.0" IssueInstant="2026-11-29T11:59:58Z">[[_r1]]</samlp:AuthnRequest>', "_r1"), "unexpected_message")
    corpus.refuse(group, "assertion-as-the-answer", signed(assertion(), "_assertion1"), "unexpected_message")
    corpus.refuse(group, "metadata-as-the-answer", metadata, "response_malformed")
    corpus.refuse(group, "artifact-response-as-the-answer", signed(response(name="samlp:ArtifactResponse"), "_assertion1"), "response_malformed")
    corpus.refuse(group, "assertion-for-another-service", by_assertion(response(assertion(
        conditions=conditions(audience("https://other-sp.example"))))), "audience_mismatch")
    corpus.refuse(group, "assertion-for-another-address", by_assertion(response(assertion(
        confirmation=confirmation(recipient="https://other-sp.example/acs")))), "recipient_mismatch")
    corpus.refuse(group, "assertion-of-another-provider", by_assertion(key="idp-other"), "signature_invalid")
    corpus.refuse(group, "assertion-of-another-provider-under-its-name", by_assertion(response(
        assertion(issuer="<saml:Issuer>https://other-idp.example</saml:Issuer>"), issuer="<saml:Issuer>https://other-idp.example</saml:Issuer>"),
        key="idp-other"), "signature_invalid")
    # Only the assertion is signed, so nothing that the Response says is believed.
    corpus.accept(group, "unsigned-response-claims-another-time", by_assertion().replace('IssueInstant="2026-11-29T11:59:58Z"', 'IssueInstant="2020-01-01T00:00:00Z"', 1))
    for name, old, new in (
        ("name", ALICE + "</saml:NameID>", ADMIN + "</saml:NameID>"),
        ("attribute", f"{ALICE}</saml:AttributeValue>", f"{ADMIN}</saml:AttributeValue>"),
        ("attribute-name", 'Name="groups"', 'Name="roles"'),
        ("audience", "conn_1</saml:Audience>", "conn_2</saml:Audience>"),
        ("recipient", "conn_1/callback\"></saml:Sub", "conn_2/callback\"></saml:Sub"),
        ("time", "12:04:58Z\"><saml:Aud", "13:04:58Z\"><saml:Aud"),
        ("session-index", "_session1", "_session2"),
        ("name-format", "emailAddress", "unspecified"),
        ("white-space", "<saml:AttributeStatement>", "<saml:AttributeStatement> "),
        ("added-attribute", "</saml:AttributeStatement>", attribute("admin", "1") + "</saml:AttributeStatement>"),
        ("removed-conditions", "<saml:Conditions", "<saml:Advice/><saml:Conditions"),
        ("namespace", f'<saml:Subject>', f'<saml:Subject xmlns:saml="{SAML}#">'),
    ):
        text = by_assertion()
        assert old in text, name
        corpus.refuse(group, f"changed-{name}", text.replace(old, new, 1), "digest_mismatch")


def parsers(corpus):
    """Group 03: texts that two parsers read differently."""
    group = "03-parser"
    honest = by_assertion()
    for name, doctype in {
        "empty": "<!DOCTYPE samlp:Response>",
        "internal-entity": f'<!DOCTYPE samlp:Response [<!ENTITY a "{ADMIN}">]>',
        "external-entity": '<!DOCTYPE samlp:Response [<!ENTITY a SYSTEM "file:///etc/hostname">]>',
        "external-subset": '<!DOCTYPE samlp:Response SYSTEM "http://127.0.0.1:9/x.dtd">',
        "parameter-entity": '<!DOCTYPE samlp:Response [<!ENTITY % a SYSTEM "http://127.0.0.1:9/x.dtd">%a;]>',
        "attribute-list": '<!DOCTYPE samlp:Response [<!ATTLIST saml:Assertion ID ID #IMPLIED>]>',
        "default-attribute": f'<!DOCTYPE samlp:Response [<!ATTLIST samlp:Response Destination CDATA "x">]>',
        "notation": '<!DOCTYPE samlp:Response [<!NOTATION x PUBLIC "">]>',
        "notation-with-brackets": '<!DOCTYPE samlp:Response [<!NOTATION x PUBLIC "]><saml:Assertion>">]>',
        "billion-laughs": '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        "lower-case": "<!doctype samlp:Response>",
    }.items():
        body = honest.replace(ALICE + "</saml:NameID>", "&a;</saml:NameID>") if "entity" in name else honest
        # XML knows the keyword in capitals only.
        cause = "xml_malformed" if name == "lower-case" else "xml_document_type"
        corpus.refuse(group, f"document-type-{name}", doctype + body, cause)
    corpus.refuse(group, "document-type-after-a-comment", '<?xml version="1.0"?><!-- x -->\n<!DOCTYPE a>' + honest, "xml_document_type")
    corpus.refuse(group, "document-type-inside", honest.replace("<samlp:Status>", "<!DOCTYPE a><samlp:Status>", 1), "xml_document_type")
    corpus.accept(group, "document-type-in-a-comment", "<!-- <!DOCTYPE a> -->" + honest)
    corpus.refuse(group, "unknown-entity", honest.replace(ALICE + "</saml:NameID>", "&a;</saml:NameID>"), "xml_malformed")
    corpus.refuse(group, "prefix-of-the-response-bound-to-something-else", by_assertion(response(
        xmlns=f' xmlns:samlp="urn:evil" xmlns:saml="{SAML}"')), "response_malformed")
    for name, space in (("with-fragment", SAML + "#"), ("escaped", SAML.replace("assertion", "%61ssertion")), ("upper-case", SAML.upper()),
                        ("saml-1-1", "urn:oasis:names:tc:SAML:1.0:assertion"), ("empty", "")):
        xmlns = f' xmlns:saml="{space}"' if space else ' xmlns=""'
        body = assertion(xmlns=xmlns)
        if not space:
            body = body.replace("saml:", "")
        corpus.refuse(group, f"assertion-in-the-namespace-{name}", by_assertion(response(body)), "response_malformed")
    corpus.refuse(group, "name-id-in-a-foreign-namespace", by_assertion(response(assertion(
        name_id=f'<x:NameID xmlns:x="urn:x">{ADMIN}</x:NameID>'))), "name_id_missing")
    corpus.accept(group, "foreign-name-id-before-the-name-id", by_assertion(response(assertion(
        advice=f'<saml:Advice><saml:Subject>{name_id(ADMIN)}</saml:Subject></saml:Advice>'))))
    text = honest.replace("<samlp:Response ", '<?xml version="1.0" encoding="%s"?><samlp:Response ', 1)
    for name, octets, cause in (
        ("utf-16", honest.encode("utf-16"), "xml_encoding"),
        ("utf-16-without-mark", honest.encode("utf-16-be"), "xml_encoding"),
        ("utf-32", honest.encode("utf-32"), "xml_encoding"),
        ("declared-utf-16", text.replace("%s", "UTF-16").encode(), "xml_encoding"),
        ("declared-latin-1", text.replace("%s", "ISO-8859-1").encode(), "xml_encoding"),
        ("declared-utf-7", text.replace("%s", "UTF-7").encode(), "xml_encoding"),
        ("declared-us-ascii", text.replace("%s", "x-user-defined").encode(), "xml_encoding"),
        ("not-utf-8", honest.replace(ALICE, "alic\xe9").encode("latin-1"), "xml_encoding"),
        ("overlong", honest.encode().replace(b"alice@", b"alice\xc1\x80"), "xml_encoding"),
        ("surrogate", honest.encode().replace(b"alice@", b"alice\xed\xa0\x80"), "xml_encoding"),
        ("utf-7-text", honest.replace("alice@", "alice+AEA-").encode(), "digest_mismatch"),
    ):
        corpus.refuse(group, f"encoding-{name}", octets, cause)
    corpus.refuse(group, "xml-1-1", '<?xml version="1.1"?>' + honest, "xml_malformed")
