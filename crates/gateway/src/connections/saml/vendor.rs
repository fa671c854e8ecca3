//! Remedies at products that call things by names of their own. [`remedy`](super::remedy) has those for any other.
//!
//! `{acs}`, `{entity}` and `{metadata}` stand for the addresses of the connection.

use genkan_protocol::saml::Cause;
use genkan_store::Provider;

/// A remedy at one product, for these causes.
struct Row {
    at: Provider,
    causes: &'static [Cause],
    remedy: &'static str,
}

const fn row(at: Provider, causes: &'static [Cause], remedy: &'static str) -> Row {
    Row { at, causes, remedy }
}

const AUDIENCE: &[Cause] = &[
    Cause::AudienceMissing,
    Cause::AudienceMismatch,
    Cause::AudiencePlaceholder,
];
const ADDRESS: &[Cause] = &[
    Cause::DestinationMissing,
    Cause::DestinationMismatch,
    Cause::RecipientMissing,
    Cause::RecipientMismatch,
];
const EMAIL: &[Cause] = &[Cause::MandatoryAttributeMissing];
const KEY: &[Cause] = &[Cause::SignatureInvalid, Cause::CertificateMissing];
const SIGNED: &[Cause] = &[Cause::SignaturePolicy, Cause::SignatureMissing];
const WEAK: &[Cause] = &[Cause::AlgorithmNotAllowed];

