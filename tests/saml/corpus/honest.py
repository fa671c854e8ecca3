"""Group 00: what honest providers send. Each must be accepted, with the values that were signed."""

import re

from .encryption import encrypt
from .message import (
    ADMIN, ALICE, BEARER, IDP, PERSISTENT, SAML, SAMLP, SP, assertion, attribute, attributes, audience, authn,
    by_assertion, by_both, by_response, conditions, confirmation, issuer, name_id, response, signed, status,
)
from .signature import DS, ENVELOPED, EXCLUSIVE, key_info, sign, strip_marks, transform

GROUP = "00-honest"
VALUES = {"attributes": {"email": [ALICE], "groups": ["staff", "editors"]}, "session_index": "_session1"}
XSI = ' xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def add(corpus):
    signatures(corpus)
    algorithms(corpus)
    spelling(corpus)
    content(corpus)
    encrypted(corpus)


def signatures(corpus):
    accept = lambda name, document, values=VALUES, **settings: corpus.accept(GROUP, name, document, values, **settings)
    for required in ("either", "assertion"):
        accept(f"assertion-signed-{required}-required", by_assertion(), signing=required)
    for required in ("either", "response"):
        accept(f"response-signed-{required}-required", by_response(), signing=required)
    for required in ("either", "response", "assertion", "both"):
        accept(f"both-signed-{required}-required", by_both(key_information=key_info("idp")), signing=required)
    accept("second-key-signed", by_assertion(key="idp-next"), keys=["idp", "idp-next"])
    accept("first-key-signed", by_assertion(), keys=["idp", "idp-next"])
    accept("two-keys-for-two-signatures", sign_apart(), keys=["idp", "idp-next"], signing="both")
    accept("no-key-information", by_assertion(key_information=""))
    accept("certificate-of-somebody-else-in-key-information", by_assertion(key_information=key_info("attacker")))
    accept("unsolicited-allowed", by_assertion(unsolicited()), request=None, unsolicited=True)
    for name, indent in (("one", " "), ("four", "    "), ("tab", "\t")):
        accept(f"pretty-signature-indent-{name}", by_both(pretty=indent, key_information=key_info("idp")))
    for prefix in ("dsig", ""):
        accept(f"signature-prefix-{prefix or 'none'}", by_assertion(edit=lambda text, prefix=prefix: renamed(text, prefix)))
    accept("prefix-list-of-transform", by_assertion(typed(), prefixes=["xs"]), VALUES | {"attributes": {"email": [ALICE]}})
    accept("prefix-list-declared-outside", by_assertion(typed_outside(), prefixes=["xs", "xsi"]), {"attributes": {"email": [ALICE]}})
    accept("prefix-list-with-default", by_assertion(default_namespace(), prefixes=["#default", "xs"]), VALUES)
    accept("prefix-list-of-an-unknown-prefix", by_assertion(prefixes=["nobody"]))
    accept("prefix-list-of-signed-info", by_assertion(info_prefixes=["saml", "samlp"]))
    accept("prefix-list-of-both", by_both(typed(), prefixes=["xs", "xsi", "saml"], info_prefixes=["xs"]), {"attributes": {"email": [ALICE]}})
    accept("signature-last-in-the-assertion", by_assertion(response(assertion(mark=False, after="[[_assertion1]]"))))


def sign_apart():
    return strip_marks(sign(sign(response(), "_assertion1", key="idp-next"), "_response1", key="idp"))


def unsolicited():
    return response(assertion(confirmation=confirmation(in_response_to=None)), in_response_to=None)


def renamed(text, prefix):
    """The signature with another prefix, or with none."""
    text = text.replace("ds:", f"{prefix}:" if prefix else "")
    name = f"xmlns:{prefix}" if prefix else "xmlns"
    return re.sub(r"xmlns:[a-z]*(?:ds)?=(?=\"http://www.w3.org/2000/09/xmldsig#\")", f"{name}=", text, count=1)


