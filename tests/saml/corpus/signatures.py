"""Groups 04 to 06 and 09 to 12: what a signature is made of."""

import base64
import hashlib

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import utils

from . import keys
from .message import (
    ADMIN, ALICE, IDP, SP, assertion, attribute, attributes, audience, authn, by_assertion, by_both, by_response,
    conditions, issuer, name_id, response, signed,
)
from .signature import (
    DIGESTS, DS, ENVELOPED, EXCLUSIVE, METHODS, MORE, b64, canonical, find, key_info, parse, raw, sign, strip_marks, transform,
)
from .wrapping import cut

INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
FORGED = response(assertion(name_id=name_id(ADMIN)))


def add(corpus):
    void(corpus)
    signed_info(corpus)
    truncated(corpus)
    key_confusion(corpus)
    transforms(corpus)
    references(corpus)
    downgraded(corpus)


def void(corpus):
    """Group 04: a canonical form that came out empty."""
    group = "04-void-canonical-form"
    nothing = b64(hashlib.sha256(b"").digest())
    over_nothing = b64(raw(b"", "rsa-sha256", "idp"))
    corpus.refuse(group, "digest-of-nothing", by_assertion(FORGED, digest_text=nothing), "digest_mismatch")
    corpus.refuse(group, "signature-of-nothing", by_assertion(FORGED, value=over_nothing), "signature_invalid")
    relative = by_assertion(FORGED, digest_text=nothing, value=over_nothing)
    corpus.refuse(group, "both-of-nothing", relative, "signature_invalid")
    for name, place in (("response", "<samlp:Response "), ("assertion", "<saml:Assertion "), ("signed-info", "<ds:SignedInfo")):
        for space in ("1", "#", "../x"):
            label = {"1": "name", "#": "fragment", "../x": "path"}[space]
            text = relative.replace(place, f'{place.rstrip()} xmlns:x="{space}"{" " if place.endswith(" ") else ""}', 1)
            corpus.refuse(group, f"relative-namespace-{label}-in-the-{name}", text, "signature_invalid")
    corpus.refuse(group, "relative-namespace-and-digest-of-nothing", by_assertion(
        FORGED, digest_text=nothing).replace("<saml:Subject>", '<saml:Subject xmlns:x="1" x:y="">'), "canonicalization_not_allowed")
    corpus.refuse(group, "empty-digest-value", by_assertion(FORGED, digest_text=""), "signature_malformed")
    corpus.refuse(group, "empty-signature-value", by_assertion(FORGED, value=""), "signature_malformed")
    corpus.refuse(group, "digest-of-another-length", by_assertion(FORGED, digest_text=b64(b"\0" * 20)), "digest_mismatch")
    corpus.refuse(group, "digest-cut", by_assertion(digest_text=b64(digest_of(response(), "_assertion1")[:16])), "digest_mismatch")


def digest_of(text, ident):
    return hashlib.sha256(canonical(find(parse(strip_marks(text)), ident))).digest()


