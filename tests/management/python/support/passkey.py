"""An authenticator in software: makes a passkey as a browser would hand it over.

Sources: Web Authentication Level 2 §5.8.1, §6.1, §6.5.1; RFC 8949 (CBOR); RFC 9053 §2.1 (ES256).
"""

import base64
import hashlib
import json
import os
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

USER_PRESENT, USER_VERIFIED, WITH_CREDENTIAL = 0x01, 0x04, 0x40


def encoded(bytes):
    return base64.urlsafe_b64encode(bytes).rstrip(b"=").decode()


def register(options, origin):
    """Answers the options of `navigator.credentials.create` on a page of `origin`."""
    point = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    key = {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
    id = os.urandom(32)
    domain = options.get("rp", {}).get("id") or urlsplit(origin).hostname
    data = hashlib.sha256(domain.encode()).digest()
    data += bytes([USER_PRESENT | USER_VERIFIED | WITH_CREDENTIAL]) + bytes(4) + bytes(16)
    data += len(id).to_bytes(2, "big") + id + cbor(key)
    challenge = options["challenge"].rstrip("=")
    client = {"type": "webauthn.create", "challenge": challenge, "origin": origin, "crossOrigin": False}
    return id, json.dumps(client).encode(), cbor({"fmt": "none", "attStmt": {}, "authData": data})


def cbor(value):
    if isinstance(value, int):
        return head(1, -1 - value) if value < 0 else head(0, value)
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    return head(5, len(value)) + b"".join(cbor(part) for item in value.items() for part in item)


def head(kind, length):
    if length < 24:
        return bytes([kind << 5 | length])
    size = 1 if length < 256 else 2
    return bytes([kind << 5 | 23 + size]) + length.to_bytes(size, "big")
