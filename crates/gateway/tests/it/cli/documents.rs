//! The generated references are those of this version. To write them again:
//! `GENKAN_WRITE_DOCS=1 cargo test -p genkan --test it cli::documents`.

use std::path::Path;

#[track_caller]
fn is_current(name: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/reference")
        .join(name);
    #[expect(
        clippy::disallowed_methods,
        reason = "tells a test run from a run that writes"
    )]
    let write = std::env::var_os("GENKAN_WRITE_DOCS").is_some();
    if write {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, generated).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == generated,
        "docs/reference/{name} is not current: run `just docs`"
    );
}

#[test]
fn the_reference_of_the_configuration_is_current() {
    is_current("configuration.md", &genkan::config::reference());
}

#[test]
fn the_reference_of_the_command_line_is_current() {
    is_current("cli.md", &genkan::cli::reference());
}

#[test]
fn the_reference_of_causes_is_current() {
    is_current("causes.md", &genkan::connections::reference());
}
