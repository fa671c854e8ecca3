//! Every method, its permitted callers, and whether it is served.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use prost_reflect::{DynamicMessage, MethodDescriptor, Value};

use crate::{descriptors, services};

/// A method of the contract.
#[derive(Debug, Clone)]
pub struct Method {
    pub descriptor: MethodDescriptor,
    pub callers: Callers,
    /// One of these is enough.
    pub permissions: Vec<String>,
    /// Why it is not served, if it is not.
    pub unserved: Option<&'static str>,
}

/// Who may call a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callers {
    /// Everybody, without a token.
    Everybody,
    /// Management clients, and others.
    Clients,
    /// Not management clients: operators, users, or portals.
    Others,
    /// Nobody.
    Nobody,
}

static METHODS: LazyLock<HashMap<String, Method>> = LazyLock::new(|| {
    let services = descriptors::pool().services();
    services
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .map(|descriptor| {
            let path = format!(
                "/{}/{}",
                descriptor.parent_service().full_name(),
                descriptor.name()
            );
            let method = read(descriptor, services::unserved(&path));
            (path, method)
        })
        .collect()
});

/// The method at `path`: `/package.Service/Method`.
pub fn find(path: &str) -> Option<&'static Method> {
    METHODS.get(path)
}

/// Every method that is served, by path.
pub fn served() -> impl Iterator<Item = (&'static str, &'static Method)> {
    all().filter(|(_, method)| method.unserved.is_none())
}

/// Every method of the contract, by path.
pub fn all() -> impl Iterator<Item = (&'static str, &'static Method)> {
    METHODS.iter().map(|(path, method)| (path.as_str(), method))
}

/// Every permission that a management client can ask for as a scope.
pub fn permissions() -> &'static BTreeSet<String> {
    static PERMISSIONS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        let clients = all().filter(|(_, method)| method.callers == Callers::Clients);
        let names = clients.flat_map(|(_, method)| &method.permissions);
        names.filter(|name| name.contains(':')).cloned().collect()
    });
    &PERMISSIONS
}

fn read(descriptor: MethodDescriptor, unserved: Option<&'static str>) -> Method {
    let option = descriptors::pool()
        .get_extension_by_name("scalekit.v1.options.auth_option")
        .expect("options.proto declares it");
    let options = descriptor.options();
    let auth = options.get_extension(&option);
    let auth = auth.as_message().expect("it is a message");
    let kinds = auth
        .get_field_by_name("authentication_type")
        .and_then(|kinds| kinds.as_enum_number())
        .unwrap_or_default();
    Method {
        callers: callers(kinds),
        permissions: permission_names(auth),
        descriptor,
        unserved,
    }
}

/// The kinds are bits of `scalekit.v1.options.AuthenticationType`. A method
/// without the option has none of them.
const fn callers(kinds: i32) -> Callers {
    const NONE: i32 = 1;
    const CLIENT: i32 = 4;
    if kinds == 0 {
        Callers::Nobody
    } else if kinds & CLIENT != 0 {
        Callers::Clients
    } else if kinds & NONE != 0 {
        Callers::Everybody
    } else {
        Callers::Others
    }
}

/// Names with a colon are for clients and operators, names without one for users in
/// hosted widgets. If a method has only the latter, a client needs the name with the
/// same meaning: `organizations_read` is `organizations:read`.
fn permission_names(auth: &DynamicMessage) -> Vec<String> {
    let names = auth.get_field_by_name("permissions");
    let names: Vec<String> = names
        .as_deref()
        .and_then(Value::as_list)
        .unwrap_or_default()
        .iter()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    if names.is_empty() || names.iter().any(|name| name.contains(':')) {
        return names;
    }
    names
        .iter()
        .filter_map(|name| name.rsplit_once('_'))
        .map(|(object, verb)| format!("{object}:{verb}"))
        .collect()
}
