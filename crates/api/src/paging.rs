//! Lists in pages, with opaque tokens.
//!
//! A token holds an edge and a direction. It names a row, not a position, so pages
//! neither repeat nor skip a row if the list changes.

use std::ops::Deref;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use genkan_store::Page;
use genkan_store::id::Id;
use genkan_store::page::PageStart;
use genkan_store::search::{self, HitPage, Hits};

use crate::Error;

/// The lengths of pages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// The length if the caller gives none.
    pub(crate) default: u32,
    pub(crate) max: u32,
}

impl Sizes {
    pub(crate) const USUAL: Self = Self {
        default: 10,
        max: 100,
    };

    /// `wanted`, within the limits; 0 means "not given".
    pub(crate) fn pick(self, wanted: u32) -> u32 {
        if wanted == 0 {
            self.default
        } else {
            wanted.min(self.max)
        }
    }
}

/// A requested page. It reads one row more than it shows, to know whether another page
/// follows.
#[derive(Debug, Clone)]
pub(crate) struct Request<I> {
    page: Page<I>,
    size: usize,
}

impl<I> Deref for Request<I> {
    type Target = Page<I>;

    fn deref(&self) -> &Page<I> {
        &self.page
    }
}

/// Reads the caller's fields about the page.
///
/// # Errors
///
/// `INVALID_ARGUMENT` if the token is not ours.
pub(crate) fn request<I: Id>(page_size: u32, page_token: &str, sizes: Sizes) -> Result<Request<I>, Error> {
    let size = sizes.pick(page_size);
    let page = if page_token.is_empty() {
        Page::first(size)
    } else {
        let (direction, id) = decode(page_token).ok_or_else(foreign_token)?;
        match direction {
            Direction::Next => Page::after(size, id),
            Direction::Previous => Page::before(size, id),
        }
    };
    Ok(Request {
        page: page.and_one_more(),
        size: usize::try_from(size).unwrap_or(usize::MAX),
    })
}

/// One page, and the tokens of its neighbours. A token is empty if nothing follows.
#[derive(Debug)]
pub(crate) struct PageWithTokens<T> {
    pub(crate) rows: Vec<T>,
    pub(crate) next_page_token: String,
    pub(crate) prev_page_token: String,
}

/// Makes the answer from the rows that were read for `request`.
pub(crate) fn answer<I: Id, T>(
    request: &Request<I>,
    mut rows: Vec<T>,
    id: impl Fn(&T) -> &I,
) -> PageWithTokens<T> {
    let has_more = rows.len() > request.size;
    let is_upwards = matches!(request.page.from, PageStart::Before(_));
    if has_more && is_upwards {
        // The additional row is the newest.
        rows.remove(0);
    } else {
        rows.truncate(request.size);
    }
    let (has_next, has_previous) = match request.page.from {
        PageStart::Newest => (has_more, false),
        PageStart::After(_) => (has_more, true),
        PageStart::Before(_) => (true, has_more),
    };
    let token = |wanted: bool, direction, row: Option<&T>| match row {
        Some(row) if wanted => encode(direction, id(row)),
        _ => String::new(),
    };
    PageWithTokens {
        next_page_token: token(has_next, Direction::Next, rows.last()),
        prev_page_token: token(has_previous, Direction::Previous, rows.first()),
        rows,
    }
}

/// Reads the caller's fields about a page of hits.
///
/// # Errors
///
/// `INVALID_ARGUMENT` if the token is not ours.
pub(crate) fn hits(page_size: u32, page_token: &str) -> Result<HitPage, Error> {
    const SIZES: Sizes = Sizes {
        default: 10,
        max: search::MAX_LIMIT,
    };
    let cursor = |token: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        std::str::from_utf8(&bytes).ok()?.parse().ok()
    };
    let cursor = match page_token {
        "" => None,
        // A place in the index is short.
        token if token.len() > 512 => return Err(foreign_token()),
        token => Some(cursor(token).ok_or_else(foreign_token)?),
    };
    Ok(HitPage {
        limit: SIZES.pick(page_size),
        cursor,
    })
}

/// The tokens of the pages after and before a page of hits.
pub(crate) fn hit_tokens<I>(hits: &Hits<I>) -> (String, String) {
    let token = |cursor: &Option<search::Cursor>| {
        let text = cursor
            .as_ref()
            .map(|cursor| URL_SAFE_NO_PAD.encode(cursor.to_string()));
        text.unwrap_or_default()
    };
    (token(&hits.next), token(&hits.previous))
}

fn foreign_token() -> Error {
    Error::invalid("page_token", "is not one that Genkan issued")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Next,
    Previous,
}

fn encode<I: Id>(direction: Direction, id: &I) -> String {
    let direction = match direction {
        Direction::Next => 'n',
        Direction::Previous => 'p',
    };
    URL_SAFE_NO_PAD.encode(format!("{direction}{}", id.as_str()))
}

fn decode<I: Id>(token: &str) -> Option<(Direction, I)> {
    // An identifier is short.
    if token.len() > 128 {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    let (direction, id) = match text.split_at_checked(1)? {
        ("n", id) => (Direction::Next, id),
        ("p", id) => (Direction::Previous, id),
        _ => return None,
    };
    Some((direction, I::parse(id).ok()?))
}
