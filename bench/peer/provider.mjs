// npm oidc-provider, set up to do what Genkan does in the same scenario.
//
//   node provider.mjs PORT FOLDER
//
// Writes to FOLDER/target.json what the load generator must know; keeps its
// signing keys in FOLDER/keys.json, for making them is no part of a start. Alike: scopes, claims, algorithms and key sizes, JWT access
// tokens, rotated refresh tokens, client_secret_post, PKCE. Not alike: it keeps
// everything in the memory adapter that its authors ship, so nothing survives a
// restart, and it records no events.
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import Provider from 'oidc-provider';

const [port, folder] = process.argv.slice(2);
const base = `http://127.0.0.1:${port}`;
const redirectUri = 'https://app.example.com/callback';
const resource = 'https://api.example.com';
const scope = 'openid profile email offline_access';

const jwk = (type, options, alg) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }),
  alg,
  use: 'sig',
  kid: alg.toLowerCase(),
});
const keysFile = `${folder}/keys.json`;
if (!existsSync(keysFile)) {
  const keys = [jwk('ec', { namedCurve: 'P-256' }, 'ES256'), jwk('rsa', { modulusLength: 2048 }, 'RS256')];
  writeFileSync(keysFile, JSON.stringify({ keys }), { mode: 0o600 });
}

const algorithms = ['ES256', 'RS256'];
const clients = algorithms.map((alg) => ({
  client_id: `bench-${alg.toLowerCase()}`,
  client_secret: `${alg}-secret-of-the-bench-0123456789abcdef`,
  grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
  response_types: ['code'],
  redirect_uris: [redirectUri],
  scope,
  token_endpoint_auth_method: 'client_secret_post',
  id_token_signed_response_alg: alg,
}));

const provider = new Provider(base, {
  clients,
  jwks: JSON.parse(readFileSync(keysFile)),
  cookies: { keys: ['a key that signs the cookies of the bench'] },
  scopes: scope.split(' '),
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name', 'given_name', 'family_name', 'updated_at'],
  },
  // Genkan's ID tokens carry the profile too.
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  ttl: { AccessToken: 300, ClientCredentials: 86_400, IdToken: 1800, Session: 2_592_000, Grant: 2_592_000, RefreshToken: 2_592_000 },
  rotateRefreshToken: true,
  // By itself it wants a prompt for consent at each login before it gives one.
  issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    // A resource server is how its access tokens become JWTs.
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: (_ctx, _resource, client) => ({
        scope: '',
        audience: client.clientId,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: client.idTokenSignedResponseAlg } },
      }),
    },
  },
  findAccount: (_ctx, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      email: `${id}@example.com`,
      email_verified: true,
      name: 'Ada Lovelace',
      given_name: 'Ada',
      family_name: 'Lovelace',
      updated_at: 1_700_000_000,
    }),
  }),
  // The grant of a first-party application is given, not asked for, as in Genkan.
  loadExistingGrant: async (ctx) => {
    const { client, session } = ctx.oidc;
    const known = ctx.oidc.result?.consent?.grantId ?? session.grantIdFor(client.clientId);
    if (known) return ctx.oidc.provider.Grant.find(known);
    const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope(scope);
    grant.addResourceScope(resource, scope);
    await grant.save();
    return grant;
  },
});

// Signs in whoever comes, so that the load generator gets its sessions.
let people = 0;
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  const login = { accountId: `person-${++people}` };
  return provider.interactionFinished(ctx.req, ctx.res, { login }, { mergeWithLastSubmission: false });
});
provider.on('server_error', (_ctx, error) => console.error(error));

writeFileSync(
  `${folder}/target.json`,
  JSON.stringify({
    base,
    redirect_uri: redirectUri,
    scope,
    clients: Object.fromEntries(clients.map((client, i) => [algorithms[i], { id: client.client_id, secret: client.client_secret }])),
    sessions: [],
  }),
);
provider.listen(Number(port), '127.0.0.1');
