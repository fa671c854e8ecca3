//! TLS as a client: the trusted authorities, and the name in a ClientHello.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::Acceptor;
use rustls::{ClientConfig, RootCertStore};

/// The certificate authorities that may vouch for granted hosts.
#[derive(Clone)]
pub struct TrustRoots(RootCertStore);

impl TrustRoots {
    /// The public ones, as Mozilla keeps them.
    pub fn public() -> Self {
        Self(RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        })
    }

    /// Adds the certificates of a PEM file: a private or a development authority.
    ///
    /// # Errors
    ///
    /// A sentence, when the text holds no certificate or a broken one.
    pub fn with_pem(mut self, pem: &[u8]) -> Result<Self, TrustError> {
        let mut count = 0_usize;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| TrustError("a certificate in it cannot be read"))?;
            self.0
                .add(certificate)
                .map_err(|_| TrustError("a certificate in it is not one of an authority"))?;
            count += 1;
        }
        if count == 0 {
            return Err(TrustError("it holds no certificate"));
        }
        Ok(self)
    }

    /// HTTP/1.1 over TLS 1.2 or 1.3.
    pub fn client_config(self) -> Arc<ClientConfig> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for TLS 1.2 and 1.3")
            .with_root_certificates(self.0)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

impl fmt::Debug for TrustRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustRoots({})", self.0.len())
    }
}

/// Why a file of extra authorities is not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TrustError(&'static str);

/// What the first bytes of a connection are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hello {
    /// The beginning of a ClientHello: read more.
    Partial,
    /// A whole ClientHello and the name it asks for, lowercase.
    Complete { server_name: Option<String> },
    /// Not TLS, a broken ClientHello, or one longer than [`Hello::LONGEST`].
    Broken,
}

impl Hello {
    /// Bytes after which a ClientHello must be whole.
    pub const LONGEST: usize = 16 << 10;

    /// Reads a ClientHello from bytes that were peeked; the connection is untouched.
    pub fn read(mut bytes: &[u8]) -> Self {
        let too_long = bytes.len() >= Self::LONGEST;
        let mut acceptor = Acceptor::default();
        loop {
            let read = acceptor.read_tls(&mut bytes);
            match acceptor.accept() {
                Ok(Some(accepted)) => {
                    let server_name = accepted.client_hello().server_name().map(str::to_ascii_lowercase);
                    return Self::Complete { server_name };
                }
                Ok(None) if bytes.is_empty() && too_long => return Self::Broken,
                Ok(None) if bytes.is_empty() => return Self::Partial,
                Ok(None) => {}
                Err(_) => return Self::Broken,
            }
            if read.is_err() {
                return Self::Broken;
            }
        }
    }
}

/// Whether a handshake failed because of the server's certificate.
pub fn is_certificate_error(error: &io::Error) -> bool {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        .is_some_and(|error| matches!(error, rustls::Error::InvalidCertificate(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustls::ClientConnection;

    fn hello(name: &'static str) -> Vec<u8> {
        let config = TrustRoots::public().client_config();
        let mut connection = ClientConnection::new(config, name.try_into().unwrap()).unwrap();
        let mut bytes = Vec::new();
        connection.write_tls(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_name_is_read_and_every_beginning_waits_for_more() {
        let bytes = hello("Foo.Scalekit.com");
        let name = Some("foo.scalekit.com".to_owned());
        assert_eq!(
            Hello::read(&bytes),
            Hello::Complete {
                server_name: name.clone()
            }
        );
        for length in 0..bytes.len() {
            assert_eq!(Hello::read(&bytes[..length]), Hello::Partial, "{length}");
        }
        let mut more = bytes;
        more.extend_from_slice(&[0x17, 3, 3, 0, 1, 0]);
        assert_eq!(Hello::read(&more), Hello::Complete { server_name: name });
    }

    #[test]
    fn an_address_has_no_server_name() {
        assert_eq!(
            Hello::read(&hello("192.0.2.1")),
            Hello::Complete { server_name: None }
        );
    }

    #[test]
    fn what_is_not_tls_is_broken() {
        for text in [
            "CONNECT evil.com:443 HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "SSH-2.0-x\r\n",
        ] {
            assert_eq!(Hello::read(text.as_bytes()), Hello::Broken, "{text}");
        }
        // A handshake that announces more than it may be, in records that never end.
        let mut endless = vec![0x16, 3, 1, 0x3f, 0xff, 1, 0, 0xff, 0xff];
        endless.resize(Hello::LONGEST, 0);
        assert_eq!(Hello::read(&endless), Hello::Broken);
    }

    #[test]
    fn an_empty_or_broken_file_of_authorities_is_refused() {
        assert!(TrustRoots::public().with_pem(b"").is_err());
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(TrustRoots::public().with_pem(broken).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..600), tls: bool) {
            if tls && bytes.len() > 5 {
                bytes[..3].copy_from_slice(&[0x16, 3, 1]);
            }
            let _ = Hello::read(&bytes);
        }
    }
}
