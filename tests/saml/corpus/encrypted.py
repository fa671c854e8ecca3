"""Groups 07 and 08: what comes encrypted."""

import base64

from .encryption import XENC, XENC11, encrypt, flip
from .honest import only_key, sealed
from .message import ADMIN, ALICE, SAML, assertion, by_assertion, confirmation, name_id, response, signed
from .signature import sign, strip_marks
from .wrapping import cut

FORGED = assertion("_evil1", mark=False, name_id=name_id(ADMIN))


def add(corpus):
    injected(corpus)
    padding(corpus)


def injected(corpus):
    """Group 07: anybody can encrypt to our public key, so encryption proves nothing."""
    group = "07-encrypted-injection"
    refuse = lambda name, document, cause, **settings: corpus.refuse(group, name, strip_marks(document), cause, **settings)
    honest = cut(by_assertion(), "saml:Assertion")[0]
    evil = encrypt(FORGED)
    for required in ("either", "assertion", "response", "both"):
        refuse(f"unsigned-{required}-required", response(evil), "signature_missing", signing=required)
    refuse("unsigned-encryption-required", response(evil), "signature_missing", encrypted=True)
    refuse("signed-by-the-attacker", sealed(body=sign(assertion(name_id=name_id(ADMIN)), "_assertion1", key="attacker"), inner=False), "signature_invalid")
    refuse("before-a-signed-assertion", response(evil + honest), "assertion_count")
    refuse("after-a-signed-assertion", response(honest + evil), "assertion_count")
    refuse("two-encrypted-forged-first", response(evil + encrypt(honest)), "assertion_count")
    refuse("two-encrypted-forged-last", response(encrypt(honest) + evil), "assertion_count")
    refuse("signed-assertion-in-the-extensions", response(evil, extensions=f"<samlp:Extensions>{honest}</samlp:Extensions>"), "signature_missing")
    refuse("signed-assertion-inside-the-forged", response(encrypt(FORGED.replace("<saml:Conditions", f"<saml:Advice>{honest}</saml:Advice><saml:Conditions", 1))), "signature_missing")
    signature = cut(honest, "ds:Signature")[0]
    refuse("forged-has-the-signature-of-an-assertion-beside-it", response(
        encrypt(FORGED.replace("</saml:Issuer>", f"</saml:Issuer>{signature}", 1)), extensions=f"<samlp:Extensions>{honest.replace(signature, '')}</samlp:Extensions>"), "reference_foreign")
    refuse("forged-has-the-signed-id", response(
        encrypt(FORGED.replace("_evil1", "_assertion1").replace("</saml:Issuer>", f"</saml:Issuer>{signature}", 1))), "digest_mismatch")
    for name, plain in {
        "two-assertions": FORGED + honest,
        "two-assertions-signed-first": honest + FORGED,
        "response": strip_marks(response(honest)),
        "wrapped-assertion": f'<saml:Advice xmlns:saml="{SAML}">{honest}</saml:Advice>',
        "another-encrypted-assertion": encrypt(honest),
        "text": "admin@acme.example",
        "nothing": "",
        "white-space": " ",
        "text-before": "x" + honest,
        "text-after": honest + "x",
        "breakout": f"</saml:EncryptedAssertion>{FORGED}<saml:EncryptedAssertion>",
        "breakout-after-an-assertion": f"{honest}</saml:EncryptedAssertion>{FORGED}<saml:EncryptedAssertion>",
        "end-tag-first": f"</saml:EncryptedAssertion>{honest}",
        "open-tag-last": f"{honest}<saml:EncryptedAssertion>",
        "not-closed": honest[:-3],
        "comment-that-does-not-end": honest + "<!--",
        "document-type": f'<!DOCTYPE saml:Assertion [<!ENTITY a "{ADMIN}">]>' + honest,
        "not-utf-8": honest.replace(ALICE, "alic\xe9").encode("latin-1"),
        "utf-16": honest.encode("utf-16"),
        "zero-octet": honest.replace(ALICE, "alice\0"),
        "assertion-in-another-namespace": honest.replace(f'xmlns:saml="{SAML}"', 'xmlns:saml="urn:oasis:names:tc:SAML:1.0:assertion"'),
        "undeclared-prefix": honest.replace("<saml:Subject>", "<saml:Subject><x:y/>"),
        "same-id-twice-within": honest.replace("<saml:Conditions", '<saml:Advice><x ID="_assertion1"/></saml:Advice><saml:Conditions'),
        "twice-the-same-attribute": honest.replace('Version="2.0"', 'Version="2.0" Version="2.0"', 1),
        "forty-nine-deep": honest.replace("<saml:Conditions", "<saml:Advice>" + "<x>" * 60 + "</x>" * 60 + "</saml:Advice><saml:Conditions"),
    }.items():
        refuse(f"plain-text-{name}", response(encrypt(plain)), "decrypted_not_an_assertion")
    outside = sealed(inner=False, outer=True)
    start, end = outside.index("<saml:EncryptedAssertion"), outside.index("</samlp:Response>")
    refuse("exchanged-under-the-signature-of-the-response", outside[:start] + evil + outside[end:], "digest_mismatch")
    both = sealed(outer=True)
    refuse("signature-of-the-response-stripped-both-required", both.replace(cut(both, "ds:Signature")[0], ""), "signature_policy", signing="both")
    refuse("signed-inside-response-required", sealed(), "signature_policy", signing="response")
    refuse("signed-outside-assertion-required", sealed(inner=False, outer=True), "signature_policy", signing="assertion")
    refuse("signed-outside-both-required", sealed(inner=False, outer=True), "signature_policy", signing="both")
    refuse("plain-where-encryption-is-required", by_assertion(), "encryption_expected", encrypted=True)
    refuse("encrypted-without-a-key", sealed(), "decryption_key_missing", decryption_keys=[])
    refuse("decrypted-under-the-signature-of-the-encrypted", decrypted(), "digest_mismatch")
    refuse("encrypted-assertion-and-plain-one-inside-it", response(encrypt(honest, beside=FORGED)), "decryption_failed")
    encrypted_id = encrypt(name_id(ALICE).replace("<saml:NameID", f'<saml:NameID xmlns:saml="{SAML}"'), element="saml:EncryptedID", xmlns="")
    refuse("encrypted-name", by_assertion(response(assertion(name_id=encrypted_id))), "name_id_missing")


