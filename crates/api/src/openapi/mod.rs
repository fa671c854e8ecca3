//! The description of the REST API: an OpenAPI document for tools, and the model of the
//! reference page for people. Both come from `proto/` at run time, with routes, texts,
//! rules and permissions.
//!
//! Source: OpenAPI Specification 3.1.

mod comments;
mod example;
mod operation;
mod reference;
mod rules_schema;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use http::StatusCode;
use prost_reflect::{FieldDescriptor, Value};
use serde_json::{Map, Value as Json, json};

pub use self::example::body as example_body;
pub use self::operation::{Operation, ServiceInfo, operations};
pub use self::reference::{Row, answer_rows, body_rows, curl, example_target, parameter_rows};

use self::operation::{Place, RequestBody};
use self::schema::{Schemas, Side, is_required};
use crate::methods;

const DESCRIPTION: &str = "Everything that the dashboard of an operator can change, for programs. \
    The same methods answer to gRPC and to the official SDKs.\n\n\
    Ask `/oauth/token` for an access token with the client credentials grant and send it as `Authorization: Bearer`. \
    Lists come in pages: send `next_page_token` as `page_token` to get the next one. \
    Failures have a status, a sentence, and an `error_code` for programs.";

/// The document, for the API at `public_url`.
pub fn document(public_url: &str) -> Json {
    let mut schemas = Schemas::new(operations().iter().map(|operation| &operation.answer));
    let mut paths: BTreeMap<&str, Map<String, Json>> = BTreeMap::new();
    let mut tags: Vec<&ServiceInfo> = Vec::new();
    for operation in operations() {
        if !tags.contains(&&operation.service) {
            tags.push(&operation.service);
        }
        let verb = operation.verb.as_str().to_ascii_lowercase();
        let described = describe(operation, &mut schemas);
        paths.entry(&operation.path).or_default().insert(verb, described);
    }
    let tags: Vec<Json> = tags
        .iter()
        .map(|tag| json!({ "name": tag.title, "description": tag.description }))
        .collect();
    let mut components = schemas.into_json();
    components.insert("Error".to_owned(), error_schema());
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
        "info": {
            "title": "Genkan management API",
            "version": "1",
            "description": DESCRIPTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": public_url }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": failures(),
            "securitySchemes": {
                "client_credentials": {
                    "type": "oauth2",
                    "description": "A client of the environment, with its secret.",
                    "flows": { "clientCredentials": { "tokenUrl": format!("{public_url}/oauth/token"), "scopes": scopes() } },
                },
                "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "An access token that you have already." },
            },
        },
        "security": [{ "client_credentials": [] }, { "bearer": [] }],
        "externalDocs": { "url": format!("{public_url}/api/reference"), "description": "The same, to read" },
    })
}

fn describe(operation: &Operation, schemas: &mut Schemas) -> Json {
    let parameters: Vec<Json> = operation
        .parameters
        .iter()
        .map(|parameter| {
            let mut schema = schemas.field(&parameter.field, Side::Request);
            let description = schema
                .as_object_mut()
                .and_then(|schema| schema.remove("description"));
            let is_path = parameter.place == Place::Path;
            let mut described = json!({
                "name": parameter.name,
                "in": if is_path { "path" } else { "query" },
                "required": is_path || (is_required(&parameter.field) && !parameter.name.contains('.')),
                "schema": schema,
            });
            if let Some(description) = description {
                described["description"] = description;
            }
            described
        })
        .collect();
    let mut responses: BTreeMap<String, Json> = BTreeMap::new();
    let answer = schemas.message(&operation.answer, Side::Answer);
    let content = json!({ "application/json": { "schema": answer } });
    let success = json!({ "description": "It worked.", "content": content });
    responses.insert(operation.success.as_str().to_owned(), success);
    for (status, name, _) in FAILURES {
        let only_with_body = matches!(status, 413 | 415);
        let only_with_token = matches!(status, 401 | 403);
        if (!only_with_body || operation.body.is_some()) && (!only_with_token || !operation.is_open) {
            responses.insert(
                status.to_string(),
                json!({ "$ref": format!("#/components/responses/{name}") }),
            );
        }
    }
    let mut described = json!({
        "operationId": operation.id,
        "tags": [operation.service.title],
        "summary": operation.summary,
        "parameters": parameters,
        "responses": responses,
        "security": security(operation),
    });
    if !operation.description.is_empty() {
        described["description"] = json!(operation.description);
    }
    if operation.is_deprecated {
        described["deprecated"] = json!(true);
    }
    if let Some(body) = &operation.body {
        described["requestBody"] = request_body(operation, body, schemas);
    }
    described
}

fn request_body(operation: &Operation, body: &RequestBody, schemas: &mut Schemas) -> Json {
    let (schema, is_needed) = match body {
        RequestBody::Field(field) => (schemas.field(field, Side::Request), is_required(field)),
        RequestBody::Fields(fields) => (
            schemas.object(fields.iter(), Side::Request),
            fields.iter().any(is_required),
        ),
    };
    let mut media = json!({ "schema": schema });
    if let Some(example) = example::body(operation) {
        media["example"] = example;
    }
    json!({ "required": is_needed, "content": { "application/json": media } })
}