def typed():
    value = f'<saml:AttributeValue{XSI} xsi:type="xs:string">{ALICE}</saml:AttributeValue>'
    return response(assertion(statements=authn() + attributes(f'<saml:Attribute Name="email">{value}</saml:Attribute>')))


def typed_outside():
    value = f'<saml:AttributeValue xsi:type="xs:string">{ALICE}</saml:AttributeValue>'
    inside = assertion(statements=authn() + attributes(f'<saml:Attribute Name="email">{value}</saml:Attribute>'))
    return response(inside, xmlns=f' xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}"{XSI}')


def default_namespace():
    """An assertion without prefixes, as AD FS writes it."""
    inside = assertion(xmlns=f' xmlns="{SAML}"').replace("saml:", "")
    return response(inside.replace(f'xmlns="{SAML}"', f'xmlns="{SAML}"{XSI}'))


def algorithms(corpus):
    accept = lambda name, document, **settings: corpus.accept(GROUP, name, document, VALUES, **settings)
    for digest in ("sha256", "sha384", "sha512"):
        for method in ("rsa-sha256", "rsa-sha384", "rsa-sha512"):
            if (method, digest) != ("rsa-sha256", "sha256"):
                accept(f"{method}-digest-{digest}", by_assertion(method=method, digest=digest))
    accept("rsa-3072", by_assertion(key="idp-3072"), keys=["idp-3072"])
    for curve, method in (("p256", "ecdsa-sha256"), ("p384", "ecdsa-sha384"), ("p521", "ecdsa-sha512")):
        accept(f"ecdsa-{curve}", by_both(key=f"idp-{curve}", method=method), keys=[f"idp-{curve}"])
    accept("ecdsa-among-rsa-keys", by_assertion(key="idp-p256", method="ecdsa-sha256"), keys=["idp", "idp-p256"])
    accept("sha1-where-allowed", by_assertion(method="rsa-sha1", digest="sha1"), sha1=True)
    accept("sha1-digest-where-allowed", by_assertion(digest="sha1"), sha1=True)