def decrypted():
    """The signature of the Response covers the encrypted form, the attacker sends the plain one."""
    whole = sealed(inner=False, outer=True)
    start, end = whole.index("<saml:EncryptedAssertion"), whole.index("</samlp:Response>")
    return whole[:start] + strip_marks(assertion()) + whole[end:]


def padding(corpus):
    """Group 08: what an attacker may learn from the ways in which decryption fails. One cause, one text."""
    group = "08-decryption"
    failed = lambda name, document, **settings: corpus.refuse(group, name, document, "decryption_failed", **settings)
    for name, spoil in {
        "tag": flip(-1), "cipher-text": flip(40), "nonce": flip(0), "first-octet-of-text": flip(12), "cut": lambda text: text[:-1], "cut-to-the-tag": lambda text: text[:28],
        "cut-to-the-nonce": lambda text: text[:12], "empty": lambda text: b"", "longer": lambda text: text + b"\0", "tag-cut-to-12": lambda text: text[:-4],
    }.items():
        failed(f"gcm-{name}", sealed(spoil_data=spoil))
    for name, spoil in {"first-octet": flip(0, 0x40), "last-octet": flip(-1), "zeros": lambda text: b"\0" * 256, "cut": lambda text: text[:-1], "longer": lambda text: text + b"\0",
                        "ones": lambda text: b"\xff" * 256, "empty": lambda text: b""}.items():
        failed(f"wrapped-key-{name}", sealed(spoil_wrapped=spoil))
    failed("to-another-recipient", sealed(key="sp-other"))
    failed("to-a-key-that-is-gone", sealed(key="sp-old"))
    failed("key-of-another-length", sealed(content_key_length=16))
    failed("key-longer-than-named", sealed(data="aes128-gcm", content_key_length=32))
    failed("five-keys", sealed(copies=5))
    failed("no-key", sealed().replace(only_key(sealed()), ""))
    failed("cipher-value-not-base64", sealed().replace("<xenc:CipherValue>", "<xenc:CipherValue>?"))
    failed("no-cipher-value", sealed(data_inside="<x xmlns='urn:x'/>"))
    failed("cipher-reference", sealed(data_inside='<xenc:CipherReference URI="http://127.0.0.1:9/x"/>'))
    failed("cipher-reference-to-itself", sealed(data_inside='<xenc:CipherReference URI="#_response1"/>'))
    failed("two-encrypted-data", doubled(sealed()))
    failed("empty-encrypted-assertion", response(f'<saml:EncryptedAssertion xmlns:saml="{SAML}"/>', mark=False))
    corpus.accept(group, "four-keys", sealed(copies=4))
    for name, spoil in {"last-octet": flip(-1), "last-block": flip(-17), "iv": flip(0), "cut": lambda text: text[:-1], "one-block": lambda text: text[:16], "no-block": lambda text: text[:32]}.items():
        # The signature of the Response covers the cipher text, so an attacker cannot try such a change.
        changed = honest_with_changed_data(sealed(outer=True, data="aes128-cbc"), spoil)
        corpus.refuse(group, f"cbc-{name}-changed-after-signing", changed, "digest_mismatch", cbc=True)
    for name, spoil in {"cut": lambda text: text[:-1], "iv-only": lambda text: text[:16], "empty": lambda text: b""}.items():
        failed(f"cbc-{name}-signed", sealed(outer=True, data="aes128-cbc", spoil_data=spoil), cbc=True)
    for name, octet in {"zero": 0, "seventeen": 17, "all": 255}.items():
        failed(f"cbc-padding-{name}", sealed(outer=True, data="aes128-cbc", pad=lambda count, octet=octet: b"\0" * (count - 1) + bytes([octet])), cbc=True)
    not_allowed = lambda name, document, **settings: corpus.refuse(group, name, document, "decryption_not_allowed", **settings)
    for data in ("aes128-cbc", "aes192-cbc", "aes256-cbc"):
        not_allowed(f"{data}-not-allowed", sealed(outer=True, data=data))
    not_allowed("aes192-gcm", sealed(data="aes192-gcm"))
    not_allowed("cbc-only-the-assertion-signed", sealed(data="aes128-cbc"), cbc=True)
    not_allowed("cbc-unsigned", sealed(data="aes128-cbc", inner=False), cbc=True)
    not_allowed("cbc-unsolicited", unsolicited_cbc(), cbc=True, request=None, unsolicited=True)
    not_allowed("tripledes", sealed(outer=True, data="tripledes-cbc"), cbc=True)
    not_allowed("rsa-1-5", sealed(wrap="rsa-1_5"))
    not_allowed("rsa-1-5-spoiled", sealed(wrap="rsa-1_5", spoil_wrapped=flip(-1)))
    not_allowed("rsa-1-5-named-for-oaep", sealed(wrap_algorithm=XENC + "rsa-1_5"))
    corpus.refuse(group, "oaep-named-for-rsa-1-5", sealed(wrap="rsa-1_5", wrap_algorithm=XENC + "rsa-oaep-mgf1p"), "decryption_failed")
    not_allowed("oaep-mixed-hashes", sealed(wrap="oaep", digest="sha256", mgf="sha1"))
    not_allowed("oaep-mixed-hashes-mgf1p", sealed(digest="sha256"))
    not_allowed("oaep-sha512", sealed(wrap="oaep", digest="sha512", mgf="sha512"))
    corpus.accept(group, "oaep-label", sealed(label=b"label"))
    failed("oaep-label-changed", sealed(label=b"label").replace(">bGFiZWw=<", ">bGFiZWs=<"))
    not_allowed("oaep-digest-md5", sealed(named_digest="http://www.w3.org/2001/04/xmldsig-more#md5"))
    not_allowed("oaep-mgf-unknown", sealed(wrap="oaep", named_mgf="urn:unknown"))
    not_allowed("wrap-unknown", sealed(wrap_algorithm="urn:unknown"))
    not_allowed("wrap-aes", sealed(wrap_algorithm=XENC + "kw-aes256"))
    not_allowed("data-unknown", sealed(data_algorithm="urn:unknown"))
    not_allowed("data-none", sealed(data_algorithm=""))
    not_allowed("cbc-named-for-gcm", sealed(data_algorithm=XENC + "aes256-cbc"))
    failed("gcm-named-for-cbc", sealed(outer=True, data="aes256-cbc", data_algorithm=XENC11 + "aes256-gcm"))


def doubled(text):
    data = text[text.index("<xenc:EncryptedData") : text.index("</xenc:EncryptedData>") + len("</xenc:EncryptedData>")]
    return text.replace(data, data * 2)


def honest_with_changed_data(text, spoil):
    value = text.split("<xenc:CipherValue>")[-1].split("<")[0]
    return text.replace(value, base64.b64encode(spoil(base64.b64decode(value))).decode())


def unsolicited_cbc():
    text = sign(assertion(confirmation=confirmation(in_response_to=None)), "_assertion1")
    return signed(response(encrypt(text, data="aes128-cbc"), in_response_to=None), "_response1")
