#!/usr/bin/env python3
"""Puts the vectors to two verifiers that nobody here wrote: xmlsec1 and signxml.

    python tests/saml/oracle.py            compares, and fails if a difference has no reason in REASONS
    python tests/saml/oracle.py --list     the same, with the name of each vector that differs

Both only verify signatures, so they are asked: does each signature directly in the Response and in the Assertion hold
under a key of the connection? Messages that are refused for another reason (an audience, a time) are no difference.
Needs Debian's xmlsec1, and lxml, cryptography and signxml from requirements.txt.
"""

import base64
import json
import re
import subprocess
import sys
import tempfile
import warnings
from collections import Counter, defaultdict
from pathlib import Path

from lxml import etree
from signxml import DigestAlgorithm, SignatureConfiguration, SignatureMethod, XMLVerifier

warnings.simplefilter("ignore")
HERE = Path(__file__).resolve().parents[2] / "crates/protocol/tests/saml_corpus"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
DS = "http://www.w3.org/2000/09/xmldsig#"
PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)

# What only our verifier refuses, or only another one: the cause or `accepted`, and why that is right.
FOREIGN = "it verifies whatever the reference names; nothing ties that to the element that holds the signature"
REASONS = {
    "xmlsec1 accepts": {
        "algorithm_not_allowed": "it knows SHA-1, SHA-224 and MD5",
        "canonicalization_not_allowed": "it knows the canonical form with comments",
        "id_duplicate": "it was told that ID is one; Id and xml:id are others",
        "reference_count": "it verifies any number of references",
        "reference_foreign": FOREIGN,
        "signature_malformed": "it passes over ds:Object, comments in values, parameters, and text or elements where the schema has none",
        "transform_not_allowed": "it carries out any row of transforms that it knows",
        "xml_document_type": "libxml2 reads document types",
        "xml_encoding": "libxml2 reads other encodings",
        "xml_malformed": "libxml2 reads XML 1.1 as 1.0",
    },
    "xmlsec1 refuses": {},
    "signxml accepts": {
        "algorithm_not_allowed": "it knows SHA-1 and SHA-224",
        "canonicalization_not_allowed": "it knows the canonical form with comments",
        "id_duplicate": "it was told that ID is one; Id and xml:id are others",
        "reference_count": "it was told to take any number; SAML's one is the caller's business",
        "reference_foreign": FOREIGN + " (the caller is to read only what it returns)",
        "signature_malformed": "it passes over ds:Object, comments in values, parameters, and letters that are not base64",
        "transform_not_allowed": "it passes over transforms that it does not know, and over their order",
        "xml_encoding": "libxml2 reads other encodings",
        "xml_malformed": "libxml2 reads XML 1.1 as 1.0",
    },
    "signxml refuses": {
        "accepted": "it passes over InclusiveNamespaces in CanonicalizationMethod, so it digests other octets",
    },
}


def signature_places(root):
    """The signatures that a service provider looks at: of the Response, and of the Assertion in it."""
    places = []
    if root.find(f"{{{DS}}}Signature") is not None:
        places.append(("/*/*[local-name()='Signature']", "./"))
    for holder, location in (
        (f"{{{SAML}}}Assertion", f"./{{{SAML}}}Assertion/"),
        (f"{{{SAML}}}EncryptedAssertion/{{{SAML}}}Assertion", f"./{{{SAML}}}EncryptedAssertion/{{{SAML}}}Assertion/"),
    ):
        if root.find(f"{holder}/{{{DS}}}Signature") is not None:
            path = "".join(f"/*[local-name()='{name}']" for name in re.findall(r"\}(\w+)", holder))
            places.append((f"/*{path}/*[local-name()='Signature']", location))
    return places


def xmlsec1(document, keys, path):
    ids = [f"{SAML}:Assertion", f"{SAMLP}:Response"]
    with tempfile.NamedTemporaryFile(suffix=".xml") as file:
        file.write(document)
        file.flush()
        for key in keys:
            command = ["xmlsec1", "--verify", "--enabled-key-data", "key-name", f"--pubkey-cert-pem:{key}", str(HERE / f"keys/{key}.crt.pem")]
            for name in ids:
                command += ["--id-attr:ID", name]
            done = subprocess.run([*command, "--node-xpath", path, file.name], capture_output=True, timeout=20)
            if done.returncode == 0:
                return True
    return False


