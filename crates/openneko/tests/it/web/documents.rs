//! The settings and the codes are documented, all of them.

use std::fs;
use std::path::Path;

use openneko::web::problem::Problem;
use openneko::web::settings::File;

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/openneko-configuration.md");
    fs::read_to_string(path).unwrap()
}

#[test]
fn every_key_of_the_configuration_is_documented() {
    let document = document();
    let keys = serde_json::to_value(File::default()).unwrap();
    for key in keys.as_object().unwrap().keys() {
        assert!(document.contains(&format!("| `{key}` |")), "{key} is missing");
    }
}

#[test]
fn every_code_of_a_failed_sign_in_is_documented() {
    let document = document();
    for problem in Problem::ALL {
        assert!(
            document.contains(&format!("`{}`", problem.code())),
            "{problem:?} is missing"
        );
    }
}
