//! Events.

use std::collections::BTreeMap;

use genkan_contract::scalekit::v1::events::events_service_server::{EventsService, SERVICE_NAME};
use genkan_contract::scalekit::v1::events::{
    EventFilter, ListEventsPaginatedRequest, ListEventsPaginatedResponse, ListEventsRequest,
    ListEventsResponse, ObjectType, ScalekitEvent, Source,
};
use genkan_store::event::{self, Event, Filter, Kind};
use genkan_store::{ConnectionId, EnvironmentId, EventId, OrganizationId, environment};
use prost_types::value::Kind as ValueKind;
use prost_types::{ListValue, Struct, Value};
use tonic::{Request, Response};

use crate::paging::{self, PageWithTokens, Sizes};
use crate::{Answer, Api, Error, render};

pub(super) const SERVICE: &str = SERVICE_NAME;

/// The methods that this service does not serve, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[(
    "SendCustomEvent",
    "Events of pages are sent by the setup portal and the dashboard, which Genkan does not have yet.",
)];

#[tonic::async_trait]
impl EventsService for Api {
    async fn list_events(&self, request: Request<ListEventsRequest>) -> Answer<ListEventsResponse> {
        let (_, message) = self.accept(request);
        let page = paging::request::<EventId>(message.page_size, &message.page_token, Sizes::USUAL)?;
        let Some(filter) = filter(&message.filter.unwrap_or_default())? else {
            return Ok(Response::new(ListEventsResponse::default()));
        };
        let paged = self.events(&filter, &page).await?;
        let list = format!("events {filter:?}");
        let total_size = self
            .total(&list, async |tx, limit| {
                Ok(event::count(tx, &filter, limit).await?)
            })
            .await?;
        Ok(Response::new(ListEventsResponse {
            events: paged.rows,
            next_page_token: paged.next_page_token,
            prev_page_token: paged.prev_page_token,
            total_size,
        }))
    }

    async fn list_events_paginated(
        &self,
        request: Request<ListEventsPaginatedRequest>,
    ) -> Answer<ListEventsPaginatedResponse> {
        let (_, message) = self.accept(request);
        let page = paging::request::<EventId>(message.page_size, &message.page_token, Sizes::USUAL)?;
        let Some(filter) = filter(&message.filter.unwrap_or_default())? else {
            return Ok(Response::new(ListEventsPaginatedResponse::default()));
        };
        let paged = self.events(&filter, &page).await?;
        Ok(Response::new(ListEventsPaginatedResponse {
            events: paged.rows,
            next_page_token: paged.next_page_token,
            prev_page_token: paged.prev_page_token,
        }))
    }
}

impl Api {
    async fn events(
        &self,
        filter: &Filter,
        page: &paging::Request<EventId>,
    ) -> Result<PageWithTokens<ScalekitEvent>, Error> {
        let (rows, environment_id) = self
            .read(async |tx| {
                let rows = event::list(tx, filter, page).await?;
                Ok((rows, environment::get(tx).await?.id))
            })
            .await?;
        let paged = paging::answer(page, rows, |event| &event.id);
        Ok(PageWithTokens {
            rows: paged
                .rows
                .into_iter()
                .map(|event| render_event(event, &environment_id))
                .collect(),
            next_page_token: paged.next_page_token,
            prev_page_token: paged.prev_page_token,
        })
    }
}

/// The filter of a request; `None` if no event can match it.
fn filter(message: &EventFilter) -> Result<Option<Filter>, Error> {
    let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    // There are no interceptors and connected accounts here, and events do not name
    // their login.
    let asks_for_others = given(&message.interceptor_id)
        || given(&message.interceptor_status)
        || given(&message.interceptor_decision)
        || given(&message.connected_account_id)
        || !message.auth_request_id.is_empty();
    let mut kinds: Vec<Kind> = message
        .event_types
        .iter()
        .filter_map(|word| word.parse().ok())
        .collect();
    let asks_for_unknown = kinds.is_empty() && !message.event_types.is_empty();
    if asks_for_others || asks_for_unknown {
        return Ok(None);
    }
    if message.source() != Source::Unspecified {
        if kinds.is_empty() {
            kinds = Kind::ALL.to_vec();
        }
        kinds.retain(|kind| source(*kind) == message.source());
        if kinds.is_empty() {
            return Ok(None);
        }
    }
    let mut filter = Filter {
        kinds,
        since: render::moment("filter.start_time", message.start_time.as_ref())?,
        until: render::moment("filter.end_time", message.end_time.as_ref())?,
        ..Filter::default()
    };
    if !message.organization_id.is_empty() {
        let Ok(organization_id) = OrganizationId::parse(&message.organization_id) else {
            return Ok(None);
        };
        filter.organization_id = Some(organization_id);
    }
    if let Some(text) = message.connection_id.as_deref().filter(|text| !text.is_empty()) {
        let Ok(connection_id) = ConnectionId::parse(text) else {
            return Ok(None);
        };
        filter.connection_id = Some(connection_id);
    }
    Ok(Some(filter))
}