const ROWS: &[Row] = &[
    row(
        Provider::Okta,
        AUDIENCE,
        "In Okta, open the application, General › SAML Settings › Edit, and set Audience URI (SP Entity ID) to {entity}.",
    ),
    row(
        Provider::Okta,
        ADDRESS,
        "In Okta, open the application, General › SAML Settings › Edit, set Single sign-on URL to {acs} and tick “Use \
         this for Recipient URL and Destination URL”.",
    ),
    row(
        Provider::Okta,
        EMAIL,
        "Okta sends no attributes by itself. In the application, General › SAML Settings › Edit, add the Attribute \
         Statements email → user.email, firstName → user.firstName, lastName → user.lastName.",
    ),
    row(
        Provider::Okta,
        SIGNED,
        "In Okta, General › SAML Settings › Edit › Show Advanced Settings, set Response and Assertion Signature to Signed.",
    ),
    row(
        Provider::MicrosoftAd,
        AUDIENCE,
        "In Entra, open Single sign-on › Basic SAML Configuration and set Identifier (Entity ID) to {entity}, without \
         `spn:` before it.",
    ),
    row(
        Provider::MicrosoftAd,
        ADDRESS,
        "In Entra, open Single sign-on › Basic SAML Configuration and set Reply URL to {acs}, exactly so.",
    ),
    row(
        Provider::MicrosoftAd,
        EMAIL,
        "In Entra, open Single sign-on › Attributes & Claims and map emailaddress to user.mail, and fill in the \
         person’s Email. A guest’s user principal name (`…#EXT#…`) is no address.",
    ),
    row(
        Provider::MicrosoftAd,
        &[Cause::EmailMalformed],
        "In Entra, open Single sign-on › Attributes & Claims and map emailaddress to user.mail and not to \
         user.userprincipalname: a guest’s (`…#EXT#…`) is no address.",
    ),
    row(
        Provider::MicrosoftAd,
        &[Cause::NoAuthnContext],
        "Entra refuses people who sign in with a passkey or Windows Hello if a password is requested (AADSTS75011). Let \
         the connection request no authentication context.",
    ),
    row(
        Provider::MicrosoftAd,
        KEY,
        "In Entra, a new certificate was made active. Enter the address of the federation metadata in the connection, \
         or upload the active certificate from Single sign-on › SAML Certificates.",
    ),
    row(
        Provider::MicrosoftAd,
        &[Cause::DecryptionNotAllowed],
        "Entra encrypts with AES-CBC. Allow that on this connection, and in Entra set the Signing Option to “Sign SAML \
         response and assertion”, or turn token encryption off there.",
    ),
    row(
        Provider::MicrosoftAd,
        SIGNED,
        "In Entra, open Single sign-on › SAML Certificates › Edit and set the Signing Option to “Sign SAML response and \
         assertion”.",
    ),
    row(
        Provider::Google,
        AUDIENCE,
        "In the Admin console, open Apps › Web and mobile apps › the application › Service provider details and set \
         Entity ID to {entity}, exactly so.",
    ),
    row(
        Provider::Google,
        ADDRESS,
        "In the Admin console, open Apps › Web and mobile apps › the application › Service provider details and set ACS \
         URL to {acs}, exactly so.",
    ),
    row(
        Provider::Google,
        EMAIL,
        "In the Admin console, open the application, set Name ID format to EMAIL and Name ID to Basic Information › \
         Primary email, or map Primary email to the attribute email.",
    ),
    row(
        Provider::Google,
        SIGNED,
        "Google signs the response or the assertion. In the Admin console, Service provider details, tick “Signed \
         response”, or let the connection accept either.",
    ),
    row(
        Provider::JumpCloud,
        &[Cause::IssuerMismatch, Cause::IssuerMissing],
        "In JumpCloud, IdP Entity ID is free text: enter there what the connection has, or import its metadata here.",
    ),
    row(
        Provider::JumpCloud,
        AUDIENCE,
        "In JumpCloud, open the application › SSO and set SP Entity ID to {entity}.",
    ),
    row(
        Provider::JumpCloud,
        ADDRESS,
        "In JumpCloud, open the application › SSO and set ACS URL to {acs}.",
    ),
    row(
        Provider::JumpCloud,
        EMAIL,
        "JumpCloud sends no attributes by itself. Under SSO › User Attribute Mapping add email → email, firstname → \
         firstname, lastname → lastname.",
    ),
    row(
        Provider::PingIdentity,
        &[Cause::StatusRequester],
        "PingFederate wants signed requests (“Signature required”): let the connection sign them, and import {metadata} \
         there.",
    ),
    row(
        Provider::PingIdentity,
        EMAIL,
        "In PingOne, the NameID is a user ID. Under Attribute Mappings add email → Email Address, and the names.",
    ),
    row(
        Provider::PingIdentity,
        AUDIENCE,
        "In Ping, set the Entity ID of the application (in PingFederate: of the SP connection) to {entity}.",
    ),
    row(
        Provider::PingIdentity,
        ADDRESS,
        "In Ping, set the ACS URL of the application to {acs}.",
    ),
    row(
        Provider::OneLogin,
        AUDIENCE,
        "In OneLogin, open Configuration and set Audience (EntityID) to {entity}. An empty field is sent as \
         `{audience}`.",
    ),
    row(
        Provider::OneLogin,
        ADDRESS,
        "In OneLogin, open Configuration and set Recipient and ACS (Consumer) URL to {acs}, and ACS URL Validator to \
         the same address between ^ and $.",
    ),
    row(
        Provider::OneLogin,
        WEAK,
        "In OneLogin, open SSO and set SAML Signature Algorithm to SHA-256.",
    ),
    row(
        Provider::OneLogin,
        EMAIL,
        "In OneLogin, open Parameters and add email → Email with “Include in SAML assertion”.",
    ),
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
         upload the new token-signing certificate: both may be there at once.",
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
        Provider::Auth0,
        &[Cause::DecryptionNotAllowed],
        "In Auth0, set encryptionAlgorithm of the SAML addon to aes256-gcm.",
    ),
    row(
        Provider::Auth0,
        AUDIENCE,
        "In Auth0, open the application › Addons › SAML2 Web App › Settings and set audience to {entity}.",
    ),
    row(
        Provider::Auth0,
        ADDRESS,
        "In Auth0, open the application › Addons › SAML2 Web App › Settings and set Application Callback URL and \
         recipient to {acs}.",
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
        "Shibboleth has several certificates. Import its metadata again: each of them is taken over.",
    ),
    row(
        Provider::Duo,
        &[Cause::InResponseToMissing],
        "An old Duo Access Gateway does not repeat the ID of our request. Update it, or move to Duo Single Sign-On.",
    ),
    row(
        Provider::CyberArk,
        EMAIL,
        "In CyberArk, open the application › SAML Response and add the attribute email = LoginUser.Email; an empty \
         script sends none.",
    ),
    row(
        Provider::Oracle,
        WEAK,
        "In Oracle, open the application › SSO Configuration and set Signature Hashing Algorithm to SHA-256.",
    ),
];

/// The change at a product that has a name of its own for it.
pub(in crate::connections) fn at(provider: Provider, cause: Cause) -> Option<&'static str> {
    let known = ROWS
        .iter()
        .find(|row| row.at == provider && row.causes.contains(&cause));
    known.map(|row| row.remedy)
}

#[cfg(test)]
mod tests;
