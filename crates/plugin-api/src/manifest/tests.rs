//! Tests of the manifest: what it keeps, and what it refuses.

use proptest::prelude::*;

use super::*;

const FULL: &str = r#"{
  "$comment": "kept",
  "schema": "https://open-neko.github.io/plugins/manifest.schema.json",
  "plugins": [
    {
      "zeta": { "b": 1, "a": [1.5, null] },
      "name": "@open-neko/plugin-scalekit",
      "version": "0.2.1",
      "integrity": "sha512-unknown",
      "permissions": {
        "network": [
          "*.scalekit.com"
        ],
        "env": [
          {
            "key": "SCALEKIT_CLIENT_SECRET",
            "inject": "box",
            "description": "a <b> & c",
            "hint": "unknown here"
          }
        ],
        "files": "unknown here"
      },
      "capabilities": {
        "auth": {
          "providerLabel": "Scalekit",
          "provisioning": "manual"
        },
        "connect": {
          "providerLabel": "Scalekit workspace",
          "flow": "mcp-oauth",
          "scopes": [
            "wks:read"
          ],
          "credentialScope": "deployment"
        },
        "directory": {}
      },
      "installSource": "marketplace",
      "policySnapshot": {
        "allowUnverified": false
      }
    },
    "not even an object"
  ],
  "after": true
}
"#;

#[test]
fn a_file_that_is_only_read_is_written_as_it_was() {
    let (manifest, bad) = Manifest::parse(FULL).unwrap();
    assert_eq!(bad.len(), 1);
    let again: Json = serde_json::from_str(&manifest.to_file()).unwrap();
    assert_eq!(again, serde_json::from_str::<Json>(FULL).unwrap());
    assert!(
        manifest.to_file().contains("a <b> & c"),
        "nothing is escaped for HTML"
    );
    assert!(manifest.to_file().ends_with("}\n"));
}

#[test]
fn an_entry_that_is_changed_keeps_what_is_not_understood_and_its_order() {
    let (mut manifest, _) = Manifest::parse(FULL).unwrap();
    let mut entry = manifest.get("@open-neko/plugin-scalekit").unwrap().clone();
    entry.version = Version::parse("0.3.0").unwrap();
    manifest.upsert(entry);
    let expected = FULL.replace("0.2.1", "0.3.0");
    let again: Json = serde_json::from_str(&manifest.to_file()).unwrap();
    assert_eq!(again, serde_json::from_str::<Json>(&expected).unwrap());
}

