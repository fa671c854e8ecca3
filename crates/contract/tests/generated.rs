//! What is checked in under `src/generated/` is what `proto/` says.
//!
//! `GENKAN_WRITE_CONTRACT=1 cargo test -p genkan-contract` (`just proto`) writes it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The package whose descriptors become code. Everything else in the set are options.
const PACKAGE: &str = "scalekit.v1";

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the switch of the one command that writes"
)]
fn the_generated_code_is_that_of_proto() {
    let generated = generate();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/generated");
    if std::env::var_os("GENKAN_WRITE_CONTRACT").is_some() {
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in &generated {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
        return;
    }
    let mut there: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    there.sort();
    let expected: Vec<String> = generated.keys().cloned().collect();
    assert_eq!(there, expected, "run `just proto`");
    for (name, bytes) in &generated {
        let checked_in = std::fs::read(folder.join(name)).unwrap();
        assert!(
            checked_in == *bytes,
            "{name} is not what proto/ says: run `just proto`"
        );
    }
}

/// The files of `src/generated`, by name.
fn generate() -> BTreeMap<String, Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let mut compiler = protox::Compiler::new([&root]).unwrap();
    compiler.include_source_info(true).include_imports(true);
    compiler
        .open_files(proto_files(&root.join("scalekit")))
        .unwrap_or_else(|error| panic!("{error:?}"));
    let mut files = BTreeMap::new();
    let mut rust_input = compiler.file_descriptor_set();
    files.insert(
        "descriptors.binpb".to_owned(),
        compiler.encode_file_descriptor_set(),
    );
    // The options are read at run time; only messages and services become code.
    rust_input.file.retain(|file| {
        let package = file.package();
        let is_ours = package.starts_with(PACKAGE) && package != "scalekit.v1.options";
        is_ours || package == "google.protobuf"
    });
    for file in &mut rust_input.file {
        let is_option = |name: &String| name.starts_with("google/api") || name.starts_with("buf/");
        file.dependency
            .retain(|name| !is_option(name) && !name.ends_with("/options.proto"));
        file.public_dependency.clear();
        file.source_code_info = None;
    }
    let out = tempfile::tempdir().unwrap();
    let mut config = tonic_prost_build::Config::new();
    config.btree_map(["."]);
    tonic_prost_build::configure()
        .client_mod_attribute(".", "#[cfg(feature = \"client\")]")
        .generate_default_stubs(true)
        .include_file("mod.rs")
        .out_dir(&out)
        .compile_fds_with_config(rust_input, config)
        .unwrap();
    for entry in std::fs::read_dir(&out).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let is_ours = name == "mod.rs" || name.starts_with(PACKAGE);
        if is_ours {
            files.insert(name, std::fs::read(&path).unwrap());
        }
    }
    files
}

fn proto_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(proto_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            found.push(path);
        }
    }
    found.sort();
    found
}
