// npm @boxyhq/saml-jackson, set up to do what Genkan does in a SAML login.
//
//   node server.mjs PORT FOLDER
//
// Reads the provider's metadata from FOLDER/metadata.xml, and writes to FOLDER/target.json what the load generator must
// know. Alike: a signed request by redirect, PKCE, ID tokens of the same algorithm and key size. Not alike: it keeps
// everything in the memory engine that its authors ship, its access tokens are opaque, there are no refresh tokens, no
// users and no events. Its controllers are called by node:http, without a framework.
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import jackson from '@boxyhq/saml-jackson';

const [port, folder] = process.argv.slice(2);
const base = `http://127.0.0.1:${port}`;
const redirectUri = 'https://app.example.com/callback';
const scope = 'openid profile email offline_access';
const quiet = { info() {}, warn() {}, error: console.error };

// By algorithm, since an instance of it has one.
const keysFile = `${folder}/keys.json`;
if (!existsSync(keysFile)) {
  const pair = (type, options) => {
    const { publicKey, privateKey } = generateKeyPairSync(type, options);
    const text = (key, encoding) => Buffer.from(key.export({ type: encoding, format: 'pem' })).toString('base64');
    return { private: text(privateKey, 'pkcs8'), public: text(publicKey, 'spki') };
  };
  const keys = { ES256: pair('ec', { namedCurve: 'P-256' }), RS256: pair('rsa', { modulusLength: 2048 }) };
  writeFileSync(keysFile, JSON.stringify(keys), { mode: 0o600 });
}
const rawMetadata = readFileSync(`${folder}/metadata.xml`, 'utf8');
const instances = {};
const clients = {};
for (const [algorithm, jwtSigningKeys] of Object.entries(JSON.parse(readFileSync(keysFile)))) {
  const instance = await (jackson.default ?? jackson)({
    externalUrl: base,
    samlPath: `/${algorithm}/saml`,
    samlAudience: base,
    db: { engine: 'mem', ttl: 300, cleanupLimit: 1000 },
    openid: { jwsAlg: algorithm, jwtSigningKeys },
    noAnalytics: true,
    logger: quiet,
  });
  const connection = await instance.connectionAPIController.createSAMLConnection({
    rawMetadata,
    tenant: 'bench',
    product: algorithm,
    redirectUrl: [redirectUri],
    defaultRedirectUrl: redirectUri,
  });
  instances[algorithm] = instance;
  clients[algorithm] = { id: connection.clientID, secret: connection.clientSecret };
}
const of = (clientId) => instances[Object.keys(clients).find((algorithm) => clients[algorithm].id === clientId)];

// The load generator reads the endpoints from it.
const configuration = {
  issuer: base,
  authorization_endpoint: `${base}/authorize`,
  token_endpoint: `${base}/token`,
  jwks_uri: `${base}/jwks`,
};

async function form(request) {
  let body = '';
  for await (const piece of request) body += piece;
  return Object.fromEntries(new URLSearchParams(body));
}

async function answer(request) {
  const url = new URL(request.url, base);
  if (request.method === 'GET' && url.pathname === '/authorize') {
    const query = Object.fromEntries(url.searchParams);
    return { location: (await of(query.client_id).oauthController.authorize(query)).redirect_url };
  }
  const [, algorithm, rest] = url.pathname.split('/');
  if (request.method === 'POST' && rest === 'saml') {
    return { location: (await instances[algorithm].oauthController.samlResponse(await form(request))).redirect_url };
  }
  if (request.method === 'POST' && url.pathname === '/token') {
    const fields = await form(request);
    return { json: await of(fields.client_id).oauthController.token(fields) };
  }
  if (url.pathname === '/.well-known/openid-configuration') return { json: configuration };
  // Both instances have the same certificate, since it is kept for the process.
  if (url.pathname === '/metadata') {
    const { spConfig } = instances.ES256;
    return { text: await spConfig.toXMLMetadata(true) };
  }
  return {};
}

const server = createServer(async (request, response) => {
  try {
    const { location, json, text } = await answer(request);
    if (location) response.writeHead(303, { location, 'content-length': 0 }).end();
    else {
      const body = text ?? JSON.stringify(json ?? { error: 'not_found' });
      const headers = { 'content-type': text ? 'application/xml' : 'application/json', 'content-length': Buffer.byteLength(body) };
      response.writeHead(text || json ? 200 : 404, headers).end(body);
    }
  } catch (error) {
    console.error(error);
    const body = JSON.stringify({ error: String(error) });
    response.writeHead(500, { 'content-length': Buffer.byteLength(body) }).end(body);
  }
});
// The load generator opens all its connections before the first one works.
server.keepAliveTimeout = 60_000;
server.listen(Number(port), '127.0.0.1', () => {
  writeFileSync(
    `${folder}/target.json`,
    JSON.stringify({ base, redirect_uri: redirectUri, scope, clients, sessions: [] }),
  );
});
