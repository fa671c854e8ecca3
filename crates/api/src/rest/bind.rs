//! A request's path, query and body, bound to the request message of its RPC.
//!
//! The path wins over the query, and the query over the body. If the path sets a member
//! of a choice, it replaces every other. So a request reaches only the resource that its
//! path names.
//!
//! Source: `google/api/http.proto`.

use http::Method;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage as _, Value};
use serde_json::Value as Json;

use super::json::{self, At, Mistake};
use super::routes::{BodyBinding, Route};
use super::template::decoded;

/// Longest query, in bytes as sent.
const LONGEST_QUERY: usize = 16 * 1024;

const FIELD_MASK: &str = "google.protobuf.FieldMask";

/// Most parameters in one query.
const MOST_PARAMETERS: usize = 100;

/// Builds the request message.
pub(crate) fn bind(
    route: &Route,
    captures: &[(&str, &str)],
    query: &str,
    body: &[u8],
) -> Result<DynamicMessage, Mistake> {
    let input = route.method.input();
    let mut message = match &route.body {
        BodyBinding::Whole => json::message(&input, json::document(body)?, At::Root)?,
        BodyBinding::Field(field) => named_body(route, field, body)?,
        BodyBinding::None => DynamicMessage::new(input),
    };
    // `*` binds everything that the path does not, so nothing is left for the query.
    if !matches!(route.body, BodyBinding::Whole) {
        bind_query(&mut message, route, captures, query)?;
    }
    for (path, raw) in captures {
        let value = decoded(raw).ok_or_else(|| Mistake::new(path, "is not valid percent-encoded UTF-8"))?;
        let (parent, field) = open(&mut message, path)?;
        parent.set_field(&field, parameter(&field, path, &value)?);
    }
    Ok(message)
}

/// A body that is one field. The names in a `PATCH` say what it changes.
fn named_body(route: &Route, field: &FieldDescriptor, body: &[u8]) -> Result<DynamicMessage, Mistake> {
    let mut message = DynamicMessage::new(route.method.input());
    let document = json::document(body)?;
    let mask = mask_field(&route.method.input()).filter(|_| route.verb == Method::PATCH);
    if let (Some(mask), Some(kind)) = (mask, field.kind().as_message()) {
        let mut paths = Vec::new();
        mask_paths(kind, &document, "", &mut paths);
        if let Some(descriptor) = mask.kind().as_message() {
            let mask_of_body = json::field_mask(descriptor, &paths.join(","));
            message.set_field(&mask, Value::Message(mask_of_body));
        }
    }
    message.set_field(
        field,
        json::field(field, document, At::Field(&At::Root, field.name()))?,
    );
    Ok(message)
}

fn is_mask(field: &FieldDescriptor) -> bool {
    let kind = field.kind();
    !field.is_list()
        && kind
            .as_message()
            .is_some_and(|kind| kind.full_name() == FIELD_MASK)
}

/// The one field that is a mask, by its type.
fn mask_field(descriptor: &MessageDescriptor) -> Option<FieldDescriptor> {
    let mut masks = descriptor.fields().filter(is_mask).collect::<Vec<_>>();
    if masks.len() == 1 { masks.pop() } else { None }
}

/// The fields that an object names, down to values that are changed as a whole.
fn mask_paths(descriptor: &MessageDescriptor, json: &Json, prefix: &str, paths: &mut Vec<String>) {
    let Json::Object(object) = json else { return };
    for (name, value) in object {
        let found = descriptor
            .get_field_by_name(name)
            .or_else(|| descriptor.get_field_by_json_name(name));
        let Some(field) = found else { continue };
        let path = format!("{prefix}{}", field.name());
        let inner = match field.kind() {
            Kind::Message(inner) if !field.is_list() && !field.is_map() => Some(inner),
            _ => None,
        };
        let inner = inner.filter(|inner| !inner.full_name().starts_with("google.protobuf."));
        match (inner, value) {
            (Some(inner), Json::Object(object)) if !object.is_empty() => {
                mask_paths(&inner, value, &format!("{path}."), paths);
            }
            _ => paths.push(path),
        }
    }
}

