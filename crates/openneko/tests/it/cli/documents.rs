//! The generated reference is that of this version. To write it again:
//! `OPENNEKO_WRITE_DOCS=1 cargo test -p openneko --test it cli::documents`.

use std::path::Path;

#[test]
fn the_reference_of_the_command_line_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/openneko-cli.md");
    let generated = openneko::cli::reference();
    #[expect(
        clippy::disallowed_methods,
        reason = "tells a test run from a run that writes"
    )]
    let write = std::env::var_os("OPENNEKO_WRITE_DOCS").is_some();
    if write {
        std::fs::write(&path, &generated).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == generated,
        "docs/reference/openneko-cli.md is not current: run `just docs`"
    );
}
