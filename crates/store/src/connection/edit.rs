//! A change of one value.

/// A change of one value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Edit<T> {
    /// It stays.
    #[default]
    Leave,
    Set(T),
    /// It gets its default.
    Clear,
}

impl Edit<String> {
    /// The change for an entered text. An empty text clears the value.
    pub fn of_text(text: Option<String>) -> Self {
        match text {
            None => Self::Leave,
            Some(text) if text.is_empty() => Self::Clear,
            Some(text) => Self::Set(text),
        }
    }
}

impl<T: Clone> Edit<T> {
    pub(super) fn enter(&self, field: &mut Option<T>) {
        match self {
            Self::Leave => {}
            Self::Set(value) => *field = Some(value.clone()),
            Self::Clear => *field = None,
        }
    }
}

/// Sets a value that cannot be cleared.
pub(super) fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}
