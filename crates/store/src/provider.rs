//! The products at the other end of connections and directories, in one table: their names, what they can
//! be used for, and how they differ from others.
//!
//! To add a product, add one row.

use crate::row::words;

/// The facts about a product.
#[derive(Clone, Copy)]
struct Row {
    /// Its name for people.
    title: &'static str,
    /// Other names that people type.
    names: &'static [&'static str],
    /// Its name in lists, if its word is not clear enough.
    called: Option<&'static str>,
    /// Companies use it as their identity provider, so a connection can lead there.
    connection: bool,
    /// Its name as a directory. `None`: it cannot be one.
    directory: Option<&'static str>,
    /// People sign in there for themselves, independent of a company.
    social: bool,
    /// The issuer, if it is the same for all customers.
    issuer: Option<&'static str>,
    /// The scopes for a person's name and address. `None`: the usual ones.
    scopes: Option<&'static [&'static str]>,
    /// Its documentation says that it supports `prompt=select_account`.
    chooses_accounts: bool,
    /// The file of its logo, if we have one.
    logo: Option<&'static str>,
    /// The page in `docs/guides` about connecting it, if there is one.
    guide: Option<&'static str>,
}

impl Row {
    const fn titled(title: &'static str) -> Self {
        Self {
            title,
            names: &[],
            called: None,
            connection: false,
            directory: None,
            social: false,
            issuer: None,
            scopes: None,
            chooses_accounts: false,
            logo: None,
            guide: None,
        }
    }
}