def spelling(corpus):
    """The same meaning in other octets."""
    accept = lambda name, document, values=VALUES, **settings: corpus.accept(GROUP, name, document, values, **settings)
    accept("xml-declaration", by_assertion(response(head='<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n')))
    accept("xml-declaration-lower-case", by_assertion(response(head="<?xml version='1.0' encoding='utf-8'?>")))
    accept("byte-order-mark", by_assertion(response(head="\ufeff")))
    accept("comments-between-elements", by_both(response(
        f"<!-- a -->{assertion(advice='<!-- <saml:Assertion/> -->')}<!-- b -->", head="<!-- c -->")))
    accept("processing-instruction-between-elements", by_both(response(assertion(advice="<?note <saml:Assertion?>"))))
    spaced = response().replace("><", ">\n  <")
    accept("indented", by_both(spaced))
    accept("indented-with-carriage-returns", by_both(spaced).replace("\n", "\r\n"))
    accept("lone-carriage-returns", by_both(spaced).replace("\n", "\r"))
    accept("carriage-return-references", by_assertion(response(assertion(statements=authn() + attributes(
        attribute("email", ALICE), attribute("note", "a&#13;\r\nb&#xD;"))))), {"attributes": {"email": [ALICE], "note": ["a\r\nb\r"]}})
    accept("white-space-in-attributes", by_both(response(assertion(statements=authn() + attributes(
        attribute("email", ALICE, more=' FriendlyName="a\tb\nc&#9;d&#10;e&#13;f  g"'))))), {"attributes": {"email": [ALICE], "a b c\td\ne\rf  g": [ALICE]}})
    accept("carriage-return-in-an-attribute", by_both(response(assertion(statements=authn() + attributes(
        attribute("email", ALICE, more=' FriendlyName="a\r\nb\rc"'))))), {"attributes": {"email": [ALICE], "a b c": [ALICE]}})
    accept("quotes-and-brackets-in-attributes", by_both(response(assertion(statements=authn() + attributes(
        attribute("a&amp;&lt;&gt;&quot;&apos;b", "1"), attribute("email", ALICE))))), {"attributes": {"a&<>\"'b": ["1"], "email": [ALICE]}})
    accept("single-quotes", by_assertion(response().replace('"', "'")))
    accept("spaces-in-tags", by_both(response().replace('" IssueInstant', '"\n\t IssueInstant').replace("</saml:Subject>", "</saml:Subject \n>")))
    accept("cdata", by_assertion(response(assertion(name_id=name_id(f"<![CDATA[{ALICE}]]>")))))
    accept("cdata-in-pieces", by_assertion(response(assertion(name_id=name_id("alice<![CDATA[@acme]]>.<![CDATA[example]]>")))))
    accept("cdata-with-brackets", by_assertion(response(assertion(statements=authn() + attributes(
        attribute("email", ALICE), attribute("note", "<![CDATA[<a>&amp;]]>]]&gt;"))))), {"attributes": {"email": [ALICE], "note": ["<a>&amp;]]>"]}})
    accept("character-references", by_assertion(response(assertion(name_id=name_id("&#97;lice&#x40;acme.example")))))
    accept("signed-with-a-comment-in-the-name", by_assertion(response(assertion(name_id=name_id("alice<!-- x -->@acme.example")))))
    accept("text-beyond-ascii", by_both(response(assertion(name_id=name_id("zoë–\U0001f98a@acme.example", PERSISTENT)))), {"name_id": "zoë–\U0001f98a@acme.example"})
    accept("text-decomposed", by_both(response(assertion(name_id=name_id("zoe\u0308", PERSISTENT)))), {"name_id": "zoe\u0308"})
    accept("no-prefixes", by_both(default_namespace()))
    accept("prefixes-swapped", by_both(response(
        assertion(xmlns=f' xmlns:samlp="{SAML}"').replace("saml:", "samlp:"),
        issuer=issuer())), VALUES)
    accept("other-prefixes", by_both(response().replace("saml:", "ns0:").replace("samlp:", "ns1:").replace("xmlns:saml=", "xmlns:ns0=").replace("xmlns:samlp=", "xmlns:ns1=")))
    accept("unused-declarations", by_both(response(assertion(xmlns=f' xmlns:saml="{SAML}" xmlns:a="urn:a" xmlns:b="urn:a"'))))
    accept("default-namespace-undeclared-inside", by_both(response(assertion(
        xmlns=f' xmlns="urn:a" xmlns:saml="{SAML}"', advice='<saml:Advice><x xmlns=""><y/></x><x xmlns="urn:b"/></saml:Advice>'))))
    accept("assertion-declares-nothing", by_assertion(response(assertion(xmlns=""))))
    accept("attributes-in-any-order", by_both(response(assertion(
        more=' xmlns:z="urn:z" xmlns:a="urn:z2" z:b="1" a:b="2" xml:lang="en"'))))
    wrapped = base64_in_lines(by_assertion())
    accept("form-value-in-lines", wrapped)


class Form(str):
    """A form's value as it is sent, not a document."""


def base64_in_lines(text):
    import base64

    return Form(base64.encodebytes(text.encode()).decode().replace("\n", "\r\n"))