#[test]
fn one_bad_entry_does_not_cost_the_good_ones() {
    let good = r#"{"name":"good","version":"1.0.0","integrity":"sha512-AAAA","capabilities":{"auth":{}}}"#;
    for (bad_entry, reason) in [
        (r#"{}"#, "missing field `name`"),
        (r#"null"#, "invalid type"),
        (
            r#"{"name":"../../etc","version":"1.0.0","integrity":"sha512-AAAA","capabilities":{"auth":{}}}"#,
            "package name",
        ),
        (
            r#"{"name":"bad","version":"^1","integrity":"sha512-AAAA","capabilities":{"auth":{}}}"#,
            "version",
        ),
        (
            r#"{"name":"bad","version":"1.0.0","integrity":"md5-AAAA","capabilities":{"auth":{}}}"#,
            "integrity",
        ),
        (
            r#"{"name":"bad","version":"1.0.0","integrity":"sha512-AAAA","capabilities":{}}"#,
            "nothing that it can do",
        ),
        (
            r#"{"name":"bad","version":"1.0.0","integrity":"sha512-AAAA","capabilities":{"directory":{}}}"#,
            "nothing that it can do",
        ),
        (
            r#"{"name":"bad","version":"1.0.0","integrity":"sha512-AAAA","capabilities":{"auth":{}},"permissions":{"network":["https://x"]}}"#,
            "host",
        ),
        (
            r#"{"name":"bad","version":"1.0.0","integrity":"sha512-AAAA","capabilities":{"auth":{}},"permissions":{"env":[{"key":"a"}]}}"#,
            "UPPER_SNAKE_CASE",
        ),
        (
            r#"{"name":"bad","version":"1.0.0","integrity":"sha512-AAAA","capabilities":{"auth":{}},"permissions":{"env":[{"key":"A","inject":"elsewhere"}]}}"#,
            "unknown variant",
        ),
        (good, "listed twice"),
    ] {
        let text = format!(r#"{{"schema":"{SCHEMA}","plugins":[{good},{bad_entry}]}}"#);
        let (manifest, bad) = Manifest::parse(&text).unwrap();
        assert_eq!(manifest.entries().count(), 1, "{bad_entry}");
        assert_eq!(
            (bad.len(), bad[0].place.as_str()),
            (1, "plugins[1]"),
            "{bad_entry}"
        );
        assert!(bad[0].reason.contains(reason), "{} is not about {reason}", bad[0]);
        assert_eq!(
            serde_json::from_str::<Json>(&manifest.to_file()).unwrap(),
            serde_json::from_str::<Json>(&text).unwrap()
        );
    }
}

#[test]
fn a_file_that_is_no_manifest_is_an_error_and_not_an_empty_manifest() {
    for text in [
        "",
        "{}",
        "[]",
        "null",
        r#"{"schema":"other","plugins":[]}"#,
        &format!(r#"{{"schema":"{SCHEMA}"}}"#),
        &format!(r#"{{"schema":"{SCHEMA}","plugins":{{}}}}"#),
    ] {
        let error = Manifest::parse(text).unwrap_err();
        assert!(
            error.to_string().starts_with("manifest is malformed"),
            "{text}: {error}"
        );
    }
    assert!(Manifest::parse(&" ".repeat(MAX_SIZE + 1)).is_err());
}

#[test]
fn a_broken_sign_in_plugin_is_still_seen() {
    let parse = |entry: &str| {
        Manifest::parse(&format!(r#"{{"schema":"{SCHEMA}","plugins":[{entry}]}}"#))
            .unwrap()
            .0
    };
    assert!(parse(r#"{"name":"x","capabilities":{"auth":{}}}"#).mentions_auth());
    assert!(parse(r#"{"name":"x"}"#).mentions_auth());
    assert!(parse("1").mentions_auth());
    assert!(!parse(r#"{"name":"x","capabilities":{"action":{"kinds":[]}}}"#).mentions_auth());
    assert!(!Manifest::new().mentions_auth());
}

#[test]
fn removing_takes_bad_entries_too() {
    let (mut manifest, _) = Manifest::parse(&format!(
        r#"{{"schema":"{SCHEMA}","plugins":[{{"name":"broken"}},7]}}"#
    ))
    .unwrap();
    assert!(manifest.remove("broken"));
    assert!(!manifest.remove("broken"));
    assert!(manifest.to_file().contains('7'));
}

#[test]
fn a_name_cannot_write_on_the_terminal() {
    let (_, bad) = Manifest::parse(&format!(
        r#"{{"schema":"{SCHEMA}","plugins":[{{"name":"\u001b[2J\n"}}]}}"#
    ))
    .unwrap();
    assert!(!bad[0].to_string().chars().any(char::is_control));
}

#[test]
fn grants_of_the_operator_are_kept_in_the_entry() {
    let text = format!(
        r#"{{"schema":"{SCHEMA}","plugins":[{{"name":"abc","version":"1.0.0","integrity":"sha512-AAAA","capabilities":{{"auth":{{}}}},"grants":[{{"host":"auth.acme.com","port":8443,"allowPrivate":true,"grantedAt":"2026-06-02T00:00:00Z"}}]}}]}}"#
    );
    let (manifest, bad) = Manifest::parse(&text).unwrap();
    assert!(bad.is_empty(), "{bad:?}");
    let entry = manifest.get("abc").unwrap();
    assert_eq!(
        (entry.grants[0].port, entry.grants[0].allow_private),
        (8443, true)
    );
    assert_eq!(
        serde_json::to_string(&entry)
            .unwrap()
            .matches("auth.acme.com")
            .count(),
        1
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC*") {
        let _ = Manifest::parse(&text);
        let _ = Manifest::parse(&format!(r#"{{"schema":"{SCHEMA}","plugins":[{text}]}}"#));
    }
}
