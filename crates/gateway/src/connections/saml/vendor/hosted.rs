//! Products that their makers run. The words are those of their consoles.

use genkan_protocol::saml::Cause;
use genkan_store::Provider;

use super::{ADDRESS, AUDIENCE, EMAIL, ISSUER, KEY, NAME_ID, NOT_ADMITTED, Row, SIGNED, UNOPENED, WEAK, row};

pub(super) const ROWS: &[Row] = &[
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
        Provider::Okta,
        KEY,
        "In Okta, open the application › Sign On. Enter the Metadata URL from there in the connection, or the \
         certificate that is Active under SAML Signing Certificates (Actions › Download certificate).",
    ),
    row(
        Provider::Okta,
        ISSUER,
        "In Okta, open the application › Sign On › More details, and enter the Issuer from there in the \
         connection. Or import the metadata from the Metadata URL beside it.",
    ),
    row(
        Provider::Okta,
        NAME_ID,
        "In Okta, open the application, General › SAML Settings › Edit, set Name ID format to Persistent, and \
         Application username to something that each person has.",
    ),
    row(
        Provider::Okta,
        WEAK,
        "In Okta, open the application, General › SAML Settings › Edit › Show Advanced Settings, and set \
         Signature Algorithm to RSA-SHA256 and Digest Algorithm to SHA256.",
    ),
    row(
        Provider::Okta,
        UNOPENED,
        "In Okta, open the application, General › SAML Settings › Edit › Show Advanced Settings, and upload our \
         certificate for encryption as Encryption Certificate, or set Assertion Encryption to Unencrypted.",
    ),
    row(
        Provider::Okta,
        &[Cause::EncryptionExpected],
        "In Okta, open the application, General › SAML Settings › Edit › Show Advanced Settings, set Assertion \
         Encryption to Encrypted, and upload our certificate for encryption as Encryption Certificate. It stands in \
         {metadata}.",
    ),
    row(
        Provider::Okta,
        &[Cause::DecryptionNotAllowed],
        "In Okta, open the application, General › SAML Settings › Edit › Show Advanced Settings, and set \
         Encryption Algorithm to AES256-GCM and Key Transport Algorithm to RSA-OAEP.",
    ),
    row(
        Provider::Okta,
        &[Cause::AuthenticationTooOld],
        "In Okta, open the application, General › SAML Settings › Edit › Show Advanced Settings, and set Honor \
         Force Authentication to Yes, or let the connection demand no fresh sign-in.",
    ),
    row(
        Provider::Okta,
        NOT_ADMITTED,
        "Often the person is not assigned. In Okta, open the application › Assignments › Assign. Okta’s System \
         Log tells the reason.",
    ),
    row(
        Provider::Okta,
        &[Cause::CertificateExpired],
        "In Okta, open the application › Sign On › SAML Signing Certificates and choose Generate new certificate. \
         Add it to the connection before you activate it there: a connection can have several.",
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
        Provider::MicrosoftAd,
        ISSUER,
        "In Entra, open Single sign-on › Set up the application, and enter the Microsoft Entra Identifier from \
         there in the connection.",
    ),
    row(
        Provider::MicrosoftAd,
        &[Cause::NameIdMissing],
        "In Entra, open Single sign-on › Attributes & Claims › Unique User Identifier (Name ID), and choose a \
         Source attribute that each person has.",
    ),
    row(
        Provider::MicrosoftAd,
        WEAK,
        "In Entra, open Single sign-on › SAML Certificates › Edit and set the Signing Algorithm to SHA-256.",
    ),
    row(
        Provider::MicrosoftAd,
        UNOPENED,
        "In Entra, open Token encryption of the application, import our certificate for encryption and activate \
         it. It stands in {metadata}. Or deactivate the encryption there.",
    ),
    row(
        Provider::MicrosoftAd,
        &[Cause::EncryptionExpected],
        "In Entra, open Token encryption of the application, import our certificate for encryption and activate \
         it. It stands in {metadata}. Entra encrypts with AES-CBC, so allow that on this connection too.",
    ),
    row(
        Provider::MicrosoftAd,
        NOT_ADMITTED,
        "Often the person is not assigned. In Entra, open Users and groups of the application › Add user/group. \
         Entra’s sign-in logs tell the reason.",
    ),
    row(
        Provider::MicrosoftAd,
        &[Cause::CertificateExpired],
        "In Entra, open Single sign-on › SAML Certificates › Edit and choose New Certificate. Add it to the \
         connection before you make it active there: a connection can have several.",
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
        Provider::Google,
        KEY,
        "In the Admin console, open Apps › Web and mobile apps › the application, choose Download metadata, and \
         import the file in the connection.",
    ),
    row(
        Provider::Google,
        ISSUER,
        "In the Admin console, open Apps › Web and mobile apps › the application, choose Download metadata, and import \
         the file in the connection. Google’s entity ID is https://accounts.google.com/o/saml2?idpid= and an identifier \
         of the company.",
    ),
    row(
        Provider::Google,
        &[Cause::NameIdMissing],
        "In the Admin console, open Apps › Web and mobile apps › the application › Service provider details, and \
         set Name ID to Basic Information › Primary email.",
    ),
    row(
        Provider::Google,
        NOT_ADMITTED,
        "Often the application is off for the person. In the Admin console, open Apps › Web and mobile apps › the \
         application › User access and turn it on. It takes up to a day.",
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
        Provider::JumpCloud,
        KEY,
        "In JumpCloud, open the application › SSO › JumpCloud Metadata, choose Export Metadata, and import the \
         file in the connection.",
    ),
    row(
        Provider::JumpCloud,
        SIGNED,
        "JumpCloud signs the response. If the connection demands a signed assertion, open the application › SSO in \
         JumpCloud and tick Sign Assertion.",
    ),
    row(
        Provider::JumpCloud,
        &[Cause::NameIdMissing],
        "In JumpCloud, open the application › SSO and set SAMLSubject NameID to email.",
    ),
    row(
        Provider::JumpCloud,
        WEAK,
        "In JumpCloud, open the application › SSO and set Signature Algorithm to RSA-SHA256.",
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
        Provider::OneLogin,
        KEY,
        "In OneLogin, open the application, choose More Actions › SAML Metadata, and import the file in the \
         connection. SSO › X.509 Certificate shows the certificate that signs.",
    ),
    row(
        Provider::OneLogin,
        ISSUER,
        "In OneLogin, open the application › SSO and enter the Issuer URL from there in the connection.",
    ),
    row(
        Provider::OneLogin,
        SIGNED,
        "In OneLogin, open Configuration and set SAML signature element to Both.",
    ),
    row(
        Provider::OneLogin,
        NAME_ID,
        "In OneLogin, open Configuration and set SAML nameID format to Persistent. Under Parameters, give NameID \
         a value that each person has.",
    ),
    row(
        Provider::OneLogin,
        UNOPENED,
        "In OneLogin, open Configuration and enter our certificate for encryption as the public key, or untick \
         Encrypt assertion.",
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
        "In PingOne, open the application › Configuration and set Entity ID to {entity}. In PingFederate, it is Partner’s \
         Entity ID (Connection ID) of the SP connection.",
    ),
    row(
        Provider::PingIdentity,
        ADDRESS,
        "In PingOne, open the application › Configuration and set ACS URLs to {acs}. In PingFederate, it is the Assertion \
         Consumer Service URL of the SP connection.",
    ),
    row(
        Provider::PingIdentity,
        KEY,
        "In PingOne, open the application › Configuration, choose Download Metadata, and import the file in the \
         connection. PingFederate exports the metadata of the SP connection, too.",
    ),
    row(
        Provider::PingIdentity,
        ISSUER,
        "In PingOne, open the application and enter its Issuer ID in the connection.",
    ),
    row(
        Provider::PingIdentity,
        SIGNED,
        "In PingOne, open the application › Configuration and choose Sign Assertion & Response.",
    ),
    row(
        Provider::PingIdentity,
        &[Cause::NameIdMissing],
        "In PingOne, open the application › Attribute Mappings and map saml_subject to something that each person \
         has, such as User ID.",
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
        Provider::Auth0,
        EMAIL,
        "In Auth0, open the application › Addons › SAML2 Web App › Settings, and under mappings set email to \
         http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress. The person needs an e-mail address \
         in Auth0.",
    ),
    row(
        Provider::Auth0,
        KEY,
        "In Auth0, open the application › Addons › SAML2 Web App › Usage, download the Identity Provider \
         Metadata, and import the file in the connection.",
    ),
    row(
        Provider::Auth0,
        ISSUER,
        "In Auth0, open the application › Addons › SAML2 Web App › Usage, and enter the Issuer from there in the \
         connection.",
    ),
    row(
        Provider::Auth0,
        SIGNED,
        "Auth0 signs the assertion or the response. In the application › Addons › SAML2 Web App › Settings, \
         set signResponse to true to sign the response, or to false to sign the assertion.",
    ),
    row(
        Provider::Auth0,
        WEAK,
        "In Auth0, open the application › Addons › SAML2 Web App › Settings, and set signatureAlgorithm to \
         rsa-sha256 and digestAlgorithm to sha256.",
    ),
    row(
        Provider::Auth0,
        &[Cause::NameIdMissing],
        "In Auth0, open the application › Addons › SAML2 Web App › Settings, and name a claim in \
         nameIdentifierProbes that each person has.",
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
