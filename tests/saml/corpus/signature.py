"""XML signatures, made with lxml's canonicalization and the library `cryptography`.

A document is text with marks: `[[_a]]` is where the signature of the element with ID `_a` goes. So every octet of a
vector is chosen here, and nothing is serialised again after it was signed.
"""

import base64
import hashlib
import re

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from lxml import etree

from . import keys

DS = "http://www.w3.org/2000/09/xmldsig#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = DS + "enveloped-signature"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"

DIGESTS = {
    "sha1": (DS + "sha1", "sha1"),
    "sha256": ("http://www.w3.org/2001/04/xmlenc#sha256", "sha256"),
    "sha384": (MORE + "sha384", "sha384"),
    "sha512": ("http://www.w3.org/2001/04/xmlenc#sha512", "sha512"),
    "md5": (MORE + "md5", "md5"),
    "sha224": (MORE + "sha224", "sha224"),
}
HASHES = {
    "sha1": hashes.SHA1(),
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
    "md5": hashes.MD5(),
}
METHODS = {
    "rsa-sha1": DS + "rsa-sha1",
    "rsa-md5": MORE + "rsa-md5",
    "rsa-sha224": MORE + "rsa-sha224",
    "rsa-sha256": MORE + "rsa-sha256",
    "rsa-sha384": MORE + "rsa-sha384",
    "rsa-sha512": MORE + "rsa-sha512",
    "ecdsa-sha1": MORE + "ecdsa-sha1",
    "ecdsa-sha256": MORE + "ecdsa-sha256",
    "ecdsa-sha384": MORE + "ecdsa-sha384",
    "ecdsa-sha512": MORE + "ecdsa-sha512",
    "rsa-pss": "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
    "hmac-sha256": MORE + "hmac-sha256",
    "hmac-sha1": DS + "hmac-sha1",
}

PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
# lxml leaves out each name of a PrefixList that libxml2 has met in no document. This document has the odd one.
DEFAULT_NAME = etree.fromstring('<a xmlns:x="#default"/>')


def b64(octets):
    return base64.b64encode(octets).decode()


def strip_marks(text):
    return re.sub(r"\[\[_[^\]]*\]\]", "", text)


def parse(text):
    octets = text.encode() if isinstance(text, str) else text
    return etree.fromstring(octets, PARSER)


def canonical(element, prefixes=()):
    """Exclusive canonical form without comments (exc-c14n 1.0), by libxml2.

    lxml looks for the prefixes of a PrefixList below the element only, so the element is written with everything that
    is in scope, and read again as a document of its own.
    """
    alone = etree.fromstring(etree.tostring(element, encoding="UTF-8", with_tail=False), PARSER)
    return etree.tostring(
        alone, method="c14n", exclusive=True, with_comments=False, inclusive_ns_prefixes=list(prefixes) or None
    )


def find(root, ident):
    for element in root.iter(etree.Element):
        if element.get("ID") == ident:
            return element
    raise KeyError(ident)


