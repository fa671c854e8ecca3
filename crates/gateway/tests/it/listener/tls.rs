//! Certificate files that change, or are wrong.

use std::fs;
use std::time::Duration;

use genkan::dev_ca;
use genkan_web::listener::{Limits, Tls, TlsError, TlsPolicy};
use tokio::time::sleep;

use crate::net::{Server, TestTls, now};

/// The certificate that the server presents, DER.
async fn presented(tls: &TestTls, server: &Server) -> Vec<u8> {
    let stream = tls.connect(server, &["h2"]).await;
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn a_new_certificate_is_taken_into_use_and_a_bad_one_is_not() {
    let tls = TestTls::new();
    let server = Server::start_tls(Limits::default(), TlsPolicy::Only(tls.server.clone()));
    tokio::spawn(tls.server.clone().watch(Duration::from_millis(20)));
    let first = presented(&tls, &server).await;

    let file = tls.directory.path().join("tls.pem");
    fs::write(&file, "not a certificate").unwrap();
    sleep(Duration::from_millis(100)).await;
    assert_eq!(presented(&tls, &server).await, first);
    fs::remove_file(&file).unwrap();
    sleep(Duration::from_millis(100)).await;
    assert_eq!(presented(&tls, &server).await, first);

    dev_ca::ensure(tls.directory.path(), "localhost", now()).unwrap();
    sleep(Duration::from_millis(200)).await;
    assert_ne!(presented(&tls, &server).await, first);
}

#[test]
fn wrong_files_are_named() {
    let [one, other] = [TestTls::new(), TestTls::new()].map(|tls| tls.directory);
    let cert = one.path().join("tls.pem");
    let ca = one.path().join("ca.pem");
    let text = one.path().join("text");
    fs::write(&text, "hello").unwrap();

    let error = Tls::from_files(one.path().join("nowhere"), &cert).unwrap_err();
    assert!(
        matches!(&error, TlsError::Read { .. }) && error.to_string().contains("nowhere"),
        "{error}"
    );
    let error = Tls::from_files(&text, &cert).unwrap_err();
    assert!(matches!(error, TlsError::NoCertificate(_)), "{error}");
    let error = Tls::from_files(&cert, &ca).unwrap_err();
    assert!(matches!(error, TlsError::NoKey(_)), "{error}");
    for begin in [
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIFHDBOBgkqhkiG9w0BBQ0wQQ==\n-----END ENCRYPTED PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
    ] {
        fs::write(&text, begin).unwrap();
        let error = Tls::from_files(&cert, &text).unwrap_err();
        assert!(matches!(error, TlsError::EncryptedKey(_)), "{error}");
        assert!(error.to_string().contains("has a passphrase"), "{error}");
    }
    let error = Tls::from_files(&cert, other.path().join("tls.pem")).unwrap_err();
    assert!(matches!(error, TlsError::Mismatch { .. }), "{error}");
}
