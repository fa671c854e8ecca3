//! The document and the examples, checked against `proto/`.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::*;
use crate::rest::{bind, routes};
use crate::rules;

fn references(json: &Json, found: &mut BTreeSet<String>) {
    match json {
        Json::Object(object) => {
            if let Some(Json::String(reference)) = object.get("$ref") {
                found.insert(reference.clone());
            }
            object.values().for_each(|value| references(value, found));
        }
        Json::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document("https://auth.acme.test");
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in &found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(
            document.pointer(pointer).is_some_and(Json::is_object),
            "{reference}"
        );
    }
    assert!(found.len() > 50, "{}", found.len());
}

#[test]
fn operations_have_names_of_their_own() {
    let ids: BTreeSet<&str> = operations()
        .iter()
        .map(|operation| operation.id.as_str())
        .collect();
    assert_eq!(ids.len(), operations().len());
    for id in [
        "OrganizationService_CreateOrganization",
        "OrganizationService_GetOrganization",
    ] {
        assert!(ids.contains(id), "{id}");
    }
}

#[test]
fn what_is_not_served_is_not_described() {
    for (path, method) in methods::all() {
        let service = method.descriptor.parent_service();
        let id = format!("{}_{}", service.name(), method.descriptor.name());
        let is_described = operations().iter().any(|operation| operation.id == id);
        assert!(method.unserved.is_none() || !is_described, "{path}");
    }
}

#[test]
fn every_example_keeps_the_rules() {
    for operation in operations() {
        let body = example::body(operation)
            .map(|body| body.to_string())
            .unwrap_or_default();
        let target = example_target(operation);
        let (path, query) = target.split_once('?').unwrap_or((target.as_str(), ""));
        let routes::RouteMatch::Route(route, captures) = routes::Routes::get().find(&operation.verb, path)
        else {
            panic!("{}: {path} leads nowhere", operation.id)
        };
        let message = bind::bind(route, &captures, query, body.as_bytes())
            .unwrap_or_else(|mistake| panic!("{}: {mistake:?} in {body}", operation.id));
        let broken = rules::check(&message);
        assert!(broken.is_empty(), "{}: {broken:?} in {path} {body}", operation.id);
    }
}

#[test]
fn a_create_answers_201_and_names_what_it_needs() {
    let document = document("https://auth.acme.test");
    let create = &document["paths"]["/api/v1/organizations"]["post"];
    assert!(create["responses"]["201"].is_object() && create["responses"]["200"].is_null());
    assert_eq!(create["requestBody"]["required"], true);
    assert_eq!(
        create["security"][0]["client_credentials"][0],
        "organizations:write"
    );
    let schema = &document["components"]["schemas"]["organizations.CreateOrganization"];
    assert_eq!(schema["required"], serde_json::json!(["display_name"]));
    assert_eq!(schema["properties"]["display_name"]["maxLength"], 200);
    assert_eq!(schema["properties"]["metadata"]["maxProperties"], 10);
    assert_eq!(schema["properties"]["metadata"]["propertyNames"]["minLength"], 3);
}
