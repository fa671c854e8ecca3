// A sign-in plugin in JavaScript, as one module: for the tests, written from the RPC contract.
// It signs people in at any OpenID provider, and gives the answers that the Scalekit plugin gives.
const NAME = '@open-neko/plugin-scalekit';
const VERSION = '0.2.1';
const TIMEOUT_MS = 20_000;
const KEYS = ['SCALEKIT_ENVIRONMENT_URL', 'SCALEKIT_CLIENT_ID', 'SCALEKIT_CLIENT_SECRET'];

// Whatever runs this must be able to wait before anything is exported or answered.
await new Promise((resolve) => setTimeout(resolve, 1));

function settings() {
  const missing = KEYS.filter((key) => !process.env[key]);
  if (missing.length > 0) {
    throw new Error(`${missing.join(', ')} not set (run \`openneko secrets set ${NAME} ${missing[0]}\`)`);
  }
  const [url, id, secret] = KEYS.map((key) => process.env[key]);
  const trimmed = url.trim().replace(/\/+$/, '');
  if (trimmed === '') throw new Error('SCALEKIT_ENVIRONMENT_URL is empty');
  if (!/^https:\/\//i.test(trimmed)) throw new Error(`SCALEKIT_ENVIRONMENT_URL must be an https URL (got ${trimmed})`);
  return { at: (path) => new URL(path, trimmed), id, secret };
}

async function ask(step, url, request) {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), TIMEOUT_MS);
  let status, text;
  try {
    const response = await fetch(url, { ...request, redirect: 'manual', signal: controller.signal });
    status = response.status;
    text = await response.text();
  } catch (error) {
    if (error.name === 'AbortError') throw new Error(`Scalekit ${step} timed out after ${TIMEOUT_MS}ms`);
    throw new Error(`Scalekit ${step} network error: ${error.message}`);
  } finally {
    clearTimeout(timer);
  }
  if ([301, 302, 303, 307, 308].includes(status)) {
    throw new Error(`Scalekit ${step} returned HTTP ${status} (a redirect, which is not followed)`);
  }
  let body = null;
  try {
    if (text !== '') body = JSON.parse(text);
  } catch {
    throw new Error(`Scalekit ${step} returned non-JSON (HTTP ${status}): ${text.slice(0, 200)}`);
  }
  if (status < 200 || status > 299) {
    const about = body?.error_description ? `: ${body.error_description}` : '';
    throw new Error(`Scalekit ${step} returned HTTP ${status} (${body?.error ?? 'no error code'}${about})`);
  }
  return body ?? {};
}

function beginAuth({ redirectUri, state, loginHint, codeChallenge, codeChallengeMethod, nonce }) {
  const { at, id } = settings();
  const url = at('/oauth/authorize');
  const wanted = {
    response_type: 'code', client_id: id, redirect_uri: redirectUri, state, scope: 'openid profile email', login_hint: loginHint,
    code_challenge: codeChallenge, code_challenge_method: codeChallenge && (codeChallengeMethod ?? 'S256'), nonce,
  };
  for (const [name, value] of Object.entries(wanted)) if (value) url.searchParams.set(name, value);
  return { authorizationUrl: url.href };
}

async function completeAuth({ code, redirectUri, codeVerifier, nonce, iss }) {
  const { at, id, secret } = settings();
  if (iss && iss.replace(/\/+$/, '') !== at('/').origin) {
    throw new Error('the browser came back from another issuer than SCALEKIT_ENVIRONMENT_URL');
  }
  const form = new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: redirectUri });
  if (codeVerifier) form.set('code_verifier', codeVerifier);
  const tokens = await ask('token exchange', at('/oauth/token'), {
    method: 'POST',
    headers: {
      Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
      'Content-Type': 'application/x-www-form-urlencoded',
      Accept: 'application/json',
    },
    body: form.toString(),
  });
  if (!tokens.access_token) throw new Error('Scalekit token exchange returned no access_token');
  const claims = await ask('userinfo', at('/userinfo'), {
    headers: { Authorization: `Bearer ${tokens.access_token}`, Accept: 'application/json' },
  });
  if (!claims.sub) throw new Error('Scalekit userinfo returned no sub');
  if (!claims.email) throw new Error("Scalekit userinfo returned no email — check the IdP's released scopes");
  const result = { identity: identityOf(claims) };
  if (nonce) {
    if (typeof claims.email_verified === 'boolean') result.identity.emailVerified = claims.email_verified;
    if (!tokens.id_token) throw new Error('Scalekit token exchange returned no id_token');
    const keys = await ask('keys', at('/keys'), { headers: { Accept: 'application/json' } });
    result.idToken = { token: tokens.id_token, issuer: at('/').origin, audience: id, keys };
  }
  return result;
}

function identityOf(claims) {
  const name = claims.name ?? [claims.given_name, claims.family_name].filter(Boolean).join(' ').trim();
  const groups = [...(claims.groups ?? []), ...(claims.roles ?? [])].filter((group) => typeof group === 'string' && group !== '');
  return {
    sub: claims.sub,
    email: claims.email,
    name: name || null,
    orgId: claims.organization_id ?? claims.oid ?? null,
    groups: [...new Set(groups)],
  };
}

function issues(list) {
  return new Error(JSON.stringify(list, null, 2));
}

// The two shapes that callers get wrong, in the words of the schema.
function params(text, needed) {
  const parsed = JSON.parse(text);
  const given = parsed.params;
  if (given === undefined) {
    throw issues([{ expected: 'object', code: 'invalid_type', path: ['params'], message: 'Invalid input: expected object, received undefined' }]);
  }
  const empty = needed.filter((key) => given[key] === '');
  if (empty.length > 0) {
    throw issues(empty.map((key) => ({
      origin: 'string', code: 'too_small', minimum: 1, inclusive: true, path: ['params', key],
      message: 'Too small: expected string to have >=1 characters',
    })));
  }
  return given;
}

async function answer(method, text) {
  switch (method) {
    case 'register':
      return { protocol: 1, pluginName: NAME, pluginVersion: VERSION, capabilities: { auth: { providerLabel: 'Scalekit' } } };
    case 'begin_auth':
      return { result: beginAuth(params(text, ['redirectUri', 'state'])) };
    case 'complete_auth':
      return { result: await completeAuth(params(text, ['code', 'redirectUri', 'state'])) };
    case 'begin_connect':
      throw new Error('plugin does not implement a connect capability');
    default:
      throw Object.assign(new Error(`unknown RPC method: ${method}`), { code: 'UNKNOWN_METHOD' });
  }
}

function leave(code, response) {
  process.stdout.write(JSON.stringify(response));
  process.exit(code);
}

const [, , method, text = '{}'] = process.argv;
if (!method) leave(2, { ok: false, error: { code: 'MISSING_METHOD', message: 'method name argv[2] required' } });
try {
  leave(0, { ok: true, result: await answer(method, text) });
} catch (error) {
  leave(1, { ok: false, error: { code: error.code ?? 'PLUGIN_ERROR', message: error.message } });
}