def signed_info(corpus):
    """Group 05: the digest that was signed is not the one that is read."""
    group = "05-signed-info"
    honest = by_assertion()
    value = honest.split("<ds:DigestValue>")[1].split("<")[0]
    evil = b64(digest_of(FORGED, "_assertion1"))
    forged = honest.replace(ALICE + "</saml:NameID>", ADMIN + "</saml:NameID>")
    info, head, tail = cut(honest, "ds:SignedInfo")
    evil_info = info.replace(value, evil)
    forge = lambda text: text.replace(ALICE + "</saml:NameID>", ADMIN + "</saml:NameID>")
    for name, inside in (("before", f"<!--{evil}-->{value}"), ("after", f"{value}<!--{evil}-->"), ("within", f"{value[:9]}<!--{evil}-->{value[9:]}")):
        corpus.refuse(group, f"comment-{name}-the-digest", forged.replace(value, inside), "signature_malformed")
        # A comment is no part of what was signed, and nobody needs one there.
        corpus.refuse(group, f"comment-{name}-the-digest-of-an-honest-message", honest.replace(value, inside), "signature_malformed")
    corpus.refuse(group, "comment-with-the-digest-only", forged.replace(value, f"<!--{value}-->{evil}"), "signature_malformed")
    corpus.refuse(group, "element-in-the-digest", forged.replace(value, f"{evil}<x>{value}</x>"), "signature_malformed")
    corpus.refuse(group, "instruction-in-the-digest", forged.replace(value, f"<?x {evil}?>{value}"), "signature_malformed")
    for name, document in {
        "two-signed-infos-forged-first": forge(head) + evil_info + info + forge(tail),
        "two-signed-infos-forged-last": forge(head) + info + evil_info + forge(tail),
        "signed-info-in-an-object": forge(head) + evil_info + forge(tail).replace("</ds:Signature>", f"<ds:Object>{info}</ds:Object></ds:Signature>"),
        "signed-info-around-the-signed-info": forge(head) + evil_info.replace("</ds:SignedInfo>", f"{info}</ds:SignedInfo>") + forge(tail),
        "signed-info-in-the-reference": forge(head) + evil_info.replace("</ds:Reference>", f"{info}</ds:Reference>") + forge(tail),
        "two-digests-forged-first": forged.replace("<ds:DigestValue>", f"<ds:DigestValue>{evil}</ds:DigestValue><ds:DigestValue>", 1),
        "two-digests-forged-last": forged.replace("</ds:DigestValue>", f"</ds:DigestValue><ds:DigestValue>{evil}</ds:DigestValue>", 1),
        "digest-in-another-namespace-first": forged.replace("<ds:DigestValue>", f'<x:DigestValue xmlns:x="urn:x">{evil}</x:DigestValue><ds:DigestValue>', 1),
        "two-signature-values": honest.replace("<ds:SignatureValue>", "<ds:SignatureValue>AAAA</ds:SignatureValue><ds:SignatureValue>", 1),
        "signature-value-first": swapped(honest),
        "key-info-first": honest.replace("<ds:SignedInfo>", "<ds:KeyInfo><ds:KeyName>idp</ds:KeyName></ds:KeyInfo><ds:SignedInfo>", 1),
        "two-methods": honest.replace("<ds:SignatureMethod", f'<ds:SignatureMethod Algorithm="{METHODS["rsa-sha512"]}"/><ds:SignatureMethod', 1),
        "no-signature-value": honest.replace(cut(honest, "ds:SignatureValue")[0], ""),
        "no-signed-info": head + tail,
        "empty-signature": head[: head.index("<ds:Signature ")] + f'<ds:Signature xmlns:ds="{DS}"/>' + tail[tail.index("</ds:Signature>") + 15:],
        "object": honest.replace("</ds:Signature>", "<ds:Object/></ds:Signature>"),
        "text-in-the-signature": honest.replace("<ds:SignatureValue>", "x<ds:SignatureValue>"),
        "signature-value-not-base64": honest.replace("<ds:SignatureValue>", "<ds:SignatureValue>?"),
        "element-in-the-signature-value": honest.replace("</ds:SignatureValue>", "<x/></ds:SignatureValue>"),
        "signed-info-in-another-namespace": honest.replace("<ds:SignedInfo>", '<x:SignedInfo xmlns:x="urn:x">').replace("</ds:SignedInfo>", "</x:SignedInfo>"),
    }.items():
        corpus.refuse(group, name, document, "signature_malformed")
    # These are signed as they stand, so only the shape is wrong.
    for name, options in {
        "signed-two-digests": {"reference_inside": f"<ds:DigestValue>{evil}</ds:DigestValue>"},
        "signed-foreign-child": {"info_after": '<x xmlns="urn:x"/>'},
        "signed-digest-not-base64": {"digest_text": "????"},
        "signed-text-in-signed-info": {"info_after": "x"},
    }.items():
        corpus.refuse(group, name, by_assertion(**options), "signature_malformed")
    corpus.refuse(group, "digest-exchanged", forged.replace(value, evil), "signature_invalid")
    corpus.refuse(group, "bad-signature-and-bad-digest", forged.replace("<ds:SignatureValue>", "<ds:SignatureValue>AAAA"), "signature_invalid")


def swapped(text):
    info = cut(text, "ds:SignedInfo")[0]
    value = cut(text, "ds:SignatureValue")[0]
    return text.replace(info + value, value + info)


