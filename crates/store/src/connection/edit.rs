//! What a change does to one value.

/// What a change does to one value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Edit<T> {
    /// It stays.
    #[default]
    Leave,
    Set(T),
    /// It becomes what it is where nobody has entered anything.
    Clear,
}

impl Edit<String> {
    /// A text that was entered, if one was: an empty one clears.
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

/// Enters a value that is always something.
pub(super) fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}
