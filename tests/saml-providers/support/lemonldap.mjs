// LemonLDAP::NG as Debian packages it, as a company's identity provider, under plackup and without a web server.
// Its demonstration people work there: dwho, who is in two groups.
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { freePort } from '../../support/genkan.mjs';
import { keyPair } from './keys.mjs';
import { Server } from './server.mjs';

const TEMPLATES = '/usr/share/lemonldap-ng/portal/templates';

export class LemonLdap {
  #server;
  #folder;
  #keys;
  #metadata;
  #options = {};
  #port;

  /** It knows no service provider yet: see `trust`. */
  static async start({ folder }) {
    const provider = new LemonLdap();
    provider.#folder = folder;
    for (const name of ['conf', 'cache', 'sessions', 'locks', 'psessions', 'notifications']) await mkdir(path.join(folder, name), { recursive: true });
    provider.#keys = await keyPair(folder, 'lemonldap');
    provider.certificate = provider.#keys.certificate;
    provider.#port = await freePort();
    provider.url = `http://127.0.0.1:${provider.#port}`;
    provider.entityId = provider.metadataUrl;
    await provider.#write('lemonldap-ng.ini', provider.#ini());
    await provider.#write('portal.psgi', 'use Lemonldap::NG::Portal;\nLemonldap::NG::Portal->run({});\n');
    await provider.#run();
    return provider;
  }

  get metadataUrl() {
    return `${this.url}/saml/metadata`;
  }

  /** Where a person goes who starts at the provider. */
  initiateUrl(serviceProvider) {
    return `${this.url}/saml/singleSignOn?${new URLSearchParams({ IDPInitiated: 1, sp: serviceProvider })}`;
  }

  /** Takes a service provider's metadata, as they are. */
  async trust(metadata) {
    this.#metadata = metadata;
    await this.#run();
  }

  /** Options of the service provider (samlSPMetaDataOptions…). It reads its configuration when it starts. */
  async configure(options = {}) {
    this.#options = options;
    await this.#run();
  }

  get output() {
    return this.#server?.output;
  }

  async stop() {
    await this.#server?.stop();
  }

  async #run() {
    await this.stop();
    await this.#write('conf/lmConf-1.json', JSON.stringify(this.#configuration()));
    this.#server = await Server.start('plackup', ['-E', 'deployment', '--host', '127.0.0.1', '--port', String(this.#port), path.join(this.#folder, 'portal.psgi')], {
      env: { LLNG_DEFAULTCONFFILE: path.join(this.#folder, 'lemonldap-ng.ini') }, url: this.metadataUrl, cwd: this.#folder,
    });
  }

  #write(name, text) {
    return writeFile(path.join(this.#folder, name), text);
  }

  #ini() {
    return `
[all]
logLevel = notice
logger = Lemonldap::NG::Common::Logger::Std
userLogger = Lemonldap::NG::Common::Logger::Std

[configuration]
type = File
dirName = ${this.#folder}/conf
localStorage = Cache::FileCache
localStorageOptions = {'namespace' => 'conf', 'default_expires_in' => 1, 'cache_root' => '${this.#folder}/cache', 'cache_depth' => 1}

[portal]
templateDir = ${TEMPLATES}
staticPrefix = /static
languages = en
`;
  }

  #configuration() {
    const at = (name) => path.join(this.#folder, name);
    const storage = { Directory: at('sessions'), LockDirectory: at('locks'), generateModule: 'Lemonldap::NG::Common::Apache::Session::Generate::SHA256' };
    return {
      cfgNum: 1, cfgAuthor: 'test', cfgDate: 1, cfgVersion: '2.16.1',
      portal: `${this.url}/`, domain: '127.0.0.1', cookieName: 'lemonldap', securedCookie: 0,
      authentication: 'Demo', userDB: 'Same', passwordDB: 'Demo', registerDB: 'Null',
      demoExportedVars: { cn: 'cn', mail: 'mail', uid: 'uid' }, exportedVars: {}, macros: {}, groups: {}, whatToTrace: 'uid',
      globalStorage: 'Apache::Session::File', globalStorageOptions: storage,
      persistentStorage: 'Apache::Session::File', persistentStorageOptions: { ...storage, Directory: at('psessions') },
      localSessionStorage: 'Cache::FileCache',
      localSessionStorageOptions: { namespace: 'sessions', default_expires_in: 600, cache_root: at('cache'), cache_depth: 1 },
      notificationStorage: 'File', notificationStorageOptions: { dirName: at('notifications') },
      // Without these it looks for programs that draw pictures, and for a mail server.
      captcha_login_enabled: 0, captcha_mail_enabled: 0, captcha_register_enabled: 0, portalDisplayRegister: 0, portalDisplayResetPassword: 0,
      locationRules: {}, exportedHeaders: {}, applicationList: {},
      issuerDBSAMLActivation: 1, samlServiceUseCertificateInResponse: 1, samlServiceSignatureMethod: 'RSA_SHA256',
      samlServicePrivateKeySig: this.#keys.key, samlServicePublicKeySig: this.#keys.certificate,
      ...this.#serviceProvider(),
    };
  }

  #serviceProvider() {
    if (!this.#metadata) return {};
    return {
      samlSPMetaDataXML: { genkan: { samlSPMetaDataXML: this.#metadata } },
      samlSPMetaDataExportedAttributes: { genkan: { mail: '1;email;;', cn: '1;name;;', groups: '0;groups;;' } },
      samlSPMetaDataOptions: {
        genkan: {
          samlSPMetaDataOptionsNameIDFormat: 'email', samlSPMetaDataOptionsSignSSOMessage: 1, samlSPMetaDataOptionsCheckSSOMessageSignature: 0,
          samlSPMetaDataOptionsEncryptionMode: 'none', samlSPMetaDataOptionsEnableIDPInitiatedURL: 1, samlSPMetaDataOptionsForceUTF8: 1,
          ...this.#options,
        },
      },
      samlSPMetaDataMacros: { genkan: {} },
    };
  }
}