def truncated(corpus):
    """Group 06: comments, instructions and CDATA that cut a text. All are signed honestly and changed afterwards."""
    group = "06-truncated-text"
    long = "admin@acme.example.evil.example"
    for name, cut_here, cause in (
        ("comment", "<!---->", None), ("comment-with-text", "<!-- </saml:NameID> -->", None), ("cdata", "<![CDATA[]]>", None),
        ("instruction", "<?x y?>", "digest_mismatch"), ("element", "<x/>", "digest_mismatch"), ("reference", "&#x200b;", "digest_mismatch"),
        ("end-tag", "</saml:NameID><saml:NameID>", "digest_mismatch"),
    ):
        text = by_assertion(response(assertion(name_id=name_id(long)))).replace(f">{long}<", f">admin@acme.example{cut_here}.evil.example<")
        if cause:
            corpus.refuse(group, f"name-id-{name}", text, cause)
        else:
            corpus.accept(group, f"name-id-{name}", text, {"name_id": long})
        text = by_assertion(response(assertion(statements=authn() + attributes(attribute("email", long))))).replace(
            f">{long}<", f">admin@acme.example{cut_here.replace('NameID', 'AttributeValue')}.evil.example<")
        if cause:
            corpus.refuse(group, f"attribute-value-{name}", text, cause)
        else:
            corpus.accept(group, f"attribute-value-{name}", text, {"attributes": {"email": [long]}})
    corpus.accept(group, "name-id-comment-first", by_assertion(response(assertion(name_id=name_id(long)))).replace(f">{long}", f"><!--{ADMIN}-->{long}"), {"name_id": long})
    corpus.accept(group, "name-id-comment-last", by_assertion(response(assertion(name_id=name_id(long)))).replace(f"{long}<", f"{long}<!--x--><"), {"name_id": long})
    corpus.refuse(group, "name-id-signed-with-an-element", by_assertion(response(assertion(name_id=name_id(f"{ADMIN}<x xmlns='urn:x'/>.evil.example")))), "name_id_malformed")
    corpus.refuse(group, "name-id-signed-as-an-element", by_assertion(response(assertion(name_id=name_id(f"<x xmlns='urn:x'>{ADMIN}</x>")))), "name_id_malformed")
    corpus.accept(group, "name-id-signed-with-an-instruction", by_assertion(response(assertion(name_id=name_id("alice@acme<?x y?>.example")))))
    other = SP + ".evil.example"
    text = by_assertion(response(assertion(conditions=conditions(audience(other)))))
    corpus.refuse(group, "audience-comment", text.replace(other, SP + "<!---->.evil.example"), "audience_mismatch")
    corpus.refuse(group, "audience-cdata", text.replace(other, SP + "<![CDATA[.evil.example]]>"), "audience_mismatch")
    other = IDP + ".evil.example"
    text = by_assertion(response(assertion(issuer=issuer(other)), issuer=""))
    corpus.refuse(group, "issuer-comment", text.replace(other, IDP + "<!---->.evil.example"), "issuer_mismatch")
    text = by_response(response(issuer=issuer(other)))
    corpus.refuse(group, "issuer-of-the-response-comment", text.replace(other, IDP + "<!---->.evil.example"), "issuer_mismatch")
    text = by_assertion(response(assertion(conditions=conditions(audience("urn:a")))))
    corpus.refuse(group, "audience-in-a-comment", text.replace("urn:a<", f"urn:a<!--{SP}--><"), "audience_mismatch")
    corpus.refuse(group, "audience-as-an-element", by_assertion(response(assertion(conditions=conditions(audience(f"<x xmlns='urn:x'>{SP}</x>"))))), "audience_mismatch")
    corpus.accept(group, "context-comment", by_assertion(response(assertion(statements=authn(context="urn:a:b") + attributes()))).replace("urn:a:b", "urn:a<!-- -->:b"), {"authn_context": "urn:a:b"})


