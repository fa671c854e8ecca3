//! What the sign-in page can offer. It never lets anybody in without signing in.

use crate::host::Provider;

/// The state of signing in.
#[derive(Debug, Clone)]
pub(crate) enum Door {
    Open(Provider),
    /// Installed, but some of its environment is missing.
    Pending(Provider),
    /// No plugin is installed, nor ever was.
    Setup,
    /// The plugin that signed people in is gone, or the manifest cannot be
    /// read; holds the plugin's name if it is known.
    Lost(Option<String>),
    /// The public URL is not set.
    NoPublicUrl,
}

impl Door {
    /// Decides from the present provider and the marker of an earlier one.
    pub(crate) fn of(provider: Option<Provider>, marker: Option<String>, has_public_url: bool) -> Self {
        match (provider, marker) {
            (Some(provider), _) if !provider.pending.is_empty() => Self::Pending(provider),
            (Some(_), _) if !has_public_url => Self::NoPublicUrl,
            (Some(provider), _) => Self::Open(provider),
            (None, Some(plugin)) => Self::Lost(Some(plugin)),
            (None, None) => Self::Setup,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::samples::provider;

    #[test]
    fn only_a_whole_plugin_with_an_address_opens() {
        let marker = || Some("@x/plugin-y".to_owned());
        let whole = || Some(provider(&[]));
        assert!(matches!(Door::of(whole(), None, true), Door::Open(one) if one.pending.is_empty()));
        let pending = Door::of(Some(provider(&["K"])), marker(), true);
        assert!(matches!(pending, Door::Pending(one) if one.pending == ["K"]));
        assert!(matches!(Door::of(whole(), marker(), false), Door::NoPublicUrl));
        assert!(matches!(Door::of(None, marker(), true), Door::Lost(lost) if lost == marker()));
        assert!(matches!(Door::of(None, None, true), Door::Setup));
    }
}
