//! The permission matrix: every method with every permission.

use genkan_api::methods::{self, Callers};
use genkan_api::{Credential, Permissions};
use tonic::Code;

use super::call_raw;
use crate::support::{Harness, MANAGEMENT};

async fn code(harness: &Harness, token: Option<&str>, path: &str) -> Code {
    // A message that breaks its rules goes no further than the checks under test.
    match call_raw(harness, token, path, &[0xff]).await {
        Ok(_) => Code::Ok,
        Err(status) => status.code(),
    }
}

/// A token for a permission: a colon cannot stand in one (RFC 6750 §2.1).
fn token(permission: &str) -> String {
    permission.replace(':', ".")
}

#[tokio::test]
async fn a_permission_opens_its_methods_and_no_other() {
    let harness = Harness::start().await;
    for name in methods::permissions() {
        harness.grant(&token(name), Permissions::Only([name.clone()].into()));
    }
    let mut opened = 0;
    for (path, method) in methods::all() {
        for name in methods::permissions() {
            let denied = code(&harness, Some(&token(name)), path).await == Code::PermissionDenied;
            let may = match method.callers {
                Callers::Everybody => true,
                Callers::Clients => method.permissions.contains(name),
                Callers::Others | Callers::Nobody => false,
            };
            assert_eq!(!denied, may, "{path} with {name}");
            opened += usize::from(may && method.callers == Callers::Clients);
        }
    }
    assert!(opened > 140, "{opened}");
}

#[tokio::test]
async fn without_a_token_only_open_methods_answer() {
    let harness = Harness::start().await;
    harness.present("user", Credential::NotForManagement("this token is a user's"));
    for (path, method) in methods::all() {
        let (none, stale, user) = (
            code(&harness, None, path).await,
            code(&harness, Some("stale"), path).await,
            code(&harness, Some("user"), path).await,
        );
        match method.callers {
            Callers::Everybody => {
                for code in [none, stale, user] {
                    assert!(
                        !matches!(code, Code::Unauthenticated | Code::PermissionDenied),
                        "{path}"
                    );
                }
            }
            Callers::Clients | Callers::Others => {
                assert_eq!(
                    (none, stale, user),
                    (
                        Code::Unauthenticated,
                        Code::Unauthenticated,
                        Code::PermissionDenied
                    ),
                    "{path}"
                );
            }
            Callers::Nobody => assert_eq!(none, Code::PermissionDenied, "{path}"),
        }
    }
}

#[tokio::test]
async fn a_management_token_opens_what_is_for_clients() {
    let harness = Harness::start().await;
    for (path, method) in methods::all() {
        let denied = code(&harness, Some(MANAGEMENT), path).await == Code::PermissionDenied;
        let is_for_others = matches!(method.callers, Callers::Others | Callers::Nobody);
        assert_eq!(denied, is_for_others, "{path}");
    }
}
