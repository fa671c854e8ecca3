// The identity provider behind a sign-in that is measured: discovery, keys and the token endpoint.
//
//   node upstream.mjs PORT
//
// A code says itself who signs in: `SUBJECT~NONCE`. So no browser has to come here first, and the load
// generator makes the codes. Nothing is checked, and no other program may rely on it.
import { createServer } from 'node:http';
import { generateKeyPairSync, sign } from 'node:crypto';

const [port] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'bench', alg: 'ES256', use: 'sig' }] };
const configuration = {
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${issuer}/jwks`,
  response_types_supported: ['code'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: ['ES256'],
  token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
  code_challenge_methods_supported: ['S256'],
};

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const head = part({ alg: 'ES256', kid: 'bench', typ: 'JWT' });

function token(form) {
  const [sub, nonce] = form.get('code').split('~');
  const now = Math.floor(Date.now() / 1000);
  const claims = part({
    iss: issuer,
    aud: 'bench',
    sub,
    nonce,
    iat: now,
    exp: now + 300,
    email: `${sub}@bench.example.com`,
    email_verified: true,
    name: `Person ${sub}`,
    given_name: 'Person',
    family_name: sub,
  });
  const signature = sign('sha256', Buffer.from(`${head}.${claims}`), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const idToken = `${head}.${claims}.${signature.toString('base64url')}`;
  return { access_token: 'none', token_type: 'Bearer', expires_in: 300, id_token: idToken };
}

const server = createServer(async (request, response) => {
  let body = '';
  for await (const piece of request) body += piece;
  const answers = {
    '/.well-known/openid-configuration': () => configuration,
    '/jwks': () => jwks,
    '/token': () => token(new URLSearchParams(body)),
  };
  const answer = answers[request.url];
  const text = JSON.stringify(answer ? answer() : { error: 'not_found' });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
  response.writeHead(answer ? 200 : 404, headers).end(text);
});
server.keepAliveTimeout = 60_000;
server.listen(Number(port), '127.0.0.1');
