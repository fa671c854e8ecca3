//! Finds rows by identifier, thirty at a time.
//!
//! A statement is a static text, so its number of parameters is fixed. It always has thirty. If there are
//! fewer identifiers, the first one fills the rest. So one prepared statement serves any number.

use genkan_db::Value;

/// How many identifiers one statement takes.
pub(crate) const AT_ONCE: usize = 30;

/// The parameters `$1` to `$30`, in brackets.
macro_rules! any_of {
    () => {
        "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
          $23, $24, $25, $26, $27, $28, $29, $30)"
    };
}
pub(crate) use any_of;

/// The parameters for [`any_of`]. `ids` holds one to [`AT_ONCE`] identifiers.
pub(crate) fn bind<'a, I>(ids: &'a [I]) -> Vec<Value<'a>>
where
    &'a I: Into<Value<'a>>,
{
    ids.iter()
        .chain(std::iter::repeat(&ids[0]))
        .take(AT_ONCE)
        .map(Into::into)
        .collect()
}

/// Puts rows in the order of the identifiers.
pub(crate) fn in_order<I: PartialEq, T>(ids: &[I], mut rows: Vec<T>, id: impl Fn(&T) -> &I) -> Vec<T> {
    rows.sort_by_key(|row| ids.iter().position(|known| known == id(row)));
    rows
}