def key_confusion(corpus):
    """Group 09: verified with a key that the attacker chose."""
    group = "09-key-confusion"
    refuse = lambda name, document, cause="signature_invalid", **settings: corpus.refuse(group, name, document, cause, **settings)
    numbers = keys.private("attacker").public_key().public_numbers()
    modulus = b64(numbers.n.to_bytes(256, "big"))
    refuse("certificate-of-the-attacker", by_assertion(FORGED, key="attacker", key_information=key_info("attacker")))
    refuse("certificate-of-the-attacker-on-the-response", by_response(FORGED, key="attacker", key_information=key_info("attacker")))
    refuse("attacker-names-the-providers-certificate", by_assertion(FORGED, key="attacker", key_information=key_info("idp")))
    refuse("both-certificates", by_assertion(FORGED, key="attacker", key_information=key_info("idp") .replace(
        "</ds:X509Data>", key_info("attacker").split("<ds:X509Data>")[1].split("</ds:X509Data>")[0] + "</ds:X509Data>")))
    for name, inside in {
        "rsa-key-value": f"<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{modulus}</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>",
        "retrieval-method": '<ds:RetrievalMethod URI="http://127.0.0.1:9/key" Type="http://www.w3.org/2000/09/xmldsig#rawX509Certificate"/>',
        "retrieval-method-file": '<ds:RetrievalMethod URI="file:///etc/passwd"/>',
        "key-name": "<ds:KeyName>/etc/ssl/key.pem</ds:KeyName>",
        "issuer-and-serial": "<ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>CN=idp.example</ds:X509IssuerName><ds:X509SerialNumber>1</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data>",
        "key-info-reference": '<dsig11:KeyInfoReference xmlns:dsig11="http://www.w3.org/2009/xmldsig11#" URI="#_evil"/>',
        "der-encoded": f'<dsig11:DEREncodedKeyValue xmlns:dsig11="http://www.w3.org/2009/xmldsig11#">{b64(keys.private("attacker").public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))}</dsig11:DEREncodedKeyValue>',
    }.items():
        refuse(f"key-info-{name}", by_assertion(FORGED, key="attacker", key_information=f"<ds:KeyInfo>{inside}</ds:KeyInfo>"))
    refuse("key-of-the-service-provider", by_assertion(FORGED, key="sp", key_information=key_info("sp")))
    refuse("key-that-was-taken-away", by_assertion(key="idp-next"))
    public = keys.private("idp").public_key()
    secrets = {
        "certificate": keys.der("idp"),
        "certificate-pem": keys.certificate("idp").public_bytes(serialization.Encoding.PEM),
        "certificate-base64": b64(keys.der("idp")).encode(),
        "public-key": public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        "public-key-pem": public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        "public-key-pkcs1": public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1),
        "modulus": public.public_numbers().n.to_bytes(256, "big"),
        "nothing": b"",
    }
    for name, secret in secrets.items():
        refuse(f"hmac-keyed-with-{name}", by_assertion(FORGED, method="hmac-sha256", secret=secret or b"\0"), "algorithm_not_allowed")
    refuse("hmac-sha1-where-sha1-is-allowed", by_assertion(FORGED, method="hmac-sha1", secret=secrets["certificate"]), "algorithm_not_allowed", sha1=True)
    refuse("hmac-output-length-zero", by_assertion(FORGED, method="hmac-sha256", secret=b"x", value="", method_inside="<ds:HMACOutputLength>0</ds:HMACOutputLength>"), "algorithm_not_allowed")
    refuse("hmac-output-length-of-rsa", by_assertion(method_inside="<ds:HMACOutputLength>8</ds:HMACOutputLength>"), "signature_malformed")
    for name, algorithm in {"none": "none", "empty": "", "no-uri": "rsa-sha256", "upper-case": METHODS["rsa-sha256"].upper(), "space": METHODS["rsa-sha256"] + " ",
                            "https": METHODS["rsa-sha256"].replace("http:", "https:"), "pss": METHODS["rsa-pss"]}.items():
        refuse(f"algorithm-{name}", by_assertion(algorithm=algorithm), "algorithm_not_allowed")
    refuse("algorithm-absent", by_assertion(edit=lambda text: text.replace(f' Algorithm="{METHODS["rsa-sha256"]}"', "")), "signature_malformed")
    refuse("rsa-pss", by_assertion(method="rsa-pss"), "algorithm_not_allowed")
    refuse("signed-with-another-hash-than-named", by_assertion(method="rsa-sha512", algorithm=METHODS["rsa-sha256"]))
    refuse("ecdsa-named-for-an-rsa-key", by_assertion(algorithm=METHODS["ecdsa-sha256"]), "algorithm_not_allowed")
    ec = {"keys": ["idp-p256"]}
    refuse("rsa-named-for-an-ecdsa-key", by_assertion(key="idp-p256", method="ecdsa-sha256", algorithm=METHODS["rsa-sha256"]), "algorithm_not_allowed", **ec)
    refuse("ecdsa-of-the-attacker", by_assertion(FORGED, key="attacker-p256", method="ecdsa-sha256", key_information=key_info("attacker-p256")), **ec)
    zero = b64(b"\0" * 64)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    n = order.to_bytes(32, "big")
    one = (1).to_bytes(32, "big")
    for name, value in {"zeros": zero, "r-zero": b64(b"\0" * 32 + one), "s-zero": b64(one + b"\0" * 32), "order": b64(n + n), "ones": b64(one + one),
                        "r-zero-s-order": b64(b"\0" * 32 + n), "short": b64(b"\0" * 2), "too-long": b64(b"\0" * 66)}.items():
        refuse(f"ecdsa-{name}", by_assertion(FORGED, key="idp-p256", method="ecdsa-sha256", value=value), **ec)
    good = by_assertion(key="idp-p256", method="ecdsa-sha256")
    value = cut(good, "ds:SignatureValue")[0]
    octets = base64.b64decode(value.split(">")[1].split("<")[0])
    der = utils.encode_dss_signature(int.from_bytes(octets[:32], "big"), int.from_bytes(octets[32:], "big"))
    for name, changed in {"der": der, "with-leading-zeros": b"\0" + octets[:32] + b"\0" + octets[32:], "reversed": octets[32:] + octets[:32], "cut": octets[:-1]}.items():
        refuse(f"ecdsa-{name}", good.replace(value, f"<ds:SignatureValue>{b64(changed)}</ds:SignatureValue>"), **ec)
    refuse("ecdsa-of-another-curve", by_assertion(key="idp-p384", method="ecdsa-sha384"), "algorithm_not_allowed", **ec)
    text = by_assertion()
    value = cut(text, "ds:SignatureValue")[0]
    octets = base64.b64decode(value.split(">")[1].split("<")[0])
    for name, changed in {"zeros": b"\0" * 256, "one": b"\0" * 255 + b"\1", "modulus": secrets["modulus"], "cut": octets[:-1], "longer": octets + b"\0",
                          "leading-zero": b"\0" + octets, "plus-modulus": (int.from_bytes(octets, "big") + public.public_numbers().n).to_bytes(257, "big")}.items():
        refuse(f"rsa-{name}", text.replace(value, f"<ds:SignatureValue>{b64(changed)}</ds:SignatureValue>"))


