"""XML Encryption. The randomness comes from the input, so the same vector is the same octets at the next run."""

import hashlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from . import keys
from .signature import DS, b64

XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"

# Name: algorithm, length of the key in octets.
DATA = {
    "aes128-gcm": (XENC11 + "aes128-gcm", 16),
    "aes192-gcm": (XENC11 + "aes192-gcm", 24),
    "aes256-gcm": (XENC11 + "aes256-gcm", 32),
    "aes128-cbc": (XENC + "aes128-cbc", 16),
    "aes192-cbc": (XENC + "aes192-cbc", 24),
    "aes256-cbc": (XENC + "aes256-cbc", 32),
    "tripledes-cbc": (XENC + "tripledes-cbc", 24),
}
DIGESTS = {"sha1": DS + "sha1", "sha256": XENC + "sha256", "sha512": XENC + "sha512"}
MGFS = {"sha1": XENC11 + "mgf1sha1", "sha256": XENC11 + "mgf1sha256", "sha512": XENC11 + "mgf1sha512"}


def mgf1(seed, length, hash_name):
    out = b""
    counter = 0
    while len(out) < length:
        out += hashlib.new(hash_name, seed + counter.to_bytes(4, "big")).digest()
        counter += 1
    return out[:length]


def mask(octets, with_octets):
    return bytes(a ^ b for a, b in zip(octets, with_octets))


def oaep(message, key, digest, mgf, seed, label=b""):
    """RSAES-OAEP (RFC 8017 §7.1.1), with any pair of hashes."""
    numbers = keys.private(key).public_key().public_numbers()
    size = (numbers.n.bit_length() + 7) // 8
    label_hash = hashlib.new(digest, label).digest()
    block = label_hash + b"\0" * (size - len(message) - 2 * len(label_hash) - 2) + b"\1" + message
    seed = seed[: len(label_hash)].ljust(len(label_hash), b"\7")
    block = mask(block, mgf1(seed, len(block), mgf))
    seed = mask(seed, mgf1(block, len(seed), mgf))
    return pow(int.from_bytes(b"\0" + seed + block, "big"), numbers.e, numbers.n).to_bytes(size, "big")


def pkcs1(message, key, seed):
    numbers = keys.private(key).public_key().public_numbers()
    size = (numbers.n.bit_length() + 7) // 8
    filler = bytes(octet or 1 for octet in hashlib.shake_256(seed).digest(size - len(message) - 3))
    return pow(int.from_bytes(b"\0\2" + filler + b"\0" + message, "big"), numbers.e, numbers.n).to_bytes(size, "big")


def encrypt(
    plain,
    key="sp",
    data="aes256-gcm",
    wrap="mgf1p",
    digest="sha1",
    mgf="sha1",
    *,
    label=b"",
    named_digest=None,
    named_mgf=None,
    data_algorithm=None,
    wrap_algorithm=None,
    content_key_length=None,
    spoil_wrapped=lambda octets: octets,
    spoil_data=lambda octets: octets,
    pad=None,
    sibling=False,
    retrieval=False,
    more_keys_before="",
    copies=1,
    lines=False,
    element="saml:EncryptedAssertion",
    xmlns=f' xmlns:saml="{SAML}"',
    data_inside=None,
    beside="",
    type_attribute=f' Type="{XENC}Element"',
):
    """An EncryptedAssertion around `plain`."""
    if isinstance(plain, str):
        plain = plain.encode()
    seed = hashlib.shake_256(repr((plain, key, data, wrap, digest, mgf)).encode()).digest(256)
    algorithm, length = DATA[data]
    content_key = seed[: content_key_length or length]
    if data.endswith("gcm"):
        iv = seed[32:44]
        cipher_text = iv + AESGCM(content_key).encrypt(iv, plain, None)
    else:
        aes = data.startswith("aes")
        block = 16 if aes else 8
        iv = seed[32 : 32 + block]
        count = block - len(plain) % block
        padding = pad(count) if pad else seed[64 : 64 + count - 1] + bytes([count])
        cipher = algorithms.AES(content_key) if aes else _triple_des(content_key)
        encryptor = Cipher(cipher, modes.CBC(iv)).encryptor()
        cipher_text = iv + encryptor.update(plain + padding) + encryptor.finalize()
    cipher_text = spoil_data(cipher_text)
    wrapped = {
        "mgf1p": lambda: oaep(content_key, key, digest, mgf, seed[128:], label),
        "oaep": lambda: oaep(content_key, key, digest, mgf, seed[128:], label),
        "rsa-1_5": lambda: pkcs1(content_key, key, seed[128:]),
    }[wrap]()
    wrapped = spoil_wrapped(wrapped)
    method = wrap_algorithm or {
        "mgf1p": XENC + "rsa-oaep-mgf1p",
        "oaep": XENC11 + "rsa-oaep",
        "rsa-1_5": XENC + "rsa-1_5",
    }[wrap]
    inside = ""
    if label:
        inside += f"<xenc:OAEPparams>{b64(label)}</xenc:OAEPparams>"
    if wrap != "rsa-1_5":
        inside += f'<ds:DigestMethod xmlns:ds="{DS}" Algorithm="{named_digest or DIGESTS[digest]}"/>'
    if wrap == "oaep":
        inside += f'<xenc11:MGF xmlns:xenc11="{XENC11}" Algorithm="{named_mgf or MGFS[mgf]}"/>'
    ident = ' Id="_key1"' if retrieval else ""
    encrypted_key = (
        f'<xenc:EncryptedKey xmlns:xenc="{XENC}"{ident}><xenc:EncryptionMethod Algorithm="{method}">{inside}'
        f"</xenc:EncryptionMethod><xenc:CipherData><xenc:CipherValue>{b64(wrapped)}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>"
    )
    encrypted_keys = more_keys_before + encrypted_key * copies
    value = b64(cipher_text)
    if lines:
        value = "\r\n" + "\r\n".join(value[at : at + 64] for at in range(0, len(value), 64)) + "\r\n"
    key_information = f'<ds:KeyInfo xmlns:ds="{DS}">{encrypted_keys}</ds:KeyInfo>'
    after = ""
    if sibling:
        after = encrypted_keys
        key_information = ""
        if retrieval:
            key_information = (
                f'<ds:KeyInfo xmlns:ds="{DS}"><ds:RetrievalMethod URI="#_key1" Type="{XENC}EncryptedKey"/></ds:KeyInfo>'
            )
    cipher_data = data_inside or f"<xenc:CipherValue>{value}</xenc:CipherValue>"
    return (
        f'<{element}{xmlns}><xenc:EncryptedData xmlns:xenc="{XENC}"{type_attribute}>'
        f'<xenc:EncryptionMethod Algorithm="{algorithm if data_algorithm is None else data_algorithm}"/>{key_information}'
        f"<xenc:CipherData>{cipher_data}</xenc:CipherData></xenc:EncryptedData>{after}{beside}</{element}>"
    )


def _triple_des(key):
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES

    return TripleDES(key)


def flip(at, bit=1):
    """Changes one bit of the octet at this place."""

    def change(octets):
        changed = bytearray(octets)
        changed[at] ^= bit
        return bytes(changed)

    return change
