//! The route table: every HTTP annotation of the served packages, most specific first.

use std::sync::LazyLock;

use http::uri::PathAndQuery;
use http::{Method, StatusCode};
use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, MethodDescriptor, Value,
};

use super::template::Template;
use crate::descriptors;
use crate::methods::{self, Callers};

/// No template has more segments; a longer path is not split.
const MOST_SEGMENTS: usize = 16;

/// Every route, built once.
#[derive(Debug)]
pub(crate) struct Routes {
    /// By number of segments, then the most specific template first.
    by_length: Vec<Vec<Route>>,
}

/// One HTTP binding of one RPC.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) verb: Method,
    pub(crate) template: Template,
    /// As the annotation spells it.
    pub(crate) path: String,
    pub(crate) method: MethodDescriptor,
    pub(crate) body: BodyBinding,
    /// 0 for the main binding, 1 and on for additional ones.
    pub(crate) index: usize,
    pub(crate) grpc_path: PathAndQuery,
    /// Whether the RPC is closed to callers without a token.
    pub(crate) needs_token: bool,
}

/// The target of the JSON body of a request.
#[derive(Debug, Clone)]
pub(crate) enum BodyBinding {
    /// Nothing: a body is not read.
    None,
    /// The whole request message.
    Whole,
    Field(FieldDescriptor),
}

/// The result of looking up a path.
#[derive(Debug)]
pub(crate) enum RouteMatch<'r, 'p> {
    Route(&'r Route, Vec<(&'r str, &'p str)>),
    /// The path exists, under these verbs.
    OtherVerbs(Vec<Method>),
    Nothing,
}

/// Built at the first call: a server that only signs people in does not need it.
static ROUTES: LazyLock<Routes> = LazyLock::new(|| Routes::new(descriptors::pool()));

impl Routes {
    /// Those of the contract.
    pub(crate) fn get() -> &'static Self {
        &ROUTES
    }

    fn new(pool: &DescriptorPool) -> Self {
        let http = pool.get_extension_by_name("google.api.http");
        let mut by_length: Vec<Vec<Route>> = (0..=MOST_SEGMENTS).map(|_| Vec::new()).collect();
        for method in pool
            .services()
            .flat_map(|service| service.methods().collect::<Vec<_>>())
        {
            let Some(rule) = http.as_ref().and_then(|http| option(&method, http)) else {
                continue;
            };
            for (index, rule) in std::iter::once(rule.clone()).chain(additional(&rule)).enumerate() {
                let Some(route) = Route::new(&method, &rule, index) else {
                    continue;
                };
                if let Some(routes) = by_length.get_mut(route.template.segments().len()) {
                    routes.push(route);
                }
            }
        }
        for routes in &mut by_length {
            routes.sort_by_cached_key(|route| {
                (route.template.ranks(), route.path.clone(), route.verb.to_string())
            });
        }
        Self { by_length }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Route> {
        self.by_length.iter().flatten()
    }

    pub(crate) fn find<'r, 'p>(&'r self, verb: &Method, path: &'p str) -> RouteMatch<'r, 'p> {
        let Some(path) = path.strip_prefix('/') else {
            return RouteMatch::Nothing;
        };
        let segments: Vec<&str> = path.split('/').take(MOST_SEGMENTS + 1).collect();
        let Some(routes) = self.by_length.get(segments.len()) else {
            return RouteMatch::Nothing;
        };
        let mut others = Vec::new();
        for route in routes {
            let Some(captures) = route.template.captures(&segments) else {
                continue;
            };
            if route.verb == *verb {
                return RouteMatch::Route(route, captures);
            }
            if !others.contains(&route.verb) {
                others.push(route.verb.clone());
            }
        }
        if others.is_empty() {
            return RouteMatch::Nothing;
        }
        others.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        RouteMatch::OtherVerbs(others)
    }
}

impl Route {
    /// Absent if the binding is of a kind that is not served: a template with wildcards, a
    /// custom verb, a `response_body`.
    fn new(method: &MethodDescriptor, rule: &DynamicMessage, index: usize) -> Option<Self> {
        let (verb, path) = [
            ("get", Method::GET),
            ("put", Method::PUT),
            ("post", Method::POST),
            ("delete", Method::DELETE),
            ("patch", Method::PATCH),
        ]
        .into_iter()
        .find_map(|(name, verb)| {
            let path = text(rule, name)?;
            Some((verb, path))
        })?;
        if text(rule, "response_body").is_some() {
            return None;
        }
        let body = match text(rule, "body").as_deref() {
            None => BodyBinding::None,
            Some("*") => BodyBinding::Whole,
            Some(field) => BodyBinding::Field(method.input().get_field_by_name(field)?),
        };
        let grpc_path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        Some(Self {
            verb,
            template: Template::parse(&path).ok()?,
            path,
            method: method.clone(),
            body,
            index,
            needs_token: methods::find(&grpc_path).is_none_or(|method| method.callers != Callers::Everybody),
            grpc_path: grpc_path.try_into().ok()?,
        })
    }

    /// The status of success: a create by `POST` answers 201, everything else 200.
    pub(crate) fn success(&self) -> StatusCode {
        if self.verb == Method::POST && self.method.name().starts_with("Create") {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        }
    }
}

fn option(method: &MethodDescriptor, extension: &ExtensionDescriptor) -> Option<DynamicMessage> {
    let options = method.options();
    if !options.has_extension(extension) {
        return None;
    }
    options.get_extension(extension).as_message().cloned()
}

fn additional(rule: &DynamicMessage) -> Vec<DynamicMessage> {
    let Some(bindings) = rule.get_field_by_name("additional_bindings") else {
        return Vec::new();
    };
    let bindings = bindings.as_list().unwrap_or_default();
    bindings.iter().filter_map(Value::as_message).cloned().collect()
}

/// Absent if the field is unset or empty.
fn text(message: &DynamicMessage, field: &str) -> Option<String> {
    let value = message.get_field_by_name(field)?;
    let text = value.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}
