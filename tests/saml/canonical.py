#!/usr/bin/env python3
"""Compares the canonical forms of random documents with libxml2's.

    mkfifo /tmp/documents
    GENKAN_SAML_CANONICAL=1000000:/tmp/documents cargo test --release -p genkan-protocol --lib write_random -- --ignored &
    python tests/saml/canonical.py < /tmp/documents

    python tests/saml/canonical.py --digests < DOCUMENTS    also writes the digests that `cargo test` compares with

Each line has a PrefixList, a document and our canonical form, the last two in base64.
"""

import base64
import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from lxml import etree  # noqa: E402

from corpus.signature import canonical, parse  # noqa: E402

HERE = Path(__file__).resolve().parents[2] / "crates/protocol/tests/saml_corpus"


def main():
    digests = bytearray()
    count = different = 0
    for line in sys.stdin:
        prefixes, document, form = line.rstrip("\n").split("\t")
        root = parse(base64.b64decode(document))
        apex = next((element for element in root.iter(etree.Element) if element.get("ID")), root)
        theirs = canonical(apex, prefixes.split())
        ours = base64.b64decode(form)
        count += 1
        digests += hashlib.sha256(theirs).digest()[:4]
        if ours != theirs:
            different += 1
            if different <= 5:
                print(f"PrefixList {prefixes!r}\n{base64.b64decode(document).decode()}\nours   {ours.decode()}\nlibxml2 {theirs.decode()}\n")
    print(f"{count} documents, {different} differences")
    if "--digests" in sys.argv:
        (HERE / "canonical.digests").write_bytes(digests)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
