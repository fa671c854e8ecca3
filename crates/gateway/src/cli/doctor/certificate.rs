//! Checks when a certificate expires.

use std::path::Path;
use std::time::Duration;

use genkan_protocol::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::Findings;
use crate::cli::output::time;
use crate::server;

const CHECK: &str = "Certificate";

/// Renewal usually happens a month before the end, so less time than this is a finding.
const SOON: Duration = Duration::from_secs(14 * 86_400);

/// Checks the certificate in a PEM file. Another check reports a file that cannot be read.
pub(super) fn examine_file(path: &Path, findings: &mut Findings) {
    if let Ok(certificate) = CertificateDer::from_pem_file(path) {
        examine(&path.display().to_string(), &certificate, findings);
    }
}

/// Checks the certificate that was found at `place`.
pub(super) fn examine(place: &str, certificate: &[u8], findings: &mut Findings) {
    const REMEDY: &str = "Renew it; with tls.mode = \"files\" the new file is read without a restart.";
    let Some(end) = end_of(certificate) else {
        findings.warn(
            CHECK,
            format!("the certificate of {place} cannot be read"),
            "Look at it with openssl x509.",
        );
        return;
    };
    let now = server::now();
    if end <= now {
        findings.fail(
            CHECK,
            format!("the certificate of {place} ended at {}", time(end)),
            REMEDY,
        );
    } else if end <= now + SOON {
        findings.warn(
            CHECK,
            format!("the certificate of {place} ends at {}", time(end)),
            REMEDY,
        );
    } else {
        findings.ok(
            CHECK,
            format!("the certificate of {place} is valid until {}", time(end)),
        );
    }
}

fn end_of(certificate: &[u8]) -> Option<Timestamp> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let end = certificate.tbs_certificate.validity.not_after.to_unix_duration();
    Some(Timestamp::from_secs(i64::try_from(end.as_secs()).ok()?))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;
    use crate::cli::doctor::Outcome;

    fn outcome_for(days_left: i64) -> Outcome {
        let mut params = CertificateParams::new(vec!["auth.example.com".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        let end = jiff::Timestamp::from_second(server::now().as_secs() + days_left * 86_400).unwrap();
        let end = end.to_zoned(jiff::tz::TimeZone::UTC);
        let (month, day) = (end.month().unsigned_abs(), end.day().unsigned_abs());
        params.not_after = rcgen::date_time_ymd(end.year().into(), month, day);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let mut findings = Findings::default();
        examine("auth.example.com", certificate.der(), &mut findings);
        findings.worst()
    }

    #[test]
    fn a_certificate_that_ends_soon_is_a_warning_and_an_ended_one_a_failure() {
        assert_eq!(outcome_for(60), Outcome::Ok);
        assert_eq!(outcome_for(10), Outcome::Warn);
        assert_eq!(outcome_for(-2), Outcome::Fail);
    }

    #[test]
    fn what_is_no_certificate_is_a_warning() {
        let mut findings = Findings::default();
        examine("auth.example.com", b"nonsense", &mut findings);
        assert_eq!(findings.worst(), Outcome::Warn);
    }
}