def raw(octets, method, key):
    """SignatureValue over octets, by the name of a method and of a key, or by a secret of an HMAC."""
    kind, _, name = method.partition("-")
    if kind == "hmac":
        mac = hmac.HMAC(key, HASHES[name])
        mac.update(octets)
        return mac.finalize()
    private = keys.private(key)
    if method == "rsa-pss":
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 0)
        return private.sign(octets, pss, hashes.SHA256())
    if kind == "rsa":
        return private.sign(octets, padding.PKCS1v15(), HASHES[name])
    der = private.sign(octets, ec.ECDSA(HASHES[name], deterministic_signing=True))
    r, s = utils.decode_dss_signature(der)
    size = (private.curve.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def prefix_list(prefixes):
    if not prefixes:
        return ""
    return f'<ec:InclusiveNamespaces xmlns:ec="{EXCLUSIVE}" PrefixList="{" ".join(prefixes)}"/>'


def transform(algorithm, inside=""):
    return f'<ds:Transform Algorithm="{algorithm}">{inside}</ds:Transform>'


def key_info(name):
    return f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{b64(keys.der(name))}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"


def sign(
    text,
    ident,
    key="idp",
    method="rsa-sha256",
    digest="sha256",
    *,
    secret=None,
    algorithm=None,
    digest_algorithm=None,
    prefixes=None,
    info_prefixes=None,
    canonicalization=EXCLUSIVE,
    transforms=None,
    uri=None,
    uri_attribute=None,
    reference_inside="",
    digest_octets=None,
    digest_text=None,
    references=None,
    info_after="",
    key_information=None,
    signature_after="",
    signature_octets=None,
    value=None,
    method_inside="",
    pretty=None,
    edit=lambda signature: signature,
):
    """Puts a signature at the mark of `ident`. Whatever is not an attack's own comes from the standard."""
    if digest_octets is None and digest_text is None:
        digest_octets = canonical(find(parse(strip_marks(text)), ident), prefixes or ())
    if digest_text is None:
        digest_text = b64(hashlib.new(DIGESTS[digest][1], digest_octets).digest())
    if transforms is None:
        transforms = transform(ENVELOPED) + transform(EXCLUSIVE, prefix_list(prefixes))
    if transforms:
        transforms = f"<ds:Transforms>{transforms}</ds:Transforms>"
    if uri_attribute is None:
        uri_attribute = f' URI="{"#" + ident if uri is None else uri}"'
    if references is None:
        references = (
            f"<ds:Reference{uri_attribute}>{transforms}"
            f'<ds:DigestMethod Algorithm="{digest_algorithm or DIGESTS[digest][0]}"/>'
            f"<ds:DigestValue>{digest_text}</ds:DigestValue>{reference_inside}</ds:Reference>"
        )
    if key_information is None:
        key_information = f"<ds:KeyInfo><ds:KeyName>{key}</ds:KeyName></ds:KeyInfo>"
    signature = (
        f'<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo>'
        f'<ds:CanonicalizationMethod Algorithm="{canonicalization}">{prefix_list(info_prefixes)}</ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{METHODS[method] if algorithm is None else algorithm}">{method_inside}</ds:SignatureMethod>'
        f"{references}{info_after}</ds:SignedInfo>"
        f"<ds:SignatureValue>[[value]]</ds:SignatureValue>{key_information}{signature_after}</ds:Signature>"
    )
    if pretty:
        signature = pretty_printed(signature, pretty)
    signature = edit(signature)
    placed = text.replace(f"[[{ident}]]", signature)
    if value is None:
        if signature_octets is None:
            held = [
                found
                for found in parse(strip_marks(placed)).iter(f"{{{DS}}}SignatureValue")
                if (found.text or "").strip() == "[[value]]"
            ][0]
            info = held.getparent().find(f"{{{DS}}}SignedInfo")
            signature_octets = canonical(info, info_prefixes or ())
        value = b64(raw(signature_octets, method, secret or key))
    if pretty:
        value = "\n" + "\n".join(value[at : at + 76] for at in range(0, len(value), 76)) + "\n"
    return placed.replace("[[value]]", value)


def pretty_printed(signature, indent):
    """Line feeds and indentation within the signature, as lasso writes them."""
    depth = 0
    out = []
    for token in re.split(r"(<[^>]*>)", signature):
        if not token:
            continue
        if not token.startswith("<"):
            out.append(token)
            continue
        if token.startswith("</"):
            depth -= 1
        if not (out and not out[-1].startswith("<")) and not (token.startswith("</") and out[-1].startswith("<ds:X509Cert")):
            out.append("\n" + indent * depth) if out else None
        out.append(token)
        if not token.startswith("</") and not token.endswith("/>"):
            depth += 1
    return "".join(out)


def signed(text, *idents, **options):
    """Signs the elements in this order (the inner one first) and removes the other marks."""
    for ident in idents:
        text = sign(text, ident, **options)
    return strip_marks(text)
