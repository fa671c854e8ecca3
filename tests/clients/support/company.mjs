// A company's identity provider for tests: npm oidc-provider, a certified OpenID
// Provider, with a one-field login page. Signs in whoever gives an e-mail address.
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { exportJWK, generateKeyPair } from 'jose';
import { Provider } from 'oidc-provider';

export class Company {
  #server;
  #clients = new Map();
  #records = new Map();

  /**
   * Starts it on a free port of `host`; with `tls: {cert, key}` by https.
   *
   * `options`: more configuration of oidc-provider; `claims(email)`: what the
   * company knows of a person, beside `sub`.
   */
  static async start({ host = '127.0.0.1', tls, claims = personOf, ...options } = {}) {
    const company = new Company();
    company.claims = claims;
    company.options = options;
    /** How each token request authenticated itself: `{method, code_verifier}`. */
    company.tokenRequests = [];
    /** Parameters of each authorization request. */
    company.authorizationRequests = [];
    const handle = (request, response) => company.callback(request, response);
    company.#server = tls ? https.createServer(tls, handle) : http.createServer(handle);
    company.#server.listen(0, host);
    await once(company.#server, 'listening');
    company.issuer = `${tls ? 'https' : 'http'}://${host}:${company.#server.address().port}`;
    await company.rotateKeys();
    return company;
  }

  /** Registers a client; may be repeated to change it. */
  register(client) {
    this.#clients.set(client.client_id, client);
  }

  /**
   * From now on signs with keys that nobody has seen, and publishes only them.
   * Sessions, codes and clients stay.
   */
  async rotateKeys() {
    const keys = await Promise.all(['RS256', 'ES256', 'PS256', 'EdDSA'].map(async (alg) => {
      const { privateKey } = await generateKeyPair(alg, { extractable: true });
      return { ...(await exportJWK(privateKey)), alg, use: 'sig', kid: `${alg}-${crypto.randomUUID()}` };
    }));
    this.callback = this.#provider({ keys }).callback();
  }

  async stop() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #provider(jwks) {
    const provider = new Provider(this.issuer, {
      adapter: (model) => new Records(model, this.#records, this.#clients),
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'given_name', 'family_name'], groups: ['groups'] },
      scopes: ['openid', 'email', 'profile', 'offline_access', 'groups'],
      clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'none'],
      enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'PS256', 'EdDSA'] },
      cookies: { keys: ['not a secret: this is a test'] },
      features: { devInteractions: { enabled: false } },
      interactions: { url: (_, interaction) => `/login/${interaction.uid}` },
      jwks,
      pkce: { required: () => true },
      ttl: Object.fromEntries(['AccessToken', 'AuthorizationCode', 'Grant', 'IdToken', 'Interaction', 'RefreshToken', 'Session'].map((model) => [model, 3600])),
      findAccount: (_, email) => ({ accountId: email, claims: () => ({ sub: email, ...this.claims(email) }) }),
      loadExistingGrant: async ({ oidc }) => {
        const grant = new provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
        grant.addOIDCScope([...oidc.requestParamOIDCScopes].join(' ') || 'openid');
        await grant.save();
        return grant;
      },
      ...this.options,
    });
    provider.on('server_error', (_, error) => console.error('company:', error));
    provider.use((context, next) => this.#pages(provider, context, next));
    return provider;
  }

  async #pages(provider, context, next) {
    const { method, path } = context;
    if (path === '/auth' && method === 'GET') this.authorizationRequests.push({ ...context.query });
    if (path.startsWith('/login/')) return this.#login(provider, context);
    await next();
    if (path === '/token') this.#noteTokenRequest(context);
  }

  async #login(provider, context) {
    const interaction = await provider.interactionDetails(context.req, context.res);
    if (context.method === 'GET') {
      const hint = String(interaction.params.login_hint ?? '').replaceAll(/[&<>"]/g, '');
      context.type = 'html';
      context.body = `<!doctype html><title>Company</title><h1>Company sign-in</h1>
        <form method="post"><input name="login" type="email" value="${hint}"><button name="do" value="login">Sign in</button>
        <button name="do" value="abort">Cancel</button></form>`;
      return;
    }
    const chunks = [];
    for await (const chunk of context.req) chunks.push(chunk);
    const form = new URLSearchParams(Buffer.concat(chunks).toString());
    const result = form.get('do') === 'abort'
      ? { error: 'access_denied', error_description: 'the person pressed cancel' }
      : { login: { accountId: form.get('login') } };
    context.redirect(await provider.interactionResult(context.req, context.res, result));
    context.status = 303;
  }

  #noteTokenRequest(context) {
    const { client, params, body } = context.oidc ?? {};
    const authorization = context.get('authorization');
    const method = authorization.startsWith('Basic ') ? 'client_secret_basic' : body?.client_secret ? 'client_secret_post' : 'none';
    this.tokenRequests.push({ client: client?.clientId, method, code_verifier: params?.code_verifier, status: context.status });
  }
}

/** Ada Lovelace for ada.lovelace@…, Ada for ada@… . */
function personOf(email) {
  const [given, family] = email.split('@')[0].split('.').map((word) => word[0].toUpperCase() + word.slice(1));
  return { email, email_verified: true, name: [given, family].filter(Boolean).join(' '), given_name: given, family_name: family, groups: ['engineering'] };
}

/** The least that oidc-provider asks of a store; it outlives a change of keys. */
class Records {
  constructor(model, records, clients) {
    Object.assign(this, { model, records, clients });
  }

  #key(id) {
    return `${this.model}:${id}`;
  }

  async upsert(id, payload, expiresIn) {
    this.records.set(this.#key(id), payload);
    if (payload.uid) this.records.set(`${this.model}/uid:${payload.uid}`, id);
    if (expiresIn) setTimeout(() => this.records.delete(this.#key(id)), Math.min(expiresIn, 3600) * 1000).unref();
  }

  async find(id) {
    return this.model === 'Client' ? this.clients.get(id) : this.records.get(this.#key(id));
  }

  async findByUid(uid) {
    return this.find(this.records.get(`${this.model}/uid:${uid}`));
  }

  async findByUserCode() {}

  async consume(id) {
    const payload = this.records.get(this.#key(id));
    if (payload) payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    this.records.delete(this.#key(id));
  }

  async revokeByGrantId(grantId) {
    for (const [key, payload] of this.records) if (payload?.grantId === grantId) this.records.delete(key);
  }
}