fn bind_query(
    message: &mut DynamicMessage,
    route: &Route,
    captures: &[(&str, &str)],
    query: &str,
) -> Result<(), Mistake> {
    if query.len() > LONGEST_QUERY {
        return Err(Mistake::new(
            "",
            format!("the query is longer than {LONGEST_QUERY} bytes"),
        ));
    }
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut seen: Vec<String> = Vec::new();
    for (index, pair) in pairs.enumerate() {
        if index == MOST_PARAMETERS {
            return Err(Mistake::new(
                "",
                format!("the query has more than {MOST_PARAMETERS} parameters"),
            ));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let spaced = |text: &str| text.replace('+', " ");
        let malformed = || Mistake::new("", "the query is not valid percent-encoded UTF-8");
        let (name, value) = (spaced(name), spaced(value));
        let name = decoded(&name).ok_or_else(malformed)?;
        let value = decoded(&value).ok_or_else(malformed)?;
        let Some(path) = canonical(&message.descriptor(), &name) else {
            continue;
        };
        if is_bound_elsewhere(route, captures, &path) {
            continue;
        }
        let (parent, field) = open(message, &path)?;
        if field.is_list() {
            let item = parameter(&field, &path, &value)?;
            if let Value::List(items) = parent.get_field_mut(&field) {
                items.push(item);
            }
            continue;
        }
        if seen.contains(&path) {
            return Err(Mistake::new(&path, "is given twice"));
        }
        // An explicit mask replaces one that was derived from the body.
        if !is_mask(&field) {
            json::refuse_second(parent, &field, At::Field(&At::Root, &path))?;
        }
        let value = parameter(&field, &path, &value)?;
        parent.set_field(&field, value);
        seen.push(path);
    }
    Ok(())
}

/// Whether the path or the body already sets a parameter. Such parameters are ignored, like
/// unknown ones.
fn is_bound_elsewhere(route: &Route, captures: &[(&str, &str)], path: &str) -> bool {
    let first = path.split('.').next();
    let in_body = matches!(&route.body, BodyBinding::Field(field) if first == Some(field.name()));
    in_body || captures.iter().any(|(captured, _)| *captured == path)
}

/// `filterBy.pageSize` in the names of the contract; absent if there is no such field.
fn canonical(descriptor: &MessageDescriptor, name: &str) -> Option<String> {
    let mut canonical = String::with_capacity(name.len());
    let mut descriptor = Some(descriptor.clone());
    for part in name.split('.') {
        let message = descriptor.take()?;
        let field = message
            .get_field_by_name(part)
            .or_else(|| message.get_field_by_json_name(part))?;
        if !canonical.is_empty() {
            canonical.push('.');
        }
        canonical.push_str(field.name());
        descriptor = match field.kind() {
            Kind::Message(inner) if !field.is_list() && !field.is_map() => Some(inner),
            _ => None,
        };
    }
    Some(canonical)
}

/// The message that holds the last field of `path`, made on the way.
fn open<'m>(
    message: &'m mut DynamicMessage,
    path: &str,
) -> Result<(&'m mut DynamicMessage, FieldDescriptor), Mistake> {
    let unknown = || Mistake::new(path, "is not a field of the request");
    let (first, rest) = path
        .split_once('.')
        .map_or((path, None), |(first, rest)| (first, Some(rest)));
    let field = message
        .descriptor()
        .get_field_by_name(first)
        .ok_or_else(unknown)?;
    match rest {
        None => Ok((message, field)),
        Some(rest) => {
            let inner = message
                .get_field_mut(&field)
                .as_message_mut()
                .ok_or_else(unknown)?;
            open(inner, rest)
        }
    }
}

/// One value of the path or the query.
fn parameter(field: &FieldDescriptor, path: &str, text: &str) -> Result<Value, Mistake> {
    let at = At::Field(&At::Root, path);
    if field.is_map() {
        return Err(Mistake::new(at, "is a map, which a query cannot carry"));
    }
    json::text(&field.kind(), text, at)
}
