// An authenticator in software: makes a passkey as a browser would hand it over.
//
// Sources: Web Authentication Level 2 §5.8.1, §6.1, §6.5.1; RFC 8949 (CBOR); RFC 9053 §2.1 (ES256).
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';

/** Answers `options` of `navigator.credentials.create` on a page of `origin`. */
export function register({ challenge, rp }, origin) {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y } = publicKey.export({ format: 'jwk' });
  const id = randomBytes(32);
  const key = cbor(new Map([[1, 2], [3, -7], [-1, 1], [-2, Buffer.from(x, 'base64url')], [-3, Buffer.from(y, 'base64url')]]));
  const USER_PRESENT = 0x01, USER_VERIFIED = 0x04, WITH_CREDENTIAL = 0x40;
  const data = Buffer.concat([
    createHash('sha256').update(rp?.id ?? new URL(origin).hostname).digest(),
    Buffer.from([USER_PRESENT | USER_VERIFIED | WITH_CREDENTIAL, 0, 0, 0, 0]),
    Buffer.alloc(16),
    Buffer.from([id.length >> 8, id.length & 0xff]), id, key,
  ]);
  const client = { type: 'webauthn.create', challenge: challenge.replace(/=+$/, ''), origin, crossOrigin: false };
  return {
    id,
    clientData: Buffer.from(JSON.stringify(client)),
    attestation: cbor(new Map([['fmt', 'none'], ['attStmt', new Map()], ['authData', data]])),
  };
}

function cbor(value) {
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value]);
  return Buffer.concat([head(5, value.size), ...[...value].flat().map(cbor)]);
}

function head(kind, length) {
  if (length < 24) return Buffer.from([(kind << 5) | length]);
  if (length < 256) return Buffer.from([(kind << 5) | 24, length]);
  return Buffer.from([(kind << 5) | 25, length >> 8, length & 0xff]);
}
