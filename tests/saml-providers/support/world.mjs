// A company that signs its people in with one of these providers: the gateway, an organization with a connection,
// and the provider, which each know the other by metadata.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Application } from '../../support/application.mjs';
import { Genkan } from '../../support/genkan.mjs';
import { goOn } from '../../support/person.mjs';
import { UserAgent } from '../../support/user-agent.mjs';
import { providers } from './providers.mjs';

export class World {
  #folder;

  /** `options`: more of `genkan connection create`. */
  static async start(name, { domain, options = [] }) {
    const world = new World();
    world.domain = domain;
    world.#folder = await mkdtemp(path.join(tmpdir(), 'genkan-saml-'));
    const { start, credentials } = providers[name];
    world.credentials = credentials;
    try {
      [world.genkan, world.provider] = await Promise.all([Genkan.dev(), start({ folder: path.join(world.#folder, 'provider') })]);
      world.application = await Application.register(world.genkan);
      world.organization = await world.genkan.cli('org', 'create', '--name', 'Acme');
      await world.genkan.cli('domain', 'create', domain, '--organization', world.organization.id);
      world.connection = await world.genkan.cli(
        'connection', 'create', '--saml', '--organization', world.organization.id, '--saml-metadata-url', world.provider.metadataUrl, '--insecure-http', ...options,
      );
      await world.trust();
    } catch (error) {
      await world.stop();
      throw error;
    }
    return world;
  }

  /** Gives our metadata to the provider, as its administrator would. */
  async trust() {
    const answer = await fetch(this.serviceProvider.metadata_url);
    this.metadata = await answer.text();
    if (!answer.ok) throw new Error(`${answer.url}: ${answer.status} ${this.metadata}`);
    await this.provider.trust?.(this.metadata);
  }

  /** Our names and addresses, for the provider. */
  get serviceProvider() {
    return this.connection.service_provider;
  }

  configure(...options) {
    return this.genkan.cli('connection', 'update', this.connection.id, ...options);
  }

  arrive({ query, ...more } = {}) {
    return this.application.arrive({ connection_id: this.connection.id, ...query }, { credentials: this.credentials, ...more });
  }

  signIn(more) {
    return this.application.signIn({ connection_id: this.connection.id }, { credentials: this.credentials, ...more });
  }

  initiated(url) {
    return this.application.initiated(url, { credentials: this.credentials });
  }

  /** Where a browser ends that starts at the provider, although the application is not told. */
  async initiatedPage(url) {
    const browser = new UserAgent();
    const until = this.application.initiateLoginUri;
    return goOn(browser, await browser.open(url, { until }), { credentials: this.credentials, until });
  }

  /** The trace of a sign-in that fails. */
  async traceOfFailure(page) {
    const { username, password } = this.credentials;
    return this.application.traceOf(page ?? (await this.arrive()), { secrets: password === username ? [] : [password] });
  }

  async stop() {
    await this.genkan?.stop();
    await this.provider?.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