def content(corpus):
    accept = lambda name, document, values=VALUES, **settings: corpus.accept(GROUP, name, document, values, **settings)
    entity = ' Format="urn:oasis:names:tc:SAML:2.0:nameid-format:entity"'
    accept("issuer-format-entity", by_both(response(assertion(issuer=issuer(IDP, entity)), issuer=issuer(IDP, entity))))
    accept("response-without-issuer", by_assertion(response(issuer="")))
    accept("response-without-destination", by_assertion(response(destination=None)))
    accept("persistent-name", by_assertion(response(assertion(name_id=name_id("00u1AbC", PERSISTENT)))), {"name_id": "00u1AbC"})
    accept("name-without-format", by_assertion(response(assertion(name_id=name_id("00u1AbC", None)))), {"name_id": "00u1AbC"})
    accept("name-with-qualifiers", by_assertion(response(assertion(name_id=name_id(
        "00u1AbC", PERSISTENT, f' NameQualifier="{IDP}" SPNameQualifier="{SP}"')))), {"name_id": "00u1AbC"})
    accept("name-of-1024-characters", by_assertion(response(assertion(name_id=name_id("é" * 1024, PERSISTENT)))), {"name_id": "é" * 1024})
    accept("second-confirmation-holds", by_assertion(response(assertion(
        confirmation=confirmation(recipient="https://elsewhere.example/acs") + confirmation()))))
    accept("other-method-beside-bearer", by_assertion(response(assertion(
        confirmation=confirmation("urn:oasis:names:tc:SAML:2.0:cm:sender-vouches") + confirmation()))))
    accept("confirmation-with-address-and-not-before", by_assertion(response(assertion(
        confirmation=confirmation(more=' NotBefore="2026-11-29T11:59:00Z" Address="192.0.2.7"')))))
    accept("confirmation-with-name", by_assertion(response(assertion(confirmation=confirmation().replace(
        "<saml:SubjectConfirmationData", name_id(ADMIN) + "<saml:SubjectConfirmationData")))))
    accept("several-audiences", by_assertion(response(assertion(conditions=conditions(audience("urn:a", SP, "urn:b"))))))
    accept("several-restrictions", by_assertion(response(assertion(conditions=conditions(audience(SP, "urn:a") + audience(SP))))))
    accept("one-time-use-and-proxy-restriction", by_assertion(response(assertion(conditions=conditions(
        audience(SP) + '<saml:OneTimeUse/><saml:ProxyRestriction Count="0"/>')))))
    accept("conditions-without-times", by_assertion(response(assertion(conditions=conditions(not_before=None, not_on_or_after=None)))))
    for name, instant in (("fraction", "2026-11-29T11:59:00.123456789012Z"), ("offset", "2026-11-29T13:59:00+02:00"),
                          ("negative-offset", "2026-11-29T04:29:00.5-07:30")):
        accept(f"time-with-{name}", by_assertion(response(assertion(conditions=conditions(not_before=instant)))))
    accept("times-at-the-edge-of-the-skew", by_assertion(response(assertion(
        conditions=conditions(not_before="2026-11-29T12:03:00Z", not_on_or_after="2026-11-29T11:57:01Z"),
        confirmation=confirmation(not_on_or_after="2026-11-29T11:57:01Z")))))
    accept("session-end", by_assertion(response(assertion(statements=authn(
        more=' SessionIndex="_session1" SessionNotOnOrAfter="2026-11-29T20:00:00Z"') + attributes()))), VALUES | {"session_ends_at": "2026-11-29T20:00:00Z"})
    accept("no-session-index", by_assertion(response(assertion(statements=authn(more="") + attributes()))), {"session_index": None})
    accept("no-attributes", by_assertion(response(assertion(statements=authn()))), {"attributes": {}})
    accept("several-attribute-statements", by_assertion(response(assertion(
        statements=attributes(attribute("email", ALICE)) + authn() + attributes(attribute("groups", "staff", "editors"))))))
    accept("empty-and-nil-values", by_assertion(response(assertion(statements=authn() + attributes(attribute("email", ALICE),
        f'<saml:Attribute Name="a"><saml:AttributeValue{XSI} xsi:nil="true"/></saml:Attribute><saml:Attribute Name="b"/>')))), {})
    accept("element-as-value", by_assertion(response(assertion(statements=authn() + attributes(attribute("email", ALICE),
        attribute("urn:oid:1.3.6.1.4.1.5923.1.1.1.10", name_id("x", PERSISTENT)))))), {})
    accept("status-with-message", by_both(response(status=status(message="done", detail="<samlp:StatusDetail><x/></samlp:StatusDetail>"))))
    accept("consent-and-foreign-attributes", by_both(response(
        more=' Consent="urn:oasis:names:tc:SAML:2.0:consent:obtained" xmlns:x="urn:x" x:y="1"')))
    accept("extensions", by_both(response(extensions='<samlp:Extensions><x xmlns="urn:x"><y/></x></samlp:Extensions>')))
    inner = sign(assertion("_advice1", name_id=name_id(ADMIN)), "_advice1")
    accept("advice-with-a-signed-assertion", by_both(response(assertion(advice=f"<saml:Advice>{inner}</saml:Advice>"))))
    accept("forced-authentication", by_assertion(), force_authn_since="2026-11-29T11:59:40Z")
    accept("requested-context", by_assertion(), requested_context=["urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"])