def transforms(corpus):
    """Group 10: what is left of the element before it is digested. The right key signs what the transforms leave."""
    group = "10-transforms"
    reduced = b"<saml:Assertion/>"
    xpath = "http://www.w3.org/TR/1999/REC-xpath-19991116"
    e, c = transform(ENVELOPED), transform(EXCLUSIVE)
    for name, text in {
        "xpath": e + transform(xpath, "<ds:XPath>not(ancestor-or-self::saml:NameID)</ds:XPath>") + c,
        "xpath-last": e + c + transform(xpath, "<ds:XPath>false()</ds:XPath>"),
        "xpath-filter-2": e + transform("http://www.w3.org/2002/06/xmldsig-filter2", '<f:XPath xmlns:f="http://www.w3.org/2002/06/xmldsig-filter2" Filter="subtract">//*</f:XPath>') + c,
        "xslt": e + transform("http://www.w3.org/TR/1999/REC-xslt-19991116", '<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0"><xsl:template match="/"><a/></xsl:template></xsl:stylesheet>') + c,
        "base64": e + transform(DS + "base64"),
        "base64-last": e + c + transform(DS + "base64"),
        "unknown": e + c + transform("urn:unknown"),
        "unknown-first": transform("urn:unknown") + e + c,
        "decryption": transform("http://www.w3.org/2002/07/decrypt#XML") + e + c,
    }.items():
        corpus.refuse(group, name, by_assertion(FORGED, transforms=text, digest_octets=reduced), "transform_not_allowed")
    for name, text in {
        "unknown-that-does-nothing": e + c + transform("urn:unknown"),
        "unknown-between": e + transform("urn:unknown") + c,
        "order-reversed": c + e,
        "canonical-form-twice": e + c + c,
        "enveloped-twice": e + e + c,
        "enveloped-only": e,
        "canonical-form-only": c,
        "none": "",
        "thousand": e + c * 1000,
        "inclusive": e + transform(INCLUSIVE),
        "inclusive-1-1": e + transform("http://www.w3.org/2006/12/xml-c14n11"),
        "with-comments": e + transform(EXCLUSIVE + "WithComments"),
        "inclusive-with-comments": e + transform(INCLUSIVE + "#WithComments"),
        "algorithm-in-upper-case": e + transform(EXCLUSIVE.upper()),
        "no-algorithm": e + "<ds:Transform/>",
        "enveloped-with-content": transform(ENVELOPED, "<x xmlns='urn:x'/>") + c,
    }.items():
        # Not one of our transforms, but the digest that they have in common with ours.
        cause = "signature_malformed" if name in ("no-algorithm", "enveloped-with-content") else "transform_not_allowed"
        corpus.refuse(group, f"honest-{name}", by_assertion(transforms=text), cause)
    corpus.refuse(group, "prefix-list-changed-afterwards", by_assertion(prefixes=["xs"]).replace('PrefixList="xs"', 'PrefixList="saml"'), "signature_invalid")
    for name, algorithm in {"inclusive": INCLUSIVE, "inclusive-1-1": "http://www.w3.org/2006/12/xml-c14n11", "with-comments": EXCLUSIVE + "WithComments", "unknown": "urn:unknown", "empty": ""}.items():
        corpus.refuse(group, f"signed-info-{name}", by_assertion(canonicalization=algorithm), "canonicalization_not_allowed")