def signxml(document, keys, location):
    for key in keys:
        config = SignatureConfiguration(
            location=location,
            require_x509=True,
            expect_references=True,
            ignore_ambiguous_key_info=True,
            signature_methods=frozenset(SignatureMethod),
            digest_algorithms=frozenset(DigestAlgorithm),
        )
        try:
            XMLVerifier().verify(
                document, x509_cert=(HERE / f"keys/{key}.crt.pem").read_text(), expect_config=config, id_attribute="ID"
            )
            return True
        except Exception:  # Whatever it raises is a refusal.
            continue
    return False


def decrypted(document, keys):
    """The document with the assertion in the place of its cipher text, by xmlsec1; None if it cannot."""
    for key in keys:
        with tempfile.NamedTemporaryFile(suffix=".xml") as file:
            file.write(document)
            file.flush()
            done = subprocess.run(
                ["xmlsec1", "--decrypt", f"--privkey-pem:{key}", str(HERE / f"keys/{key}.key.pem"), file.name],
                capture_output=True, timeout=20,
            )
            if done.returncode == 0:
                return done.stdout
    return None


# xmlsec1 1.2 knows neither xmlenc11#rsa-oaep nor what is not encrypted to one of the keys.
CANNOT_OPEN = "cannot open"


def verdicts(document, settings):
    """Whether xmlsec1 and signxml accept every signature of the document; None if there is nothing to judge."""
    keys = settings.get("keys", ["idp"])
    try:
        root = etree.fromstring(document, PARSER)
    except (etree.XMLSyntaxError, ValueError):
        return False, False
    judged = [(document, place) for place in signature_places(root)]
    if root.find(f"{{{SAML}}}EncryptedAssertion") is not None:
        plain = decrypted(document, settings.get("decryption_keys", ["sp"]))
        if plain is None:
            return CANNOT_OPEN, CANNOT_OPEN
        try:
            places = signature_places(etree.fromstring(plain, PARSER))
        except etree.XMLSyntaxError:
            return False, False
        judged += [(plain, place) for place in places[len(judged) :]]
    if not judged:
        return None, None
    return (
        all(xmlsec1(text, keys, path) for text, (path, _) in judged),
        all(signxml(text, keys, location) for text, (_, location) in judged),
    )


# Up to the signatures: what comes later is none of the oracles' business.
BEFORE = (
    "xml_encoding xml_document_type xml_limit xml_malformed id_duplicate signature_count signature_malformed "
    "canonicalization_not_allowed algorithm_not_allowed reference_count reference_foreign transform_not_allowed "
    "signature_invalid digest_mismatch"
).split()


def main():
    differences = defaultdict(list)
    agreed = Counter()
    for vector in json.loads((HERE / "manifest.json").read_text()):
        name = vector["file"]
        document = (HERE / "vectors" / name).read_bytes()
        if name.endswith(".form"):
            try:
                document = base64.b64decode(document)
            except ValueError:
                continue
        cause = vector.get("cause", "accepted")
        for oracle, verdict in zip(("xmlsec1", "signxml"), verdicts(document, vector["settings"])):
            if verdict is None:
                agreed[oracle, "no signature to judge"] += 1
            elif verdict == CANNOT_OPEN:
                agreed[oracle, f"cannot open, and it is {'accepted' if cause == 'accepted' else 'refused'} here"] += 1
            elif cause == "accepted":
                agreed[oracle, "both accept"] += verdict
                if not verdict:
                    differences[f"{oracle} refuses", cause].append(name)
            elif cause in BEFORE:
                agreed[oracle, "both refuse"] += not verdict
                if verdict:
                    differences[f"{oracle} accepts", cause].append(name)
            else:
                agreed[oracle, "refused by us for what is no signature's business"] += 1
    for (oracle, what), count in sorted(agreed.items()):
        print(f"{oracle}: {what}: {count}")
    unexplained = 0
    print("\n| difference | cause here | vectors | reason |\n|---|---|---|---|")
    for (side, cause), names in sorted(differences.items()):
        reason = REASONS[side].get(cause)
        unexplained += reason is None
        print(f"| {side} | `{cause}` | {len(names)} | {reason or '**no reason**'} |")
        if "--list" in sys.argv or reason is None:
            print("\n".join(f"    {name}" for name in names))
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
