//! The products at the other end of connections and directories: one table, for what
//! people call them, what they can be, and what is peculiar to them.
//!
//! A product that is added is one row. Logos and guides will be fields of it.

use crate::row::words;

/// What is known of a product.
#[derive(Clone, Copy)]
struct Row {
    /// What people call it.
    title: &'static str,
    /// What people call it where its people and groups come from; `None`: it sends none.
    directory: Option<&'static str>,
    /// Other names that people type.
    names: &'static [&'static str],
    /// It knows `prompt=select_account`, by its documentation.
    chooses_accounts: bool,
    /// The issuer of everybody who comes from there, if it has one for all.
    issuer: Option<&'static str>,
}

impl Row {
    const fn titled(title: &'static str) -> Self {
        Self {
            title,
            directory: None,
            names: &[],
            chooses_accounts: false,
            issuer: None,
        }
    }
}

/// Makes the products of their rows.
macro_rules! catalogue {
    ($($(#[$doc:meta])* $name:ident = $word:literal: $row:expr,)*) => {
        words! {
            /// A product of somebody else's that people come from.
            pub enum Provider { $($(#[$doc])* $name = $word,)* }
        }

        impl Provider {
            const fn row(self) -> Row {
                match self { $(Self::$name => $row,)* }
            }
        }
    };
}

catalogue! {
    Okta = "OKTA": Row {
        directory: Some("Okta"),
        ..Row::titled("Okta")
    },
    Google = "GOOGLE": Row {
        directory: Some("Google Workspace"),
        names: &["GOOGLE_WORKSPACE", "GSUITE", "G_SUITE"],
        chooses_accounts: true,
        issuer: Some("https://accounts.google.com"),
        ..Row::titled("Google")
    },
    MicrosoftAd = "MICROSOFT_AD": Row {
        directory: Some("Microsoft Entra ID"),
        names: &[
            "ENTRA", "ENTRA_ID", "MICROSOFT_ENTRA", "MICROSOFT_ENTRA_ID", "AZURE", "AZURE_AD", "AZUREAD", "AAD",
        ],
        chooses_accounts: true,
        ..Row::titled("Microsoft Entra ID")
    },
    Auth0 = "AUTH0": Row {
        directory: Some("Auth0"),
        ..Row::titled("Auth0")
    },
    OneLogin = "ONELOGIN": Row {
        directory: Some("OneLogin"),
        names: &["ONE_LOGIN"],
        ..Row::titled("OneLogin")
    },
    PingIdentity = "PING_IDENTITY": Row {
        directory: Some("Ping Identity"),
        names: &["PING", "PINGFEDERATE", "PINGONE", "PING_ONE"],
        ..Row::titled("Ping Identity")
    },
    JumpCloud = "JUMPCLOUD": Row {
        directory: Some("JumpCloud"),
        names: &["JUMP_CLOUD"],
        ..Row::titled("JumpCloud")
    },
    Adfs = "ADFS": Row {
        names: &["AD_FS"],
        ..Row::titled("AD FS")
    },
    Github = "GITHUB": Row::titled("GitHub"),
    Gitlab = "GITLAB": Row::titled("GitLab"),
    LinkedIn = "LINKEDIN": Row::titled("LinkedIn"),
    Salesforce = "SALESFORCE": Row::titled("Salesforce"),
    Microsoft = "MICROSOFT": Row {
        chooses_accounts: true,
        ..Row::titled("Microsoft")
    },
    Scalekit = "SCALEKIT": Row::titled("Scalekit"),
    Custom = "CUSTOM": Row::titled("Single sign-on"),
    /// The simulator of `genkan dev`.
    IdpSimulator = "IDP_SIMULATOR": Row {
        chooses_accounts: true,
        ..Row::titled("Simulator")
    },
}

impl Provider {
    /// What people call it.
    pub const fn title(self) -> &'static str {
        self.row().title
    }

    /// What people call it as a directory; `None` if it can be none.
    pub const fn directory_title(self) -> Option<&'static str> {
        self.row().directory
    }

    /// Whether it knows `prompt=select_account`, by its documentation.
    pub const fn chooses_accounts(self) -> bool {
        self.row().chooses_accounts
    }

    /// The issuer of everybody who comes from there, if it has one for all.
    pub const fn issuer(self) -> Option<&'static str> {
        self.row().issuer
    }

    /// The product that people call so, in any case of letters.
    pub fn named(text: &str) -> Option<Self> {
        let word = text.to_ascii_uppercase().replace(['-', ' '], "_");
        let is_called =
            |product: &Self| product.as_str() == word || product.row().names.contains(&word.as_str());
        Self::ALL.iter().copied().find(is_called)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_name_means_one_product() {
        let mut seen = BTreeSet::new();
        for product in Provider::ALL {
            assert!(!product.title().is_empty());
            for name in product.row().names.iter().copied().chain([product.as_str()]) {
                assert!(seen.insert(name), "{name} is the name of two products");
                assert_eq!(
                    Provider::named(&name.to_lowercase().replace('_', "-")),
                    Some(*product)
                );
            }
        }
        assert_eq!(Provider::named("oktta"), None);
    }
}
