//! `Referer`, as browsers send it.
//!
//! Source: Referrer Policy §3, §8; RFC 9110 §10.1.3.

use url::Url;

use super::Page;

/// The referring page of a request (Referrer Policy §8).
#[derive(Debug, Clone)]
pub(super) struct Referer {
    page: Url,
    /// The page's policy is `same-origin`. Otherwise it is the default of browsers,
    /// `strict-origin-when-cross-origin`.
    same_origin_only: bool,
}

impl Referer {
    pub(super) fn of(page: &str) -> Self {
        Self {
            page: Url::parse(page).unwrap(),
            same_origin_only: false,
        }
    }

    pub(super) fn of_page(page: &Page) -> Self {
        Self {
            page: page.url.clone(),
            same_origin_only: page.reply.header("referrer-policy") == "same-origin",
        }
    }

    /// The header of a request to `url`.
    pub(super) fn header(&self, url: &Url) -> Option<String> {
        if self.page.origin() == url.origin() {
            return Some(self.page.as_str().to_owned());
        }
        let is_trustworthy = url.scheme() == "https" || url.host_str() == Some("localhost");
        let is_downgrade = self.page.scheme() == "https" && !is_trustworthy;
        (!self.same_origin_only && !is_downgrade)
            .then(|| format!("{}/", self.page.origin().ascii_serialization()))
    }
}
