//! The store against files of other versions, lost and wrong keys.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::paths::Environment;

const KEY: &str = "fixture-secret-key-do-not-use-in-prod";
const SEALED: &str = "enc:v1:hvcSe2nh3pk4NRr+v//ejHeqpfsglBDUUD7Klxlq5fabgAEhHYG7q27lTJPO8w==";

struct Fixture {
    directory: tempfile::TempDir,
    store: Store,
}

impl Fixture {
    fn new(secrets: Option<&str>, key: Option<&str>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().to_str().unwrap();
        let environment: Environment = [("XDG_CONFIG_HOME", home)].into_iter().collect();
        let store = Store::open(&Paths::new(environment, directory.path())).unwrap();
        let fixture = Self { directory, store };
        for (name, content) in [("secrets.json", secrets), ("secret-key", key)] {
            if let Some(content) = content {
                fs::write(fixture.path(name), content).unwrap();
            }
        }
        fixture
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("openneko").join(name)
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path("secrets.json")).unwrap()
    }

    fn value(&self, plugin: &str, key: &str) -> Option<String> {
        let values = self.store.get(plugin).unwrap();
        values.get(key).map(|value| value.expose().to_owned())
    }
}

fn secret(value: &str) -> Secret {
    Secret::new(value.to_owned())
}