def references(corpus):
    """Group 11: which element was signed."""
    group = "11-references"
    for name, uri in {
        "empty": "", "fragment-only": "#", "xpointer-root": "#xpointer(/)", "xpointer-id": "#xpointer(id('_assertion1'))", "external": "http://127.0.0.1:9/assertion.xml",
        "external-with-fragment": "http://127.0.0.1:9/#_assertion1", "file": "file:///etc/passwd", "no-fragment-sign": "_assertion1", "percent-encoded": "#%5fassertion1",
        "upper-case": "#_ASSERTION1", "space-after": "#_assertion1 ", "space-before": " #_assertion1", "to-the-response": "#_response1", "to-nothing": "#_nothing",
        "twice": "#_assertion1#_assertion1", "attachment": "cid:_assertion1",
    }.items():
        corpus.refuse(group, f"uri-{name}", by_assertion(uri=uri), "reference_foreign")
    corpus.refuse(group, "uri-absent", by_assertion(uri_attribute=""), "reference_foreign")
    corpus.refuse(group, "uri-empty-on-the-response", by_response(uri=""), "reference_foreign")
    corpus.refuse(group, "response-signature-refers-to-the-assertion", by_response(uri="#_assertion1", digest_octets=canonical(find(parse(strip_marks(response())), "_assertion1"))), "reference_foreign")
    corpus.refuse(group, "assertion-signature-refers-to-the-response", by_assertion(uri="#_response1", digest_octets=canonical(find(parse(strip_marks(response())), "_response1"))), "reference_foreign")
    one = (f'<ds:Reference URI="%s"><ds:Transforms>{transform(ENVELOPED)}{transform(EXCLUSIVE)}</ds:Transforms>'
           f'<ds:DigestMethod Algorithm="{DIGESTS["sha256"][0]}"/><ds:DigestValue>%s</ds:DigestValue></ds:Reference>')
    good = one % ("#_assertion1", b64(digest_of(response(), "_assertion1")))
    status_reference = one % ("#_response1", b64(digest_of(response(), "_response1")))
    corpus.refuse(group, "no-reference", by_assertion(references=""), "reference_count")
    corpus.refuse(group, "same-reference-twice", by_assertion(references=good + good), "reference_count")
    corpus.refuse(group, "second-reference-to-the-response", by_assertion(references=good + status_reference), "reference_count")
    corpus.refuse(group, "first-reference-to-the-response", by_assertion(references=status_reference + good), "reference_count")
    manifest = good.replace("URI=", f'Type="{DS}Manifest" URI=')
    corpus.refuse(group, "manifest-in-an-object", by_assertion(references=one % ("#_m", "AAAA"), signature_after=f'<ds:Object><ds:Manifest Id="_m">{good}</ds:Manifest></ds:Object>'), "signature_malformed")
    corpus.accept(group, "reference-with-a-type", by_assertion(references=manifest))
    corpus.refuse(group, "assertion-without-an-id", by_assertion(uri="#").replace(' ID="_assertion1"', "", 1), "reference_foreign")
    corpus.refuse(group, "assertion-with-an-empty-id", strip_marks(sign(response(), "_assertion1", uri="#")).replace(' ID="_assertion1"', ' ID=""', 1), "reference_foreign")


