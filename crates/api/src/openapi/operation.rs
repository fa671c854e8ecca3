//! The operations of the REST API: routes with their descriptions.

use std::collections::HashMap;
use std::sync::LazyLock;

use http::{Method, StatusCode};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};

use super::comments;
use crate::methods::{self, Callers};
use crate::rest::routes::{BodyBinding, Route, Routes};

/// One way to call one method.
#[derive(Debug)]
pub struct Operation {
    /// `OrganizationService_GetOrganization`, with a number behind it for further bindings.
    pub id: String,
    pub service: ServiceInfo,
    /// A sentence without a full stop.
    pub summary: String,
    pub description: String,
    pub verb: Method,
    /// `/api/v1/organizations/{id}`.
    pub path: String,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<RequestBody>,
    pub(crate) answer: MessageDescriptor,
    /// The status of success.
    pub success: StatusCode,
    /// A token needs one of these; empty if any management token is enough.
    pub permissions: &'static [String],
    /// Whether it answers without a token.
    pub is_open: bool,
    pub is_deprecated: bool,
    /// `organization.getOrganization`; empty if the SDK has none.
    pub node: &'static str,
    /// `organization.get_organization`; empty if the SDK has none.
    pub python: &'static str,
}

/// The service that an operation belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceInfo {
    /// Its subject: `Organizations`.
    pub title: String,
    pub description: &'static str,
}

/// A value in the path or the query.
#[derive(Debug)]
pub(crate) struct Parameter {
    /// `filter.status`.
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) field: FieldDescriptor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Path,
    Query,
}

/// The body of a request.
#[derive(Debug)]
pub(crate) enum RequestBody {
    /// These fields of the request message.
    Fields(Vec<FieldDescriptor>),
    /// One field, which is the whole body.
    Field(FieldDescriptor),
}

static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let mut operations: Vec<Operation> = Routes::get().iter().filter_map(Operation::new).collect();
    operations
        .sort_by(|a, b| (&a.service.title, a.order(), &a.id).cmp(&(&b.service.title, b.order(), &b.id)));
    operations
});

/// Every operation that a management client can use: by service, then by path.
pub fn operations() -> &'static [Operation] {
    &OPERATIONS
}

impl Operation {
    fn new(route: &Route) -> Option<Self> {
        let method = methods::find(route.grpc_path.as_str())?;
        let is_for_clients = matches!(method.callers, Callers::Clients | Callers::Everybody);
        if method.unserved.is_some() || !is_for_clients {
            return None;
        }
        let descriptor = &route.method;
        let comment = comments::at(&descriptor.parent_file(), descriptor.path());
        let summary = match comments::summary(comment) {
            "" => comments::words(descriptor.name()),
            sentence => sentence.to_owned(),
        };
        let (node, python) = sdk_names(route.grpc_path.as_str());
        let number = if route.index == 0 {
            String::new()
        } else {
            (route.index + 1).to_string()
        };
        Some(Self {
            id: format!(
                "{}_{}{number}",
                descriptor.parent_service().name(),
                descriptor.name()
            ),
            service: service(descriptor),
            summary,
            description: comment.to_owned(),
            verb: route.verb.clone(),
            path: route.path.clone(),
            parameters: parameters(route),
            body: body(route),
            answer: descriptor.output(),
            success: route.success(),
            permissions: &method.permissions,
            is_open: method.callers == Callers::Everybody,
            is_deprecated: is_deprecated(descriptor),
            node,
            python,
        })
    }

    /// The reading order inside a service: short paths first, reading before writing.
    fn order(&self) -> (&str, usize) {
        let verbs = [
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ];
        let verb = verbs
            .iter()
            .position(|verb| *verb == self.verb)
            .unwrap_or(verbs.len());
        (&self.path, verb)
    }
}

