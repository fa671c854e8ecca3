// An attacker: an identity provider that says at once what she likes, a page of
// links to it, and an honest application on a site of its own.
import { createHash, createSign, generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';

const EMAIL = 'mallory@evil.test';

/** Listens on a free port; `answer(request, url, body)` gives `{status, headers, body}`. */
async function serve(answer) {
  const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { status = 200, headers = {}, body: text = '' } = await answer(request, new URL(request.url, 'http://x'), body);
    response.writeHead(status, headers).end(text);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: server.address().port, stop: () => (server.closeAllConnections(), server.close()) };
}

const html = (body, more = {}) => ({ headers: { 'content-type': 'text/html', ...more }, body: `<!doctype html><title>page</title>${body}` });
const json = (value) => ({ headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) });
const base64url = (value) => Buffer.from(value).toString('base64url');

/** An OpenID Provider without any page: whoever comes is Mallory. */
export async function evilProvider(clientId) {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const codes = new Map();
  const server = await serve((_request, url, body) => {
    const issuer = `http://127.0.0.1:${server.port}`;
    switch (url.pathname) {
      case '/.well-known/openid-configuration':
        return json({
          issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/keys`,
          response_types_supported: ['code'], subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['RS256'],
        });
      case '/keys':
        return json({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'm1', alg: 'RS256', use: 'sig' }] });
      case '/authorize': {
        const code = randomBytes(16).toString('hex');
        codes.set(code, url.searchParams.get('nonce'));
        const back = new URL(url.searchParams.get('redirect_uri'));
        back.searchParams.set('code', code);
        back.searchParams.set('state', url.searchParams.get('state'));
        return { status: 303, headers: { location: back.href } };
      }
      case '/token': {
        const now = Math.floor(Date.now() / 1000);
        const nonce = codes.get(new URLSearchParams(body).get('code'));
        const claims = {
          iss: issuer, aud: clientId, sub: 'mallory', email: EMAIL, email_verified: true, name: 'Mallory Malice',
          nonce, iat: now, exp: now + 300, auth_time: now,
        };
        const signed = `${base64url(JSON.stringify({ alg: 'RS256', kid: 'm1' }))}.${base64url(JSON.stringify(claims))}`;
        const signature = createSign('RSA-SHA256').update(signed).sign(privateKey, 'base64url');
        return json({ access_token: 'x', token_type: 'Bearer', expires_in: 300, id_token: `${signed}.${signature}` });
      }
      default:
        return { status: 404 };
    }
  });
  return { issuer: `http://127.0.0.1:${server.port}`, stop: server.stop };
}

/** A web server whose pages a test writes: `pages[path]` is HTML, or `{location}`. */
export async function site(host) {
  const pages = {};
  const server = await serve((_request, url) => {
    const page = pages[url.pathname];
    if (page === undefined) return html(`<h1>${host}</h1><p id="query">${url.search.replaceAll(/[<>&]/g, ' ')}</p>`);
    if (page.location) return { status: 302, headers: { location: page.location } };
    return html(page.body ?? page, page.headers);
  });
  return { origin: `http://${host}:${server.port}`, pages, stop: server.stop };
}

/** An authorization request, as an application makes it. */
export function authorize(issuer, { clientId, redirectUri, ...more }) {
  const verifier = randomBytes(32).toString('base64url');
  const parameters = {
    response_type: 'code', client_id: clientId, redirect_uri: redirectUri, scope: 'openid email', state: randomBytes(8).toString('hex'),
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256', ...more,
  };
  return `${issuer}/oauth/authorize?${new URLSearchParams(parameters)}`;
}

/** A page that sends the form by itself. */
export function autoSubmit(action, parameters) {
  const fields = [...parameters].map(([name, value]) => `<input type="hidden" name="${name}" value="${value.replaceAll('"', '&quot;')}">`);
  return `<form method="post" action="${action}">${fields.join('')}</form><script>document.forms[0].submit()</script>`;
}
