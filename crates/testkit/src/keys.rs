//! Prepared signing keys, because making an RSA key takes longer than most tests.

use genkan_protocol::jose::{Algorithm, SigningKey};
use genkan_store::{InstanceKey, KeyId, Stamp, signing_key};

/// The bytes of [`instance_key`], for the file of a server in its own process.
pub const INSTANCE_KEY: [u8; 32] = [7; 32];

/// The instance key of every gateway under test.
pub fn instance_key() -> InstanceKey {
    InstanceKey::from_bytes(INSTANCE_KEY.into())
}

/// The purpose of a prepared key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Gateway(Algorithm),
    /// The gateway's next key.
    Next(Algorithm),
    IdentityProvider,
}

impl Key {
    pub const fn algorithm(self) -> Algorithm {
        match self {
            Self::Gateway(algorithm) | Self::Next(algorithm) => algorithm,
            Self::IdentityProvider => Algorithm::Rs256,
        }
    }

    /// The PKCS#8 document.
    pub const fn pkcs8(self) -> &'static [u8] {
        match self {
            Self::Gateway(Algorithm::Rs256) => include_bytes!("../testdata/rsa_1.pkcs8"),
            Self::Gateway(Algorithm::Es256) => include_bytes!("../testdata/p256_1.pkcs8"),
            Self::Next(Algorithm::Rs256) => include_bytes!("../testdata/rsa_2.pkcs8"),
            Self::Next(Algorithm::Es256) => include_bytes!("../testdata/p256_2.pkcs8"),
            Self::IdentityProvider => include_bytes!("../testdata/rsa_3.pkcs8"),
        }
    }

    /// The key, to sign with.
    pub fn signing(self, kid: &str) -> SigningKey {
        SigningKey::from_pkcs8(kid.to_owned(), self.algorithm(), self.pkcs8()).unwrap()
    }

    /// The key as the store holds it. It signs from now on.
    pub fn stored(self, at: Stamp<'_>) -> signing_key::SigningKey {
        let id: KeyId = at.id();
        signing_key::SigningKey {
            private_key_sealed: signing_key::seal_private_key(&instance_key(), &id, self.pkcs8()),
            id,
            algorithm: self.algorithm(),
            created_at: at.now,
            signs_from: at.now,
            signs_until: None,
            published_until: None,
        }
    }
}
