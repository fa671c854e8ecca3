//! Which names can be those of the public internet.
//!
//! Source: RFC 6761 §6.3 (`localhost`), RFC 6762 §3 (`local`), RFC 8375 (`home.arpa`);
//! ICANN reserved `internal` for private use in 2024.

/// Whether a name can be one of the public internet. Any other name belongs to the network
/// of the machine that resolves it, and some clouds serve credentials at such a name.
pub fn is_public_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let Some((_, last)) = name.rsplit_once('.') else {
        return false;
    };
    !matches!(
        last,
        "localhost" | "local" | "internal" | "localdomain" | "lan" | "corp" | "home"
    ) && !name.ends_with(".home.arpa")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_private_network_are_told_from_public_ones() {
        for name in [
            "login.example.com",
            "acme.test",
            "example.com.",
            "xn--bcher-kva.example",
            "local.example.com",
        ] {
            assert!(is_public_name(name), "{name}");
        }
        for name in [
            "localhost",
            "LOCALHOST.",
            "app.localhost",
            "intranet",
            "printer.local",
            "metadata.google.internal",
            "metadata.google.internal.",
            "router.home.arpa",
            "",
        ] {
            assert!(!is_public_name(name), "{name}");
        }
    }
}