fn service(method: &MethodDescriptor) -> ServiceInfo {
    let service = method.parent_service();
    let package = service.package_name().rsplit('.').next().unwrap_or_default();
    let title = match package {
        "auditlogs" => "Authentication logs".to_owned(),
        "auth" => "Authentication".to_owned(),
        "tokens" => "API tokens".to_owned(),
        "webauthn" => "Passkeys".to_owned(),
        package => {
            let mut letters = package.chars();
            letters
                .next()
                .map(|first| first.to_uppercase().collect::<String>() + letters.as_str())
                .unwrap_or_default()
        }
    };
    ServiceInfo {
        title,
        description: comments::at(&service.parent_file(), service.path()),
    }
}

fn is_deprecated(method: &MethodDescriptor) -> bool {
    let options = &method.method_descriptor_proto().options;
    options
        .as_ref()
        .is_some_and(prost_types::MethodOptions::deprecated)
}

fn parameters(route: &Route) -> Vec<Parameter> {
    let input = route.method.input();
    let mut found = Vec::new();
    for name in route.template.variables() {
        if let Some(field) = input.get_field_by_name(name) {
            found.push(Parameter {
                name: name.to_owned(),
                place: Place::Path,
                field,
            });
        }
    }
    let taken: Vec<FieldDescriptor> = found.iter().map(|parameter| parameter.field.clone()).collect();
    if matches!(route.body, BodyBinding::Whole) {
        return found;
    }
    for field in input.fields() {
        let is_body = matches!(&route.body, BodyBinding::Field(body) if *body == field);
        if !is_body && !is_taken(&field, &taken) {
            query_parameters(&field, field.name(), &mut found);
        }
    }
    found
}

/// Whether the path sets the field, or another member of its choice.
fn is_taken(field: &FieldDescriptor, taken: &[FieldDescriptor]) -> bool {
    let same_choice = |other: &FieldDescriptor| {
        let oneof =
            |field: &FieldDescriptor| field.containing_oneof().map(|oneof| oneof.full_name().to_owned());
        oneof(field).is_some() && oneof(field) == oneof(other)
    };
    taken.iter().any(|other| other == field || same_choice(other))
}

fn query_parameters(field: &FieldDescriptor, name: &str, found: &mut Vec<Parameter>) {
    if field.is_map() || is_internal(field) {
        return;
    }
    match field.kind() {
        Kind::Message(message) if !message.full_name().starts_with("google.protobuf.") => {
            // No message nests further, and a query cannot hold lists of messages.
            if !field.is_list() && !name.contains('.') {
                for inner in message.fields() {
                    query_parameters(&inner, &format!("{name}.{}", inner.name()), found);
                }
            }
        }
        _ => found.push(Parameter {
            name: name.to_owned(),
            place: Place::Query,
            field: field.clone(),
        }),
    }
}

fn body(route: &Route) -> Option<RequestBody> {
    match &route.body {
        BodyBinding::None => None,
        BodyBinding::Field(field) => Some(RequestBody::Field(field.clone())),
        BodyBinding::Whole => {
            let input = route.method.input();
            let taken: Vec<FieldDescriptor> = route
                .template
                .variables()
                .filter_map(|name| input.get_field_by_name(name))
                .collect();
            Some(RequestBody::Fields(
                input.fields().filter(|field| !is_taken(field, &taken)).collect(),
            ))
        }
    }
}

/// Whether `proto/` marks the field as internal.
pub(crate) fn is_internal(field: &FieldDescriptor) -> bool {
    super::restriction(field).is_some_and(|restriction| restriction == "INTERNAL")
}

/// The names of the Node and the Python SDK for the method at `path`.
fn sdk_names(path: &str) -> (&'static str, &'static str) {
    static NAMES: LazyLock<HashMap<&'static str, (&'static str, &'static str)>> = LazyLock::new(|| {
        let lines = include_str!("sdk_methods.tsv").lines();
        let names = lines.filter_map(|line| {
            let mut columns = line.split('\t');
            Some((columns.next()?, (columns.next()?, columns.next()?)))
        });
        names.collect()
    });
    NAMES
        .get(path.trim_start_matches('/'))
        .copied()
        .unwrap_or_default()
}