/// Makes the products from the rows.
macro_rules! catalogue {
    ($($(#[$doc:meta])* $name:ident = $word:literal: $row:expr,)*) => {
        words! {
            /// A product where people come from.
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
        connection: true,
        directory: Some("Okta"),
        ..Row::titled("Okta")
    },
    Google = "GOOGLE": Row {
        names: &["GOOGLE_WORKSPACE", "GSUITE", "G_SUITE"],
        connection: true,
        directory: Some("Google Workspace"),
        social: true,
        issuer: Some("https://accounts.google.com"),
        chooses_accounts: true,
        ..Row::titled("Google")
    },
    MicrosoftAd = "MICROSOFT_AD": Row {
        names: &[
            "ENTRA", "ENTRA_ID", "MICROSOFT_ENTRA", "MICROSOFT_ENTRA_ID", "AZURE", "AZURE_AD", "AZUREAD", "AAD",
        ],
        called: Some("Entra"),
        connection: true,
        directory: Some("Microsoft Entra ID"),
        chooses_accounts: true,
        ..Row::titled("Microsoft Entra ID")
    },
    Auth0 = "AUTH0": Row {
        connection: true,
        directory: Some("Auth0"),
        ..Row::titled("Auth0")
    },
    OneLogin = "ONELOGIN": Row {
        names: &["ONE_LOGIN"],
        connection: true,
        directory: Some("OneLogin"),
        ..Row::titled("OneLogin")
    },
    PingIdentity = "PING_IDENTITY": Row {
        names: &["PING", "PINGFEDERATE", "PINGONE", "PING_ONE"],
        connection: true,
        directory: Some("Ping Identity"),
        ..Row::titled("Ping Identity")
    },
    JumpCloud = "JUMPCLOUD": Row {
        names: &["JUMP_CLOUD"],
        connection: true,
        directory: Some("JumpCloud"),
        ..Row::titled("JumpCloud")
    },
    Adfs = "ADFS": Row {
        names: &["AD_FS"],
        connection: true,
        ..Row::titled("AD FS")
    },
    Keycloak = "KEYCLOAK": Row {
        connection: true,
        ..Row::titled("Keycloak")
    },
    Shibboleth = "SHIBBOLETH": Row {
        connection: true,
        ..Row::titled("Shibboleth")
    },
    Duo = "DUO": Row {
        names: &["DUO_SECURITY", "CISCO_DUO"],
        connection: true,
        ..Row::titled("Duo")
    },
    CyberArk = "CYBERARK": Row {
        names: &["CYBER_ARK", "IDAPTIVE"],
        connection: true,
        ..Row::titled("CyberArk")
    },
    Oracle = "ORACLE": Row {
        names: &["ORACLE_IDCS", "IDCS", "OCI"],
        connection: true,
        ..Row::titled("Oracle")
    },
    Github = "GITHUB": Row {
        social: true,
        // It speaks OAuth 2.0 and no OpenID Connect.
        scopes: Some(&["read:user", "user:email"]),
        ..Row::titled("GitHub")
    },
    Gitlab = "GITLAB": Row {
        social: true,
        ..Row::titled("GitLab")
    },
    LinkedIn = "LINKEDIN": Row {
        social: true,
        ..Row::titled("LinkedIn")
    },
    Salesforce = "SALESFORCE": Row {
        social: true,
        ..Row::titled("Salesforce")
    },
    /// Private accounts, and accounts of any company.
    Microsoft = "MICROSOFT": Row {
        social: true,
        chooses_accounts: true,
        ..Row::titled("Microsoft")
    },
    Scalekit = "SCALEKIT": Row::titled("Scalekit"),
    /// Any other product.
    Custom = "CUSTOM": Row {
        connection: true,
        ..Row::titled("Single sign-on")
    },
    /// The simulator of `genkan dev`.
    IdpSimulator = "IDP_SIMULATOR": Row {
        chooses_accounts: true,
        ..Row::titled("Simulator")
    },
}

impl Provider {
    /// Its name for people.
    pub const fn title(self) -> &'static str {
        self.row().title
    }

    /// Its word for the command line, with its name in lists if the word is not clear enough.
    pub fn typed(self) -> String {
        let word = self.as_str().to_ascii_lowercase();
        match self.row().called {
            Some(called) => format!("{word} ({called})"),
            None => word,
        }
    }

    /// Whether companies use it as their identity provider. A connection may lead to any product all the
    /// same.
    pub const fn is_of_companies(self) -> bool {
        self.row().connection
    }

    /// Its name as a directory. `None` if it cannot be one.
    pub const fn directory_title(self) -> Option<&'static str> {
        self.row().directory
    }

    /// Whether it can be a directory.
    pub const fn is_directory(self) -> bool {
        self.row().directory.is_some()
    }

    /// Whether people sign in there for themselves, independent of a company.
    pub const fn is_social(self) -> bool {
        self.row().social
    }

    /// The issuer, if it is the same for all customers.
    pub const fn issuer(self) -> Option<&'static str> {
        self.row().issuer
    }

    /// The scopes for a person's name and address, if they are not the usual ones.
    pub const fn scopes(self) -> Option<&'static [&'static str]> {
        self.row().scopes
    }

    /// Whether its documentation says that it supports `prompt=select_account`.
    pub const fn chooses_accounts(self) -> bool {
        self.row().chooses_accounts
    }

    /// The file of its logo, if there is one.
    pub const fn logo(self) -> Option<&'static str> {
        self.row().logo
    }

    /// The page in `docs/guides` about connecting it, if there is one.
    pub const fn guide(self) -> Option<&'static str> {
        self.row().guide
    }

    /// The product with this name, in upper or lower case.
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

    #[test]
    fn a_title_is_that_of_one_product() {
        let (mut titles, mut of_directories) = (BTreeSet::new(), BTreeSet::new());
        for product in Provider::ALL {
            assert!(titles.insert(product.title()), "{product}");
            if let Some(title) = product.directory_title() {
                assert!(of_directories.insert(title), "{product}");
            }
        }
    }

    #[test]
    fn a_product_can_be_something_and_a_directory_is_of_a_company() {
        // These two are no product of a company: one is the kind of server that Genkan is, and one is a
        // part of Genkan.
        let of_nobody = [Provider::Scalekit, Provider::IdpSimulator];
        for product in Provider::ALL.iter().copied() {
            let is_something = product.is_of_companies() || product.is_directory() || product.is_social();
            assert_ne!(is_something, of_nobody.contains(&product), "{product}");
            if product.is_directory() {
                assert!(
                    product.is_of_companies(),
                    "{product} sends people who cannot sign in"
                );
            }
        }
    }

    #[test]
    fn what_a_row_says_can_be_used() {
        let guides = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guides");
        for product in Provider::ALL {
            if let Some(issuer) = product.issuer() {
                let url = url::Url::parse(issuer).unwrap();
                assert_eq!(
                    (url.scheme(), url.query(), url.fragment()),
                    ("https", None, None),
                    "{product}"
                );
            }
            for scope in product.scopes().unwrap_or_default() {
                assert!(
                    !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic()),
                    "{product}"
                );
            }
            if let Some(logo) = product.logo() {
                assert!(logo.ends_with(".svg") && !logo.contains('/'), "{product}");
            }
            if let Some(guide) = product.guide() {
                let page = std::path::Path::new(guides).join(guide);
                assert!(page.is_file(), "{product} has no page {}", page.display());
            }
        }
    }
}
