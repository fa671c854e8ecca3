// SimpleSAMLphp as Debian packages it, as a company's identity provider, on PHP's built-in server.
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { freePort } from '../../support/genkan.mjs';
import { keyPair } from './keys.mjs';
import { Server } from './server.mjs';

const HOME = '/usr/share/simplesamlphp';
const MAPS = '/etc/simplesamlphp/attributemap/';
// With a cache of compiled files, a changed configuration would count seconds later.
const FRESH = ['-d', 'opcache.enable=0'];
const PERSISTENT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent';

export class SimpleSamlPhp {
  #server;
  #folder;

  /** `person`: {username, password, attributes}. It knows no service provider yet: see `trust`. */
  static async start({ folder, person }) {
    const provider = new SimpleSamlPhp();
    provider.#folder = folder;
    const at = (...names) => path.join(folder, ...names);
    for (const name of ['config', 'metadata', 'cert', 'log', 'data', 'tmp', 'sessions']) await mkdir(at(name), { recursive: true });
    provider.certificate = (await keyPair(at('cert'), 'idp')).certificate;
    const port = await freePort();
    provider.url = `http://127.0.0.1:${port}`;
    provider.entityId = `${provider.url}/saml2/idp/metadata.php`;
    await writeFile(at('config', 'config.php'), php({
      baseurlpath: `${provider.url}/`,
      certdir: `${at('cert')}/`, loggingdir: `${at('log')}/`, datadir: `${at('data')}/`, tempdir: at('tmp'), metadatadir: at('metadata'),
      attributenamemapdir: MAPS,
      secretsalt: 'this is a test and no secret', 'auth.adminpassword': 'this is a test and no secret',
      'logging.handler': 'file', 'logging.level': 7, debug: { saml: false, backtraces: true, validatexml: false },
      'enable.saml20-idp': true, 'module.enable': { exampleauth: true },
      'session.cookie.secure': false, 'store.type': 'phpsession', 'session.phpsession.savepath': at('sessions'),
      'metadata.sources': [{ type: 'flatfile', directory: at('metadata') }, { type: 'xml', file: at('metadata', 'sp.xml') }],
    }));
    await writeFile(at('config', 'authsources.php'), php({
      people: { 0: 'exampleauth:UserPass', [`${person.username}:${person.password}`]: person.attributes },
    }));
    await provider.configure();
    await provider.trust('<?xml version="1.0"?><md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"/>');
    provider.#server = await Server.start('php', [...FRESH, '-S', `127.0.0.1:${port}`, '-t', path.join(HOME, 'www')], {
      env: { SIMPLESAMLPHP_CONFIG_DIR: at('config'), PHP_CLI_SERVER_WORKERS: '2' }, url: provider.metadataUrl, cwd: folder,
    });
    return provider;
  }

  get metadataUrl() {
    return this.entityId;
  }

  /** Where a person goes who starts at the provider. */
  initiateUrl(serviceProvider, relayState) {
    return `${this.url}/saml2/idp/SSOService.php?${new URLSearchParams({ spentityid: serviceProvider, RelayState: relayState })}`;
  }

  /** Takes a service provider's metadata, as they are. */
  async trust(metadata) {
    await writeFile(path.join(this.#folder, 'metadata', 'sp.xml'), metadata);
  }

  /** Options of saml20-idp-hosted.php; they count from the next request on. */
  async configure(options = {}) {
    const hosted = {
      host: '__DEFAULT__', auth: 'people', privatekey: 'idp.key', certificate: 'idp.crt',
      // Both bindings of a request (a redirect binding alone is its default).
      SingleSignOnServiceBinding: ['urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect', 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST'],
      NameIDFormat: PERSISTENT,
      // The names that a university's directory releases: urn:oid:….
      authproc: { 10: { class: 'saml:AttributeNameID', attribute: 'uid', Format: PERSISTENT }, 100: { class: 'core:AttributeMap', 0: 'name2oid' } },
      'attributes.NameFormat': 'urn:oasis:names:tc:SAML:2.0:attrname-format:uri',
      ...options,
    };
    const [, rest] = php({ [this.entityId]: hosted }).split('$config');
    await writeFile(path.join(this.#folder, 'metadata', 'saml20-idp-hosted.php'), `<?php\n$metadata${rest}`);
  }

  get output() {
    return this.#server.output;
  }

  async stop() {
    await this.#server?.stop();
  }
}

/** A configuration file of PHP. */
function php(value) {
  return `<?php\n$config = ${literal(value)};\n`;
}

function literal(value) {
  if (typeof value === 'string') return `'${value.replaceAll(/[\\']/g, '\\$&')}'`;
  if (typeof value !== 'object') return String(value);
  const entries = Array.isArray(value)
    ? value.map(literal)
    : Object.entries(value).map(([name, item]) => `${/^\d+$/.test(name) ? name : literal(name)} => ${literal(item)}`);
  return `[${entries.join(', ')}]`;
}
