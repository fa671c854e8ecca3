#!/usr/bin/env python3
"""Writes the vectors of the SAML verifier to crates/protocol/tests/saml_corpus.

    python tests/saml/generate.py           writes keys (if there are none), vectors and manifest
    python tests/saml/generate.py --check   fails if what is there is not what would be written

Needs lxml and cryptography. Shares no code with the verifier: signatures and canonical forms come from these two.
"""

import json
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from corpus import GROUPS  # noqa: E402
from corpus.honest import Form  # noqa: E402
from corpus.message import Corpus  # noqa: E402

HERE = Path(__file__).resolve().parents[2] / "crates/protocol/tests/saml_corpus"


def files():
    """Each file of the corpus but the keys, with its octets."""
    corpus = Corpus()
    for group in GROUPS:
        group.add(corpus)
    lines = []
    made = {}
    for name, (document, settings, outcome) in corpus.vectors.items():
        ending = "form" if isinstance(document, Form) else "xml"
        made[f"vectors/{name}.{ending}"] = document if isinstance(document, bytes) else document.encode()
        lines.append(json.dumps({"file": f"{name}.{ending}", "settings": settings} | outcome, ensure_ascii=False))
    made["manifest.json"] = ("[\n" + ",\n".join(lines) + "\n]\n").encode()
    return made


def main():
    made = files()
    if "--check" in sys.argv:
        there = {str(path.relative_to(HERE)) for path in (HERE / "vectors").rglob("*") if path.is_file()}
        there.add("manifest.json")
        wrong = sorted(there ^ made.keys())
        wrong += [name for name in sorted(there & made.keys()) if (HERE / name).read_bytes() != made[name]]
        print("\n".join(wrong) or f"{len(made) - 1} vectors are as they would be written")
        return 1 if wrong else 0
    shutil.rmtree(HERE / "vectors", ignore_errors=True)
    for name, octets in made.items():
        path = HERE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(octets)
    print(f"{len(made) - 1} vectors, {sum(map(len, made.values()))} octets")
    return 0


if __name__ == "__main__":
    sys.exit(main())
