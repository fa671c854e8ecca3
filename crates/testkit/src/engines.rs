//! Runs a test on both engines.

use genkan_db::testing::{self, Scratch};
use genkan_store::MIGRATIONS;

use crate::{Gateway, Setup};

/// Runs `test` on a fresh gateway on each engine that can be tested here.
///
/// # Panics
///
/// If `test` does. The engine is printed before.
pub async fn on_each_engine(test: impl AsyncFn(&Gateway)) {
    on_each_engine_of(Gateway::setup, test).await;
}

/// As [`on_each_engine`], with a setup.
///
/// # Panics
///
/// If `test` does.
pub async fn on_each_engine_of(setup: impl Fn() -> Setup, test: impl AsyncFn(&Gateway)) {
    testing::on_each(Scratch::each_with(MIGRATIONS).await, async |scratch| {
        let gateway = setup().start_on(scratch).await;
        test(&gateway).await;
        gateway.stop().await;
    })
    .await;
}
