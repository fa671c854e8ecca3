//! Files that the gateway's pages refer to.

use axum::Router;
use genkan_web::static_files::StaticFile;

/// The sheet of every page.
pub static STYLESHEET: StaticFile = StaticFile::sheet("genkan.css");

/// The icon in the browser's tab.
pub static FAVICON: StaticFile = StaticFile::svg("favicon.svg", include_bytes!("../../static/favicon.svg"));

/// Both, at their addresses.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    genkan_web::static_files::router(&STYLESHEET, &FAVICON)
}
