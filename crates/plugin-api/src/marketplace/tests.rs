//! Tests of the catalog: which version is chosen, and what a hostile catalog can do.

use proptest::prelude::*;

use super::*;

fn catalog(plugins: &str) -> Result<(Catalog, Vec<BadEntry>), Malformed> {
    Catalog::parse(&format!(
        r#"{{"$schema":"x","name":"Acme","owner":"acme","description":"Plugins of Acme","plugins":[{plugins}],"later":1}}"#
    ))
}

fn plugin(name: &str, versions: &[String]) -> String {
    format!(
        r#"{{"name":"{name}","title":"Title","description":"A description","source":"https://github.com/acme/x","versions":[{}]}}"#,
        versions.join(",")
    )
}

fn version(version: &str, more: &str) -> String {
    format!(
        r#"{{"version":"{version}","integrity":"sha512-AAAA","permissions":{{}},"capabilities":{{"auth":{{}}}},"publishedAt":"2026-06-02"{more}}}"#
    )
}

fn select(versions: &[String], asked: Option<&str>, prereleases: Prereleases) -> Result<String, String> {
    let (catalog, bad) = catalog(&plugin("abc", versions)).unwrap();
    assert!(bad.is_empty(), "{bad:?}");
    let selected = catalog.get("abc").unwrap().select(asked, prereleases);
    selected
        .map(|version| version.version.to_string())
        .map_err(|error| error.to_string())
}

#[test]
fn the_newest_version_is_chosen_whatever_the_order() {
    // The official catalog lists 0.2.1 first and 0.2.0 last.
    let versions = ["0.2.1", "0.1.0", "0.2.0"].map(|text| version(text, ""));
    assert_eq!(select(&versions, None, Prereleases::Exclude).unwrap(), "0.2.1");
    let versions = ["1.9.0", "1.10.0", "1.2.0"].map(|text| version(text, ""));
    assert_eq!(select(&versions, None, Prereleases::Exclude).unwrap(), "1.10.0");
}

#[test]
fn a_prerelease_is_chosen_only_when_asked_for() {
    let versions = ["1.1.0", "1.2.0-rc2", "1.2.0-rc.10", "1.2.0-rc.9"].map(|text| version(text, ""));
    assert_eq!(select(&versions, None, Prereleases::Exclude).unwrap(), "1.1.0");
    assert_eq!(
        select(&versions, Some("1.2.0-rc.9"), Prereleases::Exclude).unwrap(),
        "1.2.0-rc.9"
    );
    assert_eq!(
        select(&versions[..3], None, Prereleases::Include).unwrap(),
        "1.2.0-rc2"
    );
    assert_eq!(
        select(&versions[2..], None, Prereleases::Include).unwrap(),
        "1.2.0-rc.10"
    );
    let error = select(&versions[1..], None, Prereleases::Exclude).unwrap_err();
    assert_eq!(
        error,
        "marketplace: abc has only prereleases; --pre installs the newest, 1.2.0-rc2"
    );
}

#[test]
fn a_yanked_version_is_refused_with_its_reason() {
    let yanked = version(
        "2.0.0",
        r#","yanked":true,"yanked_reason":"leaks \u001b[31mtokens""#,
    );
    let versions = [version("1.0.0", ""), yanked.clone()];
    assert_eq!(select(&versions, None, Prereleases::Exclude).unwrap(), "1.0.0");
    let error = select(&versions, Some("2.0.0"), Prereleases::Exclude).unwrap_err();
    assert_eq!(
        error,
        "marketplace: abc has no published non-yanked version 2.0.0 (yanked: leaks [31mtokens)"
    );
    let error = select(&[yanked], None, Prereleases::Exclude).unwrap_err();
    assert_eq!(
        error,
        "marketplace: every published version of abc is yanked (yanked: leaks [31mtokens)"
    );
    let error = select(&versions, Some("3.0.0"), Prereleases::Exclude).unwrap_err();
    assert_eq!(
        error,
        "marketplace: abc has no published non-yanked version 3.0.0"
    );
}

