// A service provider by hand, as small as it can be: what a provider needs to be told, and a request.
// It judges nothing; it exists to take genuine messages home (capture.mjs).
import { randomBytes } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { body } from './keys.mjs';

export class ServiceProvider {
  constructor({ entityId, acsUrl, encryptionCertificate }) {
    Object.assign(this, { entityId, acsUrl, encryptionCertificate });
  }

  get metadata() {
    const key = this.encryptionCertificate
      ? `<md:KeyDescriptor use="encryption">
      <ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>${body(this.encryptionCertificate)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>
      <md:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes256-gcm"/>
      <md:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"/>
    </md:KeyDescriptor>`
      : '';
    return `<?xml version="1.0"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="${this.entityId}">
  <md:SPSSODescriptor AuthnRequestsSigned="false" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    ${key}
    <md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="${this.acsUrl}" index="0" isDefault="true"/>
  </md:SPSSODescriptor>
</md:EntityDescriptor>`;
  }

  /**
   * An AuthnRequest for `destination`, and the address of the redirect binding (SAML Bindings §3.4.4.1);
   * `nameId`: the format of names to ask for.
   */
  request(destination, nameId) {
    const id = `_${randomBytes(16).toString('hex')}`;
    const instant = new Date().toISOString();
    const policy = nameId ? `<samlp:NameIDPolicy Format="urn:oasis:names:tc:SAML:2.0:nameid-format:${nameId}" AllowCreate="true"/>` : '';
    const xml = `<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"
  ID="${id}" Version="2.0" IssueInstant="${instant}" Destination="${destination}" AssertionConsumerServiceURL="${this.acsUrl}"
  ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"><saml:Issuer>${this.entityId}</saml:Issuer>${policy}</samlp:AuthnRequest>`;
    const url = new URL(destination);
    url.searchParams.set('SAMLRequest', deflateRawSync(xml).toString('base64'));
    url.searchParams.set('RelayState', 'relay');
    return { id, instant, xml, url: url.href };
  }
}

/** The address in an identity provider's metadata to which `binding` sends requests. */
export function singleSignOn(metadata, binding = 'HTTP-Redirect') {
  for (const [tag] of metadata.matchAll(/<[\w:]*SingleSignOnService\b[^>]*>/g)) {
    if (tag.includes(`bindings:${binding}"`)) return /\bLocation="([^"]*)"/.exec(tag)[1].replaceAll('&amp;', '&');
  }
  throw new Error(`no SingleSignOnService for ${binding}:\n${metadata}`);
}
