# Each recipe prints the commands it runs.

# Lists the recipes
default:
    @just --list

# The short loop: format, lints, types
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# Everything, as CI runs it
test *parts:
    scripts/test {{parts}}

# Everything on this machine, for development
dev *options:
    cargo run -- dev {{options}}

# The generated references, and the public documentation of the crates
docs:
    GENKAN_WRITE_DOCS=1 cargo test --package genkan --test it cli::documents
    OPENNEKO_WRITE_DOCS=1 cargo test --package openneko --test it cli::documents
    cargo doc --workspace --no-deps

# The measurements, by hand and on a quiet machine
bench:
    bench/run

# Writes the code of the management API again from proto/
proto:
    GENKAN_WRITE_CONTRACT=1 cargo test --package genkan-contract