fn security(operation: &Operation) -> Json {
    if operation.is_open {
        return json!([]);
    }
    // One scope is enough, and several in one requirement would mean all of them.
    let scopes = operation.permissions.iter().filter(|name| name.contains(':'));
    let mut ways: Vec<Json> = scopes
        .map(|scope| json!({ "client_credentials": [scope] }))
        .collect();
    if ways.is_empty() {
        ways.push(json!({ "client_credentials": [] }));
    }
    ways.push(json!({ "bearer": [] }));
    Json::Array(ways)
}

fn scopes() -> Map<String, Json> {
    let what = |scope: &str| {
        let (object, verb) = scope.split_once(':').unwrap_or((scope, ""));
        json!(format!("{}: {verb}", object.replace('_', " ")))
    };
    methods::permissions()
        .iter()
        .map(|scope| (scope.clone(), what(scope)))
        .collect()
}

/// Every status of a failure, by the table of the error model.
const FAILURES: [(u16, &str, &str); 12] = [
    (
        400,
        "BadRequest",
        "The request breaks a rule, or something else must be done first.",
    ),
    (
        401,
        "Unauthenticated",
        "There is no token, or it is not valid any more.",
    ),
    (403, "PermissionDenied", "The token is valid, and not for this."),
    (
        404,
        "NotFound",
        "There is no such thing, or it belongs to somebody else.",
    ),
    (
        405,
        "MethodNotAllowed",
        "The path is that of another operation: a part of it was left empty, say.",
    ),
    (409, "Conflict", "It exists already, or it was changed meanwhile."),
    (413, "PayloadTooLarge", "The body is larger than 4 MiB."),
    (415, "UnsupportedMediaType", "The body is not JSON."),
    (
        429,
        "TooManyRequests",
        "Too many calls. `Retry-After` says in how many seconds to come back.",
    ),
    (500, "Internal", "Something failed inside Genkan."),
    (503, "Unavailable", "Try again in a moment."),
    (504, "DeadlineExceeded", "It took too long."),
];

fn failures() -> Map<String, Json> {
    let content = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } });
    let mut responses = Map::new();
    for (status, name, description) in FAILURES {
        let mut response = json!({ "description": description, "content": content });
        if status == StatusCode::TOO_MANY_REQUESTS.as_u16() {
            let schema = json!({ "type": "integer", "minimum": 0 });
            response["headers"] =
                json!({ "Retry-After": { "description": "Seconds to wait.", "schema": schema } });
        }
        responses.insert(name.to_owned(), response);
    }
    responses
}

fn error_schema() -> Json {
    json!({
        "type": "object",
        "description": "Why a request failed.",
        "required": ["code", "message", "details"],
        "properties": {
            "code": { "type": "integer", "minimum": 1, "maximum": 16, "description": "The gRPC code." },
            "message": { "type": "string", "description": "A sentence for people. It may change." },
            "details": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["@type"],
                    "properties": {
                        "@type": { "type": "string" },
                        "error_code": { "type": "string", "description": "What programs may rely on." },
                        "validation_error_info": {
                            "type": "object",
                            "properties": {
                                "field_violations": {
                                    "type": "array",
                                    "items": {
                                        "type": "object",
                                        "properties": {
                                            "field": { "type": "string" },
                                            "description": { "type": "string" },
                                            "constraint": { "type": "string" },
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
        "example": {
            "code": 5,
            "message": "organization not found",
            "details": [{ "@type": "type.googleapis.com/scalekit.v1.errdetails.ErrorInfo", "error_code": "RESOURCE_NOT_FOUND" }],
        },
    })
}

/// Who may see a field: `PREVIEW`, `INTERNAL`; absent for everybody.
fn restriction(field: &FieldDescriptor) -> Option<String> {
    let extension = crate::descriptors::pool().get_extension_by_name("google.api.field_visibility")?;
    let options = field.options();
    let rule = options.get_extension(&extension);
    let restriction = rule
        .as_message()?
        .get_field_by_name("restriction")?
        .as_str()?
        .to_owned();
    (!restriction.is_empty()).then_some(restriction)
}

/// `OUTPUT_ONLY`, `INPUT_ONLY`, … as `proto/` marks the field.
fn behaviours(field: &FieldDescriptor) -> Vec<&'static str> {
    let Some(extension) = crate::descriptors::pool().get_extension_by_name("google.api.field_behavior")
    else {
        return Vec::new();
    };
    let options = field.options();
    let marks = options.get_extension(&extension);
    let marks = marks
        .as_list()
        .unwrap_or_default()
        .iter()
        .filter_map(Value::as_enum_number);
    marks
        .filter_map(|number| match number {
            3 => Some("OUTPUT_ONLY"),
            4 => Some("INPUT_ONLY"),
            _ => None,
        })
        .collect()
}
