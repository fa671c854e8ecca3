//! The management API in types: generated from `proto/`, checked in.
//!
//! `just proto` writes `src/generated/` again; a test proves that it is clean.

#[allow(
    clippy::all,
    clippy::too_many_lines,
    missing_docs,
    unreachable_pub,
    rustdoc::all,
    reason = "generated code"
)]
#[rustfmt::skip]
mod generated {
    include!("generated/mod.rs");
}

pub use generated::scalekit;

/// Every descriptor with its options and comments: a serialized
/// `google.protobuf.FileDescriptorSet`.
///
/// The bytes are the compiler's own. Reading them into `prost_types` and writing
/// them again would lose the options, and with them routes, permissions and rules.
pub static DESCRIPTORS: &[u8] = include_bytes!("generated/descriptors.binpb");
