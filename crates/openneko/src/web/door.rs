//! What the sign-in page can offer. It never offers to go on without signing in.

use crate::host::Provider;

/// The state of signing in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Door {
    Open(Provider),
    /// Installed, but some of its environment is missing.
    Pending(Provider),
    /// No plugin is installed, nor ever was.
    Setup,
    /// The plugin that signed people in is gone, or the manifest cannot be
    /// read; holds the plugin's name where it is known.
    Lost(Option<String>),
    /// Nobody said how browsers reach this server.
    NoPublicUrl,
}

impl Door {
    /// Decides from what the host says and what it once said.
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

    fn provider(pending: &[&str]) -> Provider {
        Provider {
            plugin_name: "@x/plugin-y".to_owned(),
            provider_label: "Y".to_owned(),
            pending: pending.iter().map(|key| (*key).to_owned()).collect(),
        }
    }

    #[test]
    fn only_a_whole_plugin_with_an_address_opens() {
        let marker = || Some("@x/plugin-y".to_owned());
        assert_eq!(
            Door::of(Some(provider(&[])), None, true),
            Door::Open(provider(&[]))
        );
        assert_eq!(
            Door::of(Some(provider(&["K"])), marker(), true),
            Door::Pending(provider(&["K"]))
        );
        assert_eq!(Door::of(Some(provider(&[])), marker(), false), Door::NoPublicUrl);
        assert_eq!(Door::of(None, marker(), true), Door::Lost(marker()));
        assert_eq!(Door::of(None, None, true), Door::Setup);
    }
}