#[test]
fn a_draft_is_never_chosen() {
    let versions = [version("1.0.0", ""), version("2.0.0", r#","draft":true"#)];
    assert_eq!(select(&versions, None, Prereleases::Include).unwrap(), "1.0.0");
    assert!(select(&versions, Some("2.0.0"), Prereleases::Include).is_err());
    assert_eq!(
        select(&versions[1..], None, Prereleases::Include).unwrap_err(),
        "marketplace: abc has no published version"
    );
}

#[test]
fn one_bad_plugin_or_version_does_not_cost_the_good_ones() {
    let good = plugin(
        "good",
        &[
            version("1.0.0", ""),
            version("bad", ""),
            r#"{"version":"3.0.0"}"#.to_owned(),
        ],
    );
    let (catalog, bad) = catalog(&format!(
        r#"{good},{{"name":"worse"}},17,{}"#,
        plugin("UPPER", &[])
    ))
    .unwrap();
    assert_eq!(catalog.plugins.len(), 1);
    assert_eq!(
        catalog
            .get("good")
            .unwrap()
            .select(None, Prereleases::Exclude)
            .unwrap()
            .version
            .as_str(),
        "1.0.0"
    );
    let places: Vec<String> = bad.iter().map(|bad| bad.place.clone()).collect();
    assert_eq!(
        places,
        [
            "plugins[0].versions[1]",
            "plugins[0].versions[2]",
            "plugins[1]",
            "plugins[2]",
            "plugins[3]"
        ]
    );
    assert!(catalog.to_file().contains("worse") && catalog.to_file().contains("\"later\": 1"));
}

#[test]
fn a_version_that_is_listed_twice_cannot_come_back_from_being_yanked() {
    let versions = [
        version("1.0.0", ""),
        version("1.0.0", r#","yanked":true"#),
        version("0.9.0", ""),
    ];
    let (catalog, bad) = catalog(&plugin("abc", &versions)).unwrap();
    assert_eq!(bad.len(), 2);
    let selected = catalog
        .get("abc")
        .unwrap()
        .select(None, Prereleases::Exclude)
        .unwrap();
    assert_eq!(selected.version.as_str(), "0.9.0");
}

#[test]
fn a_plugin_that_is_listed_twice_is_not_offered() {
    let one = plugin("abc", &[version("1.0.0", "")]);
    let (catalog, bad) = catalog(&format!("{one},{one}")).unwrap();
    assert!(catalog.plugins.is_empty());
    assert_eq!(bad.len(), 2);
}

#[test]
fn a_document_that_is_no_catalog_is_an_error() {
    for text in [
        "",
        "[]",
        "{}",
        r#"{"name":"a","owner":"b","description":"c"}"#,
        r#"{"name":" ","owner":"b","description":"c","plugins":[]}"#,
        r#"{"name":"a","owner":"b","description":"c","plugins":{}}"#,
        "<html>",
    ] {
        assert!(
            Catalog::parse(text)
                .unwrap_err()
                .to_string()
                .starts_with("marketplace is malformed"),
            "{text}"
        );
    }
}

proptest! {
    #[test]
    fn the_chosen_version_is_live_and_none_is_newer(rows in prop::collection::vec(("[0-2]\\.[0-2]\\.[0-2](-rc\\.[0-9]{1,2})?", any::<bool>(), any::<bool>()), 1..8)) {
        let versions: Vec<String> = rows.iter().map(|(text, yanked, draft)| version(text, &format!(r#","yanked":{yanked},"draft":{draft}"#))).collect();
        let (catalog, _) = catalog(&plugin("abc", &versions)).unwrap();
        let abc = catalog.get("abc").unwrap();
        if let Ok(chosen) = abc.select(None, Prereleases::Include) {
            prop_assert!(!chosen.yanked && !chosen.draft);
            prop_assert!(abc.versions.iter().filter(|version| !version.yanked && !version.draft).all(|version| version.version <= chosen.version));
        }
    }
}
