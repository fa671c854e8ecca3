// npm `samlp` as a company's identity provider: the middleware that Auth0 published, on Node's own server.
import { once } from 'node:events';
import http from 'node:http';
import samlp from 'samlp';
import { freePort } from '../../support/genkan.mjs';
import { keyPair } from './keys.mjs';

const METADATA = '/FederationMetadata/2007-06/FederationMetadata.xml';

export class Samlp {
  #server;

  /** `person`: as Passport describes a user. `options`: more of the middleware's, changed while it runs. */
  static async start({ folder, person }) {
    const provider = new Samlp();
    const { key, certificate } = await keyPair(folder, 'samlp');
    Object.assign(provider, { certificate, options: {}, failures: [], url: `http://127.0.0.1:${await freePort()}` });
    provider.entityId = `${provider.url}/saml`;
    const fixed = { issuer: provider.entityId, key, cert: certificate, getUserFromRequest: () => person };
    provider.#server = http.createServer((request, response) => provider.#answer(fixed, request, response));
    provider.#server.listen(Number(new URL(provider.url).port), '127.0.0.1');
    await once(provider.#server, 'listening');
    return provider;
  }

  get metadataUrl() {
    return `${this.url}/saml${METADATA}`;
  }

  /** Where a person goes who starts at the provider. */
  get initiateUrl() {
    return `${this.url}/saml`;
  }

  async stop() {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  // What Express would give to the middleware, as far as it asks.
  async #answer(fixed, request, response) {
    const url = new URL(request.url, this.url);
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    request.query = Object.fromEntries(url.searchParams);
    request.body = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()));
    request.originalUrl = request.url;
    request.protocol = 'http';
    response.set = (name, value) => response.setHeader(name, value);
    response.send = (answer) => (typeof answer === 'number' ? response.writeHead(answer).end() : response.end(answer));
    const handler = url.pathname.endsWith(METADATA)
      ? samlp.metadata({ ...fixed, redirectEndpointPath: '/saml', postEndpointPath: '/saml' })
      : samlp.auth({ ...fixed, ...this.options });
    handler(request, response, (error) => {
      this.failures.push(error);
      response.writeHead(400, { 'content-type': 'text/plain' }).end(String(error?.message ?? error));
    });
  }
}
