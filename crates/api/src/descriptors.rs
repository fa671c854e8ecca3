//! The contract at run time.

use std::sync::LazyLock;

use prost_reflect::DescriptorPool;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(genkan_contract::DESCRIPTORS).expect("the test of genkan-contract compiles them")
});

/// Every message and service, with options and comments.
pub fn pool() -> &'static DescriptorPool {
    &POOL
}
