//! The ways in which the simulator misbehaves, each on request only.
//!
//! This file has those of OpenID Connect, and the form of every such list.

/// Declares the faults: variant, name in forms, and what it does, for people.
macro_rules! faults {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $label:literal;)+) => {
        /// Something a relying party must notice.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Fault { $($(#[$doc])* $variant,)+ }

        impl Fault {
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name in forms and addresses.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it does, for people.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }
        }

        impl ::std::fmt::Display for Fault {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for Fault {
            type Err = $crate::simulator::UnknownFault;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let mut all = Self::ALL.iter().copied();
                all.find(|fault| fault.as_str() == text)
                    .ok_or($crate::simulator::UnknownFault)
            }
        }
    };
}

pub(super) use faults;

/// The name is none of the faults'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the simulator knows no such fault")]
pub struct UnknownFault;

faults! {
    // The answer at the callback.
    WrongState = "wrong_state", "Answer with another state";
    NoState = "no_state", "Answer without state";
    WrongResponseIssuer = "wrong_response_issuer", "Answer in the name of another issuer";
    NoResponseIssuer = "no_response_issuer", "Answer without the promised iss";
    RepeatedCode = "repeated_code", "Answer with the code twice";
    // The ID token.
    WrongNonce = "wrong_nonce", "ID token with another nonce";
    NoNonce = "no_nonce", "ID token without nonce";
    WrongIssuer = "wrong_issuer", "ID token of another issuer";
    WrongAudience = "wrong_audience", "ID token for another application";
    SecondAudience = "second_audience", "ID token for two applications, without azp";
    Expired = "expired", "Expired ID token";
    NotYetValid = "not_yet_valid", "ID token from the future";
    WrongAccessTokenHash = "wrong_access_token_hash", "ID token with another at_hash";
    NoSubject = "no_subject", "ID token without sub";
    NoEmail = "no_email", "No e-mail anywhere";
    BadSignature = "bad_signature", "ID token with a broken signature";
    UnknownKey = "unknown_key", "ID token signed by an unpublished key";
    AlgorithmNone = "algorithm_none", "Unsigned ID token (alg none)";
    /// The classic confusion: the public key as the secret of an HMAC.
    AlgorithmHmac = "algorithm_hmac", "ID token signed with the public key (alg HS256)";
    RotatedKey = "rotated_key", "Rotate the key first (must still work)";
    // The token endpoint.
    NoIdToken = "no_id_token", "No ID token at all";
    TokenError = "token_error", "Token endpoint refuses the code";
    TokenServerError = "token_server_error", "Token endpoint fails (500)";
    TokenNotJson = "token_not_json", "Token endpoint answers with a web page";
    TokenHuge = "token_huge", "Token endpoint answers with 8 MiB";
    TokenSlow = "token_slow", "Token endpoint takes 30 seconds";
    // The userinfo endpoint.
    UserInfoOtherSubject = "userinfo_other_subject", "Userinfo of another person";
    UserInfoServerError = "userinfo_server_error", "Userinfo endpoint fails (500)";
    UserInfoNotJson = "userinfo_not_json", "Userinfo endpoint answers with a web page";
    UserInfoHuge = "userinfo_huge", "Userinfo endpoint answers with 8 MiB";
}
