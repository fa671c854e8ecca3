//! `Referer`, as browsers send it.
//!
//! Source: Referrer Policy §3, §8; RFC 9110 §10.1.3.

use url::Url;

use super::Page;

/// What a request says of the page it came from (Referrer Policy §8).
#[derive(Debug, Clone)]
pub(super) struct Referer {
    page: Url,
    /// The page's policy is `same-origin`; otherwise it is the browsers'
    /// default, `strict-origin-when-cross-origin`.
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

    /// What a request to `url` carries.
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
