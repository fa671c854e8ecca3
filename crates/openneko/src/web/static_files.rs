//! Files that openneko's pages refer to.

use axum::Router;
use genkan_web::static_files::StaticFile;

/// The sheet of every page.
pub(crate) static STYLESHEET: StaticFile = StaticFile::sheet("openneko.css");

/// The icon in the browser's tab.
pub(crate) static FAVICON: StaticFile =
    StaticFile::svg("openneko.svg", include_bytes!("../../static/favicon.svg"));

/// Both, at their addresses.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    genkan_web::static_files::router(&STYLESHEET, &FAVICON)
}