/// Directories are synchronized from outside; everything else happens here.
fn source(kind: Kind) -> Source {
    if kind.as_str().starts_with("organization.directory.") {
        Source::DirSync
    } else {
        Source::Scalekit
    }
}

fn render_event(event: Event, environment_id: &EnvironmentId) -> ScalekitEvent {
    let kind = event.kind.as_str();
    let mut data: BTreeMap<String, Value> = event
        .data
        .into_iter()
        .map(|(name, value)| (name, json(value)))
        .collect();
    let ids = [
        (
            "organization_id",
            event.organization_id.as_ref().map(ToString::to_string),
        ),
        ("user_id", event.user_id.map(String::from)),
        ("client_id", event.client_id.map(String::from)),
        ("session_id", event.session_id.map(String::from)),
        ("actor", event.actor),
    ];
    for (name, id) in ids {
        if let Some(id) = id {
            data.entry(name.to_owned()).or_insert_with(|| text(id));
        }
    }
    ScalekitEvent {
        spec_version: "1".to_owned(),
        id: event.id.to_string(),
        r#type: kind.to_owned(),
        occurred_at: Some(render::time(event.occurred_at)),
        environment_id: environment_id.to_string(),
        organization_id: event.organization_id.map(String::from),
        object: object(kind).into(),
        data: Some(Struct { fields: data }),
        display_name: display_name(kind),
    }
}

/// The object type of an event, by the beginning of its type; the longest first.
fn object(kind: &str) -> ObjectType {
    const OBJECTS: &[(&str, ObjectType)] = &[
        ("organization.directory.user", ObjectType::DirectoryUser),
        ("organization.directory.group", ObjectType::DirectoryGroup),
        ("organization.directory", ObjectType::Directory),
        ("organization.domain", ObjectType::Domain),
        ("organization.sso", ObjectType::Connection),
        ("organization.", ObjectType::Organization),
        ("user.organization_membership", ObjectType::OrgMembership),
        ("user.organization_invitation", ObjectType::OrgMembership),
        ("user.login", ObjectType::UserLoginEvent),
        ("user.logout", ObjectType::UserLogoutEvent),
        ("user.", ObjectType::User),
        ("role.", ObjectType::Role),
        ("permission.", ObjectType::Permission),
        ("directory", ObjectType::Directory),
        ("session.", ObjectType::Session),
        ("login.", ObjectType::SsoError),
        ("mail.", ObjectType::Email),
        ("back_channel_logout.", ObjectType::LogoutTokenClaims),
    ];
    OBJECTS
        .iter()
        .find(|(prefix, _)| kind.starts_with(prefix))
        .map_or(ObjectType::Unspecified, |(_, object)| *object)
}

/// `organization.sso_created` as people say it: “Organization sso created”.
fn display_name(kind: &str) -> String {
    let words = kind.replace(['.', '_'], " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}

fn text(text: String) -> Value {
    Value {
        kind: Some(ValueKind::StringValue(text)),
    }
}

fn json(value: serde_json::Value) -> Value {
    let kind = match value {
        serde_json::Value::Null => ValueKind::NullValue(0),
        serde_json::Value::Bool(value) => ValueKind::BoolValue(value),
        serde_json::Value::Number(number) => ValueKind::NumberValue(number.as_f64().unwrap_or_default()),
        serde_json::Value::String(text) => ValueKind::StringValue(text),
        serde_json::Value::Array(items) => ValueKind::ListValue(ListValue {
            values: items.into_iter().map(json).collect(),
        }),
        serde_json::Value::Object(fields) => ValueKind::StructValue(Struct {
            fields: fields
                .into_iter()
                .map(|(name, value)| (name, json(value)))
                .collect(),
        }),
    };
    Value { kind: Some(kind) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_webhook_type_has_the_object_of_the_contract() {
        for (kind, expected) in [
            ("organization.created", ObjectType::Organization),
            ("organization.sso_enabled", ObjectType::Connection),
            ("organization.directory_enabled", ObjectType::Directory),
            ("organization.directory.user_created", ObjectType::DirectoryUser),
            ("organization.directory.group_deleted", ObjectType::DirectoryGroup),
            ("organization.domain_created", ObjectType::Domain),
            ("user.organization_membership_created", ObjectType::OrgMembership),
            ("user.signup", ObjectType::User),
            ("role.deleted", ObjectType::Role),
            ("permission.created", ObjectType::Permission),
        ] {
            assert_eq!(object(kind), expected, "{kind}");
        }
        assert_eq!(
            display_name("user.organization_membership_created"),
            "User organization membership created"
        );
    }
}