def sealed(body=None, inner=True, outer=False, **options):
    """A response whose assertion is encrypted; signed inside, outside, or both."""
    text = body or assertion()
    text = sign(text, "_assertion1") if inner else strip_marks(text)
    text = response(encrypt(text, **options))
    return signed(text, "_response1") if outer else strip_marks(text)


def encrypted(corpus):
    accept = lambda name, document, values=VALUES, **settings: corpus.accept(GROUP, name, document, values, **settings)
    for data in ("aes128-gcm", "aes256-gcm"):
        for wrap, hash_name in (("mgf1p", "sha1"), ("oaep", "sha1"), ("oaep", "sha256")):
            accept(f"encrypted-{data}-{wrap}-{hash_name}", sealed(data=data, wrap=wrap, digest=hash_name, mgf=hash_name), encrypted=True)
    accept("encrypted-signed-outside", sealed(inner=False, outer=True), signing="response")
    accept("encrypted-signed-outside-either-required", sealed(inner=False, outer=True))
    accept("encrypted-signed-both", sealed(outer=True), signing="both", encrypted=True)
    accept("encrypted-signed-inside-assertion-required", sealed(), signing="assertion")
    for data in ("aes128-cbc", "aes256-cbc"):
        accept(f"encrypted-{data}-signed-both", sealed(outer=True, data=data), cbc=True)
        accept(f"encrypted-{data}-signed-outside", sealed(inner=False, outer=True, data=data), cbc=True)
    accept("encrypted-key-as-sibling", sealed(sibling=True))
    accept("encrypted-key-as-sibling-by-retrieval-method", sealed(sibling=True, retrieval=True))
    accept("encrypted-for-two-recipients", sealed(more_keys_before=only_key(encrypt("x", key="sp-other"))))
    accept("encrypted-to-the-old-key", sealed(key="sp-old"), decryption_keys=["sp", "sp-old"])
    accept("encrypted-value-in-lines", sealed(lines=True))
    accept("encrypted-without-type", sealed(type_attribute=""))
    accept("encrypted-prefix-declared-outside", response_around(assertion(xmlns="")))
    accept("encrypted-default-namespace-declared-outside", response_around(
        assertion(xmlns="").replace("saml:", ""), f' xmlns="{SAML}"'))
    accept("encrypted-with-white-space-around", sealed(body="\n  " + assertion() + "\n"))
    accept("encrypted-without-digest-method", sealed().replace(f'<ds:DigestMethod xmlns:ds="{DS}" Algorithm="{DS}sha1"/>', ""))


def only_key(text):
    """The EncryptedKey of an encrypted assertion."""
    start = text.index("<xenc:EncryptedKey")
    return text[start : text.index("</xenc:EncryptedKey>") + len("</xenc:EncryptedKey>")]


def response_around(body, outer=""):
    """The prefixes of the assertion are declared at the Response only, as pysaml2 does it."""
    whole = response(body, xmlns=f' xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}"{outer}')
    whole = sign(whole, "_assertion1")
    start = whole.index("<Assertion" if outer else "<saml:Assertion")
    end = whole.index("</samlp:Response>")
    sealed_text = encrypt(whole[start:end], xmlns="")
    return strip_marks(whole[:start] + sealed_text + whole[end:])
