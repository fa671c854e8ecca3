//! Reads a row, column after column.

use std::time::Duration;

use genkan_db::Row;
use genkan_protocol::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::id::Id;
use crate::{Error, SecretHash};

/// The names that `string_agg(…, '\n')` has joined. No name contains a line break.
pub(crate) fn lines(joined: Option<String>) -> Vec<String> {
    joined
        .map(|joined| joined.split('\n').map(str::to_owned).collect())
        .unwrap_or_default()
}

/// Reads the columns of a row in the order of the `SELECT`. Every aggregate has one list of columns and,
/// next to it, one function that reads them.
pub(crate) struct Columns<'a> {
    row: &'a Row,
    next: usize,
}

impl<'a> Columns<'a> {
    pub(crate) fn of(row: &'a Row) -> Self {
        Self { row, next: 0 }
    }

    /// Reads from after `skipped` columns of another aggregate.
    pub(crate) fn from(row: &'a Row, skipped: usize) -> Self {
        Self { row, next: skipped }
    }

    fn step(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    pub(crate) fn text(&mut self) -> Result<String, Error> {
        Ok(self.row.get(self.step())?)
    }

    pub(crate) fn optional_text(&mut self) -> Result<Option<String>, Error> {
        Ok(self.row.get(self.step())?)
    }

    pub(crate) fn int(&mut self) -> Result<i64, Error> {
        Ok(self.row.get(self.step())?)
    }

    pub(crate) fn optional_int(&mut self) -> Result<Option<i64>, Error> {
        Ok(self.row.get(self.step())?)
    }

    pub(crate) fn bool(&mut self) -> Result<bool, Error> {
        Ok(self.row.get(self.step())?)
    }

    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, Error> {
        Ok(self.row.get(self.step())?)
    }

    pub(crate) fn optional_bytes(&mut self) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.row.get(self.step())?)
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp, Error> {
        self.int().map(Timestamp::from_micros)
    }

    pub(crate) fn optional_time(&mut self) -> Result<Option<Timestamp>, Error> {
        let micros: Option<i64> = self.row.get(self.step())?;
        Ok(micros.map(Timestamp::from_micros))
    }

    pub(crate) fn seconds(&mut self) -> Result<Duration, Error> {
        let secs = u64::try_from(self.int()?).map_err(|_| Error::Corrupt("a number of seconds"))?;
        Ok(Duration::from_secs(secs))
    }

    pub(crate) fn optional_seconds(&mut self) -> Result<Option<Duration>, Error> {
        let secs: Option<i64> = self.row.get(self.step())?;
        secs.map(|secs| u64::try_from(secs).map(Duration::from_secs))
            .transpose()
            .map_err(|_| Error::Corrupt("a number of seconds"))
    }

    pub(crate) fn id<I: Id>(&mut self) -> Result<I, Error> {
        I::parse(&self.text()?).map_err(|_| Error::Corrupt(I::PREFIXES[0]))
    }

    pub(crate) fn optional_id<I: Id>(&mut self) -> Result<Option<I>, Error> {
        let text = self.optional_text()?;
        text.map(|text| I::parse(&text))
            .transpose()
            .map_err(|_| Error::Corrupt(I::PREFIXES[0]))
    }

    pub(crate) fn hash(&mut self, column: &'static str) -> Result<SecretHash, Error> {
        let bytes: [u8; 32] = self.bytes()?.try_into().map_err(|_| Error::Corrupt(column))?;
        Ok(SecretHash::from_bytes(bytes))
    }

    pub(crate) fn json<T: DeserializeOwned>(&mut self, column: &'static str) -> Result<T, Error> {
        serde_json::from_str(&self.text()?).map_err(|_| Error::Corrupt(column))
    }

    pub(crate) fn optional_json<T: DeserializeOwned>(
        &mut self,
        column: &'static str,
    ) -> Result<Option<T>, Error> {
        let text = self.optional_text()?;
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|_| Error::Corrupt(column))
    }

    /// A text that `parse` understands: a word of a closed set, an e-mail address.
    pub(crate) fn parsed<T, E>(
        &mut self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, Error> {
        parse(&self.text()?).map_err(|_| Error::Corrupt(column))
    }

    /// The same for a column that may be NULL.
    pub(crate) fn optional_parsed<T, E>(
        &mut self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Error> {
        let text = self.optional_text()?;
        text.map(|text| parse(&text))
            .transpose()
            .map_err(|_| Error::Corrupt(column))
    }
}

/// A SELECT that locks what it reads until the commit, if the engine needs that, see
/// `docs/decisions/isolation.md`. The lock comes last.
macro_rules! held {
    ($tx:expr, $lock:literal, $($sql:expr),+ $(,)?) => {
        if $tx.locks() {
            concat!($($sql),+, " ", $lock)
        } else {
            concat!($($sql),+)
        }
    };
}
pub(crate) use held;

/// The JSON text for a column.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value)
        .expect("what the store keeps as JSON has text keys and no foreign serializer")
}

/// The seconds for a column.
pub(crate) fn secs(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// A closed set of words, as the database and the API write them.
macro_rules! words {
    ($(#[$doc:meta])* $vis:vis enum $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        $vis enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word as it is stored and sent.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UnknownWord;

            fn from_str(word: &str) -> Result<Self, $crate::UnknownWord> {
                match word {
                    $($word => Ok(Self::$variant),)*
                    _ => Err($crate::UnknownWord { known: &[$($word),*] }),
                }
            }
        }
    };
}
pub(crate) use words;
