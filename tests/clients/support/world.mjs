// Everything a client test needs: a gateway on one of the engines, an application,
// an organization whose people can sign in.
import { Genkan } from '../../support/genkan.mjs';
import { signIn } from '../../support/sign-in.mjs';
import { UserAgent } from '../../support/user-agent.mjs';
import { Company } from './company.mjs';

export class World {
  #company;

  /**
   * On SQLite: `genkan dev` and its simulator. On PostgreSQL: `genkan serve` and npm
   * oidc-provider. `env` and `tls` as in Genkan.
   */
  static async start(engine, { env, tls } = {}) {
    const world = new World();
    world.genkan = await startGenkan(engine, { env, tls });
    try {
      await (engine === 'SQLite' ? world.#development() : world.#production());
    } catch (error) {
      await world.stop();
      throw error;
    }
    return world;
  }

  get issuer() {
    return this.genkan.url;
  }

  get redirectUri() {
    return addresses(this.genkan).redirectUri;
  }

  get postLogoutUri() {
    return addresses(this.genkan).postLogoutUri;
  }

  /** A browser that nobody has used. */
  browser() {
    return new UserAgent();
  }

  /** Signs in from the authorization URL on; returns the address of the callback. */
  async signIn(browser, authorizationUrl, { email = this.email, until = this.redirectUri } = {}) {
    return signIn(browser, authorizationUrl, { email, until });
  }

  async stop() {
    await this.genkan.stop();
    await this.#company?.stop();
  }

  async #development() {
    const { env } = this.genkan;
    this.clientId = env.SCALEKIT_CLIENT_ID;
    this.clientSecret = env.SCALEKIT_CLIENT_SECRET;
    this.organizationId = env.GENKAN_TEST_ORGANIZATION_ID;
    this.connectionId = env.GENKAN_TEST_CONNECTION_ID;
    this.email = 'ada.lovelace@example.com';
  }

  async #production() {
    this.#company = await Company.start();
    this.email = 'ada.lovelace@acme.test';
    const application = await createApplication(this.genkan, { name: 'Portal', more: ['--management-access'] });
    this.clientId = application.id;
    this.clientSecret = application.secret;
    ({ organizationId: this.organizationId, connectionId: this.connectionId } = await joinCompany(this.genkan, this.#company, {
      domain: 'acme.test',
    }));
  }
}

/** The gateway on an engine: SQLite as developers run it, PostgreSQL as operators do. */
export function startGenkan(engine, { env, tls } = {}) {
  return engine === 'SQLite' ? Genkan.dev({ env }) : Genkan.serve({ env, tls });
}

/** Where the tests' applications live. No browser of the tests goes there. */
export function addresses(genkan) {
  // Production refuses redirects to this machine.
  const origin = genkan.env ? 'http://localhost:4321' : 'https://app.portal.test';
  return { redirectUri: `${origin}/api/auth/callback`, postLogoutUri: origin };
}

/** `genkan app create`, by default a confidential web application. */
export async function createApplication(genkan, { name, kind = 'web', more = [] }) {
  const { redirectUri, postLogoutUri } = addresses(genkan);
  return genkan.cli('app', 'create', '--name', name, '--type', kind, '--redirect-uri', redirectUri, '--post-logout-redirect-uri', postLogoutUri, ...more);
}

/** An organization with a domain, whose people sign in at `company`. */
export async function joinCompany(genkan, company, { domain, authMethod = 'client_secret_basic', client = {}, more = [] }) {
  const organization = await genkan.cli('org', 'create', '--name', `People of ${domain}`);
  await genkan.cli('domain', 'create', domain, '--organization', organization.id);
  const credentials = { id: `genkan-${domain}`, secret: 'company secret: 100 % & more' };
  const connection = await genkan.cli(
    'connection', 'create', '--oidc', '--organization', organization.id, '--issuer', company.issuer, '--insecure-http',
    '--client-id', credentials.id, '--client-secret', credentials.secret, '--token-auth', authMethod, ...more,
  );
  company.register({
    client_id: credentials.id,
    client_secret: credentials.secret,
    redirect_uris: [connection.redirect_uri],
    token_endpoint_auth_method: authMethod,
    ...client,
  });
  return { organizationId: organization.id, connectionId: connection.id, clientId: credentials.id, callback: connection.redirect_uri };
}