def downgraded(corpus):
    """Group 12: no signature, a weak one, or not the one that the connection demands."""
    group = "12-downgraded"
    refuse = lambda name, document, cause, **settings: corpus.refuse(group, name, document, cause, **settings)
    for required in ("either", "assertion", "response", "both"):
        refuse(f"unsigned-{required}-required", strip_marks(response()), "signature_missing", signing=required)
    refuse("assertion-signed-response-required", by_assertion(), "signature_policy", signing="response")
    refuse("response-signed-assertion-required", by_response(), "signature_policy", signing="assertion")
    refuse("assertion-signed-both-required", by_assertion(), "signature_policy", signing="both")
    refuse("response-signed-both-required", by_response(), "signature_policy", signing="both")
    for method in ("rsa-sha1", "rsa-md5", "rsa-sha224"):
        refuse(method, by_assertion(method=method), "algorithm_not_allowed")
    refuse("ecdsa-sha1", by_assertion(key="idp-p256", method="ecdsa-sha1"), "algorithm_not_allowed", keys=["idp-p256"])
    for digest in ("sha1", "md5", "sha224"):
        refuse(f"digest-{digest}", by_assertion(digest=digest), "algorithm_not_allowed")
    refuse("md5-where-sha1-is-allowed", by_assertion(method="rsa-md5"), "algorithm_not_allowed", sha1=True)
    refuse("digest-md5-where-sha1-is-allowed", by_assertion(digest="md5"), "algorithm_not_allowed", sha1=True)
    refuse("dsa", by_assertion(algorithm=DS + "dsa-sha1", value=b64(b"\0" * 40)), "algorithm_not_allowed", sha1=True)
    refuse("ripemd", by_assertion(algorithm=MORE + "rsa-ripemd160"), "algorithm_not_allowed", sha1=True)
    refuse("digest-unknown", by_assertion(digest_algorithm="urn:unknown"), "algorithm_not_allowed")
    refuse("no-certificate", by_assertion(), "certificate_missing", keys=[])
    refuse("no-certificate-unsigned", strip_marks(response()), "certificate_missing", keys=[])
    both = by_both()
    outer = cut(both, "ds:Signature")[0]
    inner = cut(cut(both, "saml:Assertion")[0], "ds:Signature")[0]
    broken = outer.replace("<ds:SignatureValue>", "<ds:SignatureValue>AAAA")
    refuse("bad-signature-of-the-response-beside-a-good-one", both.replace(outer, broken), "signature_invalid")
    refuse("bad-signature-of-the-response-beside-a-good-one-assertion-required", both.replace(outer, broken), "signature_invalid", signing="assertion")
    refuse("bad-signature-of-the-assertion-beside-a-good-one", signed(by_assertion(key="attacker").replace(
        "<samlp:Status>", "[[_response1]]<samlp:Status>", 1), "_response1"), "signature_invalid", signing="response")
    refuse("stripped-from-the-response", both.replace(outer, ""), "signature_policy", signing="both")
    refuse("stripped-from-the-assertion-in-a-signed-response", both.replace(inner, ""), "digest_mismatch", signing="either")
    refuse("signature-in-another-namespace", by_assertion().replace(f'xmlns:ds="{DS}"', 'xmlns:ds="http://www.w3.org/2000/09/xmldsig"'), "signature_missing")
    refuse("signature-with-another-name", by_assertion().replace("ds:Signature>", "ds:signature>").replace("<ds:Signature ", "<ds:signature "), "signature_missing")
    refuse("signature-in-a-comment", by_assertion().replace("<ds:Signature ", "<!--<ds:Signature ").replace("</ds:Signature>", "</ds:Signature>-->"), "signature_missing")
