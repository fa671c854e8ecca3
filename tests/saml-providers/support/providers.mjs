// The providers by name: the person who works there, how each is started, and the shapes of answer that it can give.
import { X509Certificate } from 'node:crypto';
import { LemonLdap } from './lemonldap.mjs';
import { Samlp } from './samlp.mjs';
import { SimpleSamlPhp } from './simplesamlphp.mjs';

const credentials = { username: 'ada', password: 'correct horse battery staple' };

export const providers = {
  samlp: {
    credentials,
    start: ({ folder }) => Samlp.start({
      folder,
      person: {
        id: 'ada-1815', displayName: 'Ada Lovelace', name: { givenName: 'Ada', familyName: 'Lovelace' },
        emails: [{ value: 'ada@acme.test' }], groups: ['engineering', 'mathematicians'],
      },
    }),
    initiate: (provider) => provider.initiateUrl,
    shapes: {
      'assertion-signed': (provider, sp) => { provider.options = samlpOptions(sp); },
      'response-signed': (provider, sp) => { provider.options = samlpOptions(sp, { signAssertion: false, signResponse: true }); },
      'both-signed': (provider, sp) => { provider.options = samlpOptions(sp, { signResponse: true }); },
      'both-signed-encrypted': (provider, sp) => {
        provider.options = samlpOptions(sp, { signResponse: true, ...encryptionFor(sp.encryptionCertificate) });
      },
      unsolicited: (provider, sp) => { provider.options = samlpOptions(sp); },
    },
  },
  simplesamlphp: {
    credentials,
    start: ({ folder }) => SimpleSamlPhp.start({
      folder,
      person: {
        ...credentials,
        attributes: {
          uid: ['ada'], mail: ['ada@acme.test'], displayName: ['Ada Lovelace'], givenName: ['Ada'], sn: ['Lovelace'],
          isMemberOf: ['engineering', 'mathematicians'],
        },
      },
    }),
    initiate: (provider, sp) => provider.initiateUrl(sp.entityId, 'relay'),
    shapes: {
      'assertion-signed': (provider) => provider.configure({ 'saml20.sign.response': false }),
      'response-signed': (provider) => provider.configure({ 'saml20.sign.assertion': false }),
      'both-signed': (provider) => provider.configure(),
      'both-signed-encrypted-cbc': (provider) => provider.configure({ 'assertion.encryption': true }),
      unsolicited: (provider) => provider.configure(),
    },
  },
  lemonldap: {
    credentials: { username: 'dwho', password: 'dwho' },
    start: ({ folder }) => LemonLdap.start({ folder }),
    initiate: (provider, sp) => provider.initiateUrl(sp.entityId),
    shapes: {
      'both-signed': (provider) => provider.configure(),
      'both-signed-encrypted-cbc': (provider) => provider.configure({ samlSPMetaDataOptionsEncryptionMode: 'assertion' }),
      persistent: (provider) => provider.configure(),
      unsolicited: (provider) => provider.configure(),
    },
  },
};

/** samlp answers at the address it is told, not at the one a request names. */
export function samlpOptions({ acsUrl, entityId }, more) {
  return { audience: entityId, recipient: acsUrl, destination: acsUrl, getPostURL: (audience, request, http, done) => done(null, acsUrl), ...more };
}

export function encryptionFor(certificate) {
  return { encryptionCert: certificate, encryptionPublicKey: new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'pem' }) };
}

/** The first certificate for `use` in metadata, as PEM. */
export function certificateIn(metadata, use) {
  const [, key] = metadata.split(`use="${use}"`);
  const [, text] = /<(?:\w+:)?X509Certificate>([^<]*)</.exec(key ?? '') ?? [];
  if (!text) throw new Error(`no certificate for ${use}:\n${metadata}`);
  return `-----BEGIN CERTIFICATE-----\n${text.replaceAll(/\s/g, '').replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
}
