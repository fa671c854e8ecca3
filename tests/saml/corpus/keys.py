"""Throw-away keys with their certificates. They are made once and kept beside the vectors."""

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

HERE = Path(__file__).resolve().parents[3] / "crates/protocol/tests/saml_corpus/keys"

# Name of the file: subject of the certificate, maker of the key.
KINDS = {
    "idp": ("idp.example", 2048),
    "idp-next": ("idp.example", 2048),
    "idp-3072": ("idp.example", 3072),
    "idp-p256": ("idp.example", ec.SECP256R1()),
    "idp-p384": ("idp.example", ec.SECP384R1()),
    "idp-p521": ("idp.example", ec.SECP521R1()),
    "idp-other": ("other-idp.example", 2048),
    # A stranger's certificate with the provider's own subject and serial number.
    "attacker": ("idp.example", 2048),
    "attacker-p256": ("idp.example", ec.SECP256R1()),
    "sp": ("sp.genkan.example", 2048),
    "sp-old": ("sp.genkan.example", 2048),
    "sp-other": ("other-sp.example", 2048),
}

_cache = {}


def private(name):
    """The private key, made if there is none yet."""
    if name not in _cache:
        path = HERE / f"{name}.key.pem"
        if not path.exists():
            _make(name, path)
        _cache[name] = serialization.load_pem_private_key(path.read_bytes(), None)
    return _cache[name]


def certificate(name):
    """The certificate of a key."""
    private(name)
    return x509.load_pem_x509_certificate((HERE / f"{name}.crt.pem").read_bytes())


def der(name):
    """The octets of the certificate."""
    return certificate(name).public_bytes(serialization.Encoding.DER)


def _make(name, path):
    subject, kind = KINDS[name]
    key = rsa.generate_private_key(65537, kind) if isinstance(kind, int) else ec.generate_private_key(kind)
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2026, 1, 1))
        .not_valid_after(datetime.datetime(2036, 1, 1))
        .sign(key, hashes.SHA256())
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    path.with_name(f"{name}.crt.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
