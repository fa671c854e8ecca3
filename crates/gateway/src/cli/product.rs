//! Lists products for the command line.

use genkan_store::Provider;

/// The products with this property, by the names that people type: "okta, google or custom".
pub(super) fn list(is_such: fn(Provider) -> bool) -> String {
    let products = Provider::ALL.iter().copied().filter(|product| is_such(*product));
    let mut words: Vec<String> = products.map(Provider::typed).collect();
    let last = words.pop().unwrap_or_default();
    format!("{} or {last}", words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_listed_as_people_type_them() {
        assert_eq!(
            list(Provider::is_of_companies),
            "okta, google, microsoft_ad (Entra), auth0, onelogin, ping_identity, jumpcloud, adfs, \
             keycloak, shibboleth, duo, cyberark, oracle or custom"
        );
        for product in Provider::ALL.iter().copied() {
            let typed = product.typed();
            let word = typed.split(' ').next().unwrap();
            assert_eq!(Provider::named(word), Some(product), "{typed}");
        }
    }
}