#[test]
fn a_value_comes_back_and_is_nowhere_in_the_files() {
    let fixture = Fixture::new(None, None);
    assert_eq!(fixture.store.list().unwrap(), BTreeMap::new());
    assert_eq!(
        fixture.store.set("@a/b", "KEY", secret("hunter2")).unwrap(),
        Change::Set
    );
    assert_eq!(
        fixture.store.set("@a/b", "KEY", secret("hunter3")).unwrap(),
        Change::Updated
    );
    assert_eq!(fixture.value("@a/b", "KEY").unwrap(), "hunter3");
    assert!(
        fixture
            .text()
            .starts_with("{\n  \"@a/b\": {\n    \"KEY\": \"enc:v1:")
    );
    assert!(!fixture.text().contains("hunter"));
    for name in ["secrets.json", "secret-key"] {
        let mode = fs::metadata(fixture.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let mode = fs::metadata(fixture.path("")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(fixture.store.unset("@a/b", "KEY").unwrap());
    assert!(!fixture.store.unset("@a/b", "KEY").unwrap());
    assert_eq!(fixture.text(), "{}\n");
}

#[test]
fn a_file_of_the_original_is_read_and_its_operators_stay_to_the_byte() {
    let operators = r#"{"op-1":{"@open-neko/plugin-google":"enc:v1:zzz"},"odd":[1.0, 2]}"#;
    let file = format!(r#"{{"@a/b":{{"OLD":"in the clear","NEW":"{SEALED}"}},"_operators":{operators}}}"#);
    let fixture = Fixture::new(Some(&file), Some(KEY));
    assert_eq!(fixture.value("@a/b", "NEW").unwrap(), "xoxb-fixture-token");
    assert_eq!(fixture.value("@a/b", "OLD").unwrap(), "in the clear");

    fixture.store.set("c", "K", secret("")).unwrap();
    let text = fixture.text();
    assert!(!text.contains("in the clear"), "sealed by the next write");
    assert!(text.contains(SEALED), "what is sealed is not touched");
    assert!(text.contains(&format!("\"_operators\": {operators}")));
    assert_eq!(fixture.value("@a/b", "OLD").unwrap(), "in the clear");
    assert_eq!(fixture.value("c", "K").unwrap(), "", "an empty value is a value");
}

#[test]
fn a_wrong_key_is_an_error_and_loses_nothing() {
    let file = format!(r#"{{"@a/b":{{"TOKEN":"{SEALED}"}}}}"#);
    let fixture = Fixture::new(Some(&file), Some("another key"));
    let message = fixture.store.get("@a/b").unwrap_err().to_string();
    assert!(message.starts_with("cannot decrypt @a/b/TOKEN:"), "{message}");
    assert!(fixture.store.set("c", "K", secret("v")).is_err());
    assert_eq!(fixture.text(), file);
    assert_eq!(fixture.store.list().unwrap()["@a/b"], ["TOKEN"]);
    assert!(fixture.store.get("c").unwrap().is_empty());
    assert!(fixture.store.unset("@a/b", "TOKEN").unwrap());
    fixture.store.set("c", "K", secret("v")).unwrap();
}

#[test]
fn a_lost_key_is_not_replaced_by_a_new_one() {
    let file = format!(r#"{{"@a/b":{{"TOKEN":"{SEALED}"}}}}"#);
    for key in [None, Some(""), Some(" \n")] {
        let fixture = Fixture::new(Some(&file), key);
        assert!(matches!(fixture.store.get("@a/b"), Err(Error::NoKey(_))));
        assert!(matches!(
            fixture.store.set("c", "K", secret("v")),
            Err(Error::NoKey(_))
        ));
        assert!(matches!(fixture.store.derived_key("x"), Err(Error::NoKey(_))));
        assert_eq!(fixture.text(), file);
        assert_eq!(
            fs::read_to_string(fixture.path("secret-key")).ok().as_deref(),
            key
        );
    }
}

#[test]
fn what_is_not_a_store_is_an_error_and_left_alone() {
    for file in ["", "[]", "{", r#"{"p":"hunter2"}"#, r#"{"p":{},"p":{}}"#] {
        let fixture = Fixture::new(Some(file), Some(KEY));
        let errors = [
            fixture.store.get("p").unwrap_err(),
            fixture.store.list().unwrap_err(),
            fixture.store.set("p", "K", secret("v")).unwrap_err(),
            fixture.store.unset("p", "K").unwrap_err(),
        ];
        for error in errors {
            let message = error.to_string();
            assert!(message.contains("is invalid JSON: "), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
        assert_eq!(fixture.text(), file);
    }
}

#[test]
fn names_and_values_that_cannot_be_are_refused() {
    let fixture = Fixture::new(Some(r#"{"mixed":{"A":"x","n":1}}"#), None);
    let refused = |plugin: &str, key: &str, value: &str| {
        let result = fixture.store.set(plugin, key, secret(value));
        result.unwrap_err().to_string()
    };
    assert!(refused("p", "lower", "v").contains("must be UPPER_SNAKE_CASE"));
    assert!(refused("p", &"K".repeat(65), "v").contains("must be UPPER_SNAKE_CASE"));
    assert!(refused("_operators", "K", "v").contains("not the name of a plugin"));
    assert!(refused("mixed", "K", "v").contains("left alone"));
    assert!(refused("p", "K", &"v".repeat(65_537)).contains("too long"));
    assert!(refused("p", "K", "a\0b").contains("NUL"));
    assert_eq!(fixture.value("mixed", "A").unwrap(), "x");
}

#[test]
fn several_values_are_stored_together_or_not_at_all() {
    let fixture = Fixture::new(None, None);
    let values = |last: &str| vec![("A".to_owned(), secret("1")), (last.to_owned(), secret("2"))];
    assert!(fixture.store.set_all("p", values("bad")).is_err());
    assert!(fixture.store.list().unwrap().is_empty());
    fixture.store.set_all("p", values("B")).unwrap();
    assert_eq!(fixture.store.list().unwrap()["p"], ["A", "B"]);
}

#[test]
fn a_derived_key_lasts_as_long_as_the_key() {
    let fixture = Fixture::new(None, None);
    let first = fixture.store.derived_key("session-cookie:v1").unwrap();
    assert_eq!(fixture.store.derived_key("session-cookie:v1").unwrap(), first);
    assert_ne!(fixture.store.derived_key("state-cookie:v1").unwrap(), first);
}

#[test]
fn files_that_others_can_read_are_named() {
    let fixture = Fixture::new(None, None);
    fixture.store.set("p", "K", secret("v")).unwrap();
    assert!(fixture.store.exposed_files().is_empty());
    let key = fixture.path("secret-key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(fixture.store.exposed_files(), [key]);
}
