//! Products that companies run themselves. The words are those of their consoles.

use genkan_protocol::saml::Cause;
use genkan_store::Provider;

use super::{ADDRESS, AUDIENCE, EMAIL, ISSUER, KEY, NAME_ID, Row, SIGNED, UNOPENED, WEAK, row};

pub(super) const ROWS: &[Row] = &[
    row(
        Provider::Adfs,
        &[Cause::StatusInvalidNameIdPolicy, Cause::NameIdMissing],
        "In AD FS, add the claim rule “Transform an Incoming Claim”: E-Mail Address to Name ID, format Email. Or set the \
         NameID format of the connection to unspecified.",
    ),
    row(
        Provider::Adfs,
        KEY,
        "AD FS changes its certificate every year. Enter the address of its federation metadata in the connection, or \
         upload the new token-signing certificate: the connection can have both at once.",
    ),
    row(
        Provider::Adfs,
        WEAK,
        "In AD FS, open the relying party trust › Advanced and set the secure hash algorithm to SHA-256.",
    ),
    row(
        Provider::Adfs,
        AUDIENCE,
        "In AD FS, open the relying party trust › Identifiers and add {entity}.",
    ),
    row(
        Provider::Adfs,
        ADDRESS,
        "In AD FS, open the relying party trust › Endpoints and set the SAML assertion consumer endpoint (POST) to {acs}.",
    ),
    row(
        Provider::Adfs,
        EMAIL,
        "In AD FS, add the claim rule “Send LDAP Attributes as Claims”: E-Mail-Addresses to E-Mail Address, Given-Name to \
         Given Name, Surname to Surname.",
    ),
    row(
        Provider::Adfs,
        &[Cause::AssertionNotYetValid],
        "The clock of AD FS is ahead: let both servers ask a time server, or run Set-AdfsRelyingPartyTrust \
         -NotBeforeSkew 2.",
    ),
    row(
        Provider::Adfs,
        &[Cause::DecryptionNotAllowed],
        "AD FS encrypts with AES-CBC. Allow that on this connection and run Set-AdfsRelyingPartyTrust \
         -SamlResponseSignature MessageAndAssertion, or -EncryptClaims $false.",
    ),
    row(
        Provider::Adfs,
        ISSUER,
        "In AD FS, choose Edit Federation Service Properties › General, and enter the Federation Service \
         identifier from there in the connection.",
    ),
    row(
        Provider::Adfs,
        SIGNED,
        "For AD FS, run Set-AdfsRelyingPartyTrust -SamlResponseSignature MessageAndAssertion.",
    ),
    row(
        Provider::Adfs,
        UNOPENED,
        "In AD FS, open the relying party trust › Encryption and choose our certificate for encryption from \
         {metadata}, or remove the one that is there.",
    ),
    row(
        Provider::Keycloak,
        AUDIENCE,
        "In Keycloak, the Client ID of the client must be {entity}, exactly so.",
    ),
    row(
        Provider::Keycloak,
        ADDRESS,
        "In Keycloak, open the client › Settings, and under Fine Grain SAML Endpoint Configuration (Advanced) set \
         Assertion Consumer Service POST Binding URL to {acs}; Master SAML Processing URL stays empty.",
    ),
    row(
        Provider::Keycloak,
        KEY,
        "Keycloak signs with the active key of the realm. Import the realm’s metadata again: \
         `…/realms/REALM/protocol/saml/descriptor`.",
    ),
    row(
        Provider::Keycloak,
        SIGNED,
        "In Keycloak, open the client › Settings › Signature and Encryption and turn Sign documents or Sign assertions on.",
    ),
    row(
        Provider::Keycloak,
        EMAIL,
        "In Keycloak, open the client › Client scopes › the dedicated scope › Add predefined mapper and choose X500 email, \
         X500 givenName and X500 surname, and fill in the person’s Email.",
    ),
    row(
        Provider::Keycloak,
        &[Cause::StatusRequester],
        "In Keycloak, look at the realm’s events. Often Client signature required is on: let the connection sign its \
         requests (--saml-sign-requests) and import {metadata} there, or turn it off.",
    ),
    row(
        Provider::Keycloak,
        &[Cause::DecryptionKeyMissing, Cause::DecryptionFailed],
        "In Keycloak, open the client › Keys and import our certificate for encryption anew from {metadata}, or turn \
         Encrypt assertions off.",
    ),
    row(
        Provider::Keycloak,
        ISSUER,
        "Keycloak’s entity ID is the address of the realm, `https://HOST/realms/REALM`. Enter it in the connection as \
         Keycloak sends it: HOST is Keycloak’s setting hostname.",
    ),
    row(
        Provider::Keycloak,
        NAME_ID,
        "In Keycloak, open the client › Settings › SAML capabilities, set Name ID format to persistent, and turn \
         Force name ID format on.",
    ),
    row(
        Provider::Keycloak,
        WEAK,
        "In Keycloak, open the client › Settings › Signature and Encryption and set Signature algorithm to \
         RSA_SHA256.",
    ),
    row(
        Provider::Keycloak,
        &[Cause::EncryptionExpected],
        "In Keycloak, open the client › Keys, turn Encrypt assertions on, and import our certificate for \
         encryption from {metadata}.",
    ),
    row(
        Provider::Shibboleth,
        EMAIL,
        "In Shibboleth, release mail (urn:oid:0.9.2342.19200300.100.1.3), givenName and sn to {entity} in \
         attribute-filter.xml.",
    ),
    row(
        Provider::Shibboleth,
        &[Cause::NameIdMissing, Cause::StatusInvalidNameIdPolicy],
        "In Shibboleth, no NameID is released to us: add a generator in saml-nameid.xml, or set the NameID format of the \
         connection to unspecified.",
    ),
    row(
        Provider::Shibboleth,
        &[Cause::NameIdTransient],
        "Shibboleth sends a transient NameID by default: release a persistent one to {entity} in saml-nameid.xml, and let \
         the connection ask for persistent.",
    ),
    row(
        Provider::Shibboleth,
        KEY,
        "Shibboleth has several certificates. Import its metadata again: Genkan takes each of them.",
    ),
    row(
        Provider::Shibboleth,
        AUDIENCE,
        "Shibboleth takes the audience from our metadata: let metadata-providers.xml load {metadata}, where the \
         entityID is {entity}.",
    ),
    row(
        Provider::Shibboleth,
        ADDRESS,
        "Shibboleth takes the address from our metadata: let metadata-providers.xml load {metadata}, where the \
         AssertionConsumerService is {acs}.",
    ),
    row(
        Provider::Shibboleth,
        ISSUER,
        "Shibboleth’s entity ID is idp.entityID in idp.properties: enter that in the connection, or import its \
         metadata again.",
    ),
    row(
        Provider::Shibboleth,
        SIGNED,
        "In Shibboleth, set p:signResponses or p:signAssertions of the profile SAML2.SSO to true in \
         relying-party.xml.",
    ),
    row(
        Provider::Shibboleth,
        UNOPENED,
        "Shibboleth encrypts for the key in our metadata: let it load {metadata} again, or set \
         p:encryptAssertions of the profile SAML2.SSO to false in relying-party.xml.",
    ),
];
