//! The register of custom attributes, over gRPC and REST.

use genkan_contract::scalekit::v1::user_attributes::user_attribute::AdditionalInfo;
use genkan_contract::scalekit::v1::user_attributes::user_attribute_service_client::UserAttributeServiceClient;
use genkan_contract::scalekit::v1::user_attributes::{
    CreateUserAttributeRequest, DeleteUserAttributeRequest, SsoUserAdditionInfo, UpdateUserAttributeRequest,
    UserAttribute, UserAttributeCategory, UserAttributeDatatype,
};
use genkan_store::event::{self, Filter};
use genkan_store::{ConnectionId, Page, connection};
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::rest::{get, organization, rest};
use crate::support::{Harness, InMemory, error_info, on_each_engine};

const PATH: &str = "/api/v1/sso-user-attributes";

/// The service, with short words for what the tests do often.
struct Attributes(UserAttributeServiceClient<InMemory>);

impl Attributes {
    fn of(harness: &Harness) -> Self {
        Self(UserAttributeServiceClient::new(harness.client()))
    }

    async fn create(&self, attribute: UserAttribute) -> Result<UserAttribute, Status> {
        let request = CreateUserAttributeRequest {
            user_attribute: Some(attribute),
        };
        let answer = self.0.clone().create_sso_user_attribute(request).await?;
        Ok(answer.into_inner().user_attribute.unwrap())
    }

    async fn update(&self, key: &str, attribute: UserAttribute) -> Result<UserAttribute, Status> {
        let request = UpdateUserAttributeRequest {
            key: key.to_owned(),
            user_attribute: Some(attribute),
        };
        let answer = self.0.clone().update_sso_user_attribute(request).await?;
        Ok(answer.into_inner().user_attribute.unwrap())
    }

    async fn list(&self) -> Vec<UserAttribute> {
        let answer = self.0.clone().list_sso_user_attributes(()).await.unwrap();
        answer.into_inner().user_attributes
    }

    async fn delete(&self, key: &str) -> Result<(), Status> {
        let request = DeleteUserAttributeRequest { key: key.to_owned() };
        self.0.clone().delete_sso_user_attribute(request).await?;
        Ok(())
    }
}

fn department() -> UserAttribute {
    UserAttribute {
        key: "department".to_owned(),
        enabled: true,
        required: false,
        label: "Department".to_owned(),
        datatype: UserAttributeDatatype::String.into(),
        category: UserAttributeCategory::Custom.into(),
        additional_info: Some(AdditionalInfo::SsoAdditionInfo(SsoUserAdditionInfo {
            default_saml_mapping: "urn:oid:2.16.840.1.113730.3.1.2".to_owned(),
            default_oidc_mapping: String::new(),
        })),
    }
}

#[tokio::test]
async fn an_attribute_is_registered_listed_replaced_and_deleted() {
    on_each_engine(async |harness| {
        let attributes = Attributes::of(&harness);
        assert_eq!(attributes.create(department()).await.unwrap(), department());
        let level = UserAttribute {
            key: "level".to_owned(),
            label: "Level".to_owned(),
            datatype: UserAttributeDatatype::Number.into(),
            // Read from nowhere unless a connection names it.
            additional_info: None,
            ..department()
        };
        attributes.create(level.clone()).await.unwrap();
        let keys: Vec<_> = attributes.list().await.into_iter().map(|one| one.key).collect();
        assert_eq!(keys, ["department", "level"]);
        let replaced = UserAttribute {
            enabled: false,
            required: true,
            label: "Team".to_owned(),
            ..department()
        };
        assert_eq!(
            attributes.update("department", replaced.clone()).await.unwrap(),
            replaced
        );
        attributes.delete("level").await.unwrap();
        assert_eq!(attributes.list().await, [replaced]);
        let events = harness
            .tx(async |tx, _| event::list(tx, &Filter::default(), &Page::first(20)).await)
            .await;
        for word in ["created", "updated", "deleted"] {
            let found = events
                .iter()
                .find(|event| event.kind.as_str() == format!("user_attribute.{word}"))
                .unwrap_or_else(|| panic!("no event of {word}"));
            assert!(found.actor.is_some(), "{found:?}");
            assert!(found.data.contains_key("key"), "{found:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_registered_is_refused() {
    on_each_engine(async |harness| {
        let attributes = Attributes::of(&harness);
        attributes.create(department()).await.unwrap();
        let refused = async |attribute: UserAttribute| attributes.create(attribute).await.unwrap_err();
        assert_eq!(refused(department()).await.code(), Code::AlreadyExists);
        let with = |change: fn(&mut UserAttribute)| {
            let mut attribute = department();
            change(&mut attribute);
            attribute
        };
        for (attribute, field) in [
            (with(|a| a.key = "no".to_owned()), "user_attribute.key"),
            (with(|a| a.key = "no space".to_owned()), "user_attribute.key"),
            // A claim of ours.
            (with(|a| a.key = "permissions".to_owned()), "user_attribute.key"),
            (with(|a| a.label = "l".repeat(251)), "user_attribute.label"),
            (with(|a| a.datatype = 0), "user_attribute.datatype"),
            (with(|a| a.datatype = 9), "user_attribute.datatype"),
        ] {
            let status = refused(attribute).await;
            assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
            let violations = error_info(&status)
                .validation_error_info
                .unwrap()
                .field_violations;
            assert_eq!(violations[0].field, field, "{status:?}");
        }
        let of_directory = UserAttribute {
            key: "other".to_owned(),
            additional_info: Some(AdditionalInfo::DirectoryUserAdditionalInfo(Default::default())),
            ..department()
        };
        assert_eq!(refused(of_directory).await.code(), Code::InvalidArgument);
        let renamed = UserAttribute {
            key: "division".to_owned(),
            ..department()
        };
        let refused = attributes
            .update("department", renamed.clone())
            .await
            .unwrap_err();
        assert!(refused.message().contains("cannot be changed"), "{refused:?}");
        let unknown = attributes.update("division", renamed).await.unwrap_err();
        assert_eq!(unknown.code(), Code::NotFound);
        assert_eq!(
            attributes.delete("division").await.unwrap_err().code(),
            Code::NotFound
        );
    })
    .await;
}

#[tokio::test]
async fn there_are_twenty_at_most() {
    on_each_engine(async |harness| {
        let attributes = Attributes::of(&harness);
        attributes.create(department()).await.unwrap();
        for number in 1..20 {
            let another = UserAttribute {
                key: format!("key-{number}"),
                ..department()
            };
            attributes.create(another).await.unwrap();
        }
        let one_more = UserAttribute {
            key: "one-more".to_owned(),
            ..department()
        };
        let status = attributes.create(one_more).await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert!(status.message().contains("20 attributes"), "{status:?}");
        assert!(status.message().contains("delete one first"), "{status:?}");
    })
    .await;
}

#[tokio::test]
async fn a_connection_maps_what_is_registered_and_holds_it() {
    on_each_engine(async |harness| {
        let acme = organization(&harness, "Acme").await;
        let path = format!("/api/v1/organizations/{acme}/connections");
        let created = rest(
            &harness,
            "POST",
            &path,
            &json!({ "type": "OIDC", "provider": "OKTA" }),
        )
        .await;
        let id = created.json["connection"]["id"].as_str().unwrap().to_owned();
        let map = async |mapping: Value| {
            let body = json!({ "provider": "OKTA", "attribute_mapping": mapping });
            rest(&harness, "PATCH", &format!("{path}/{id}"), &body).await
        };
        // The second is a misspelt `email`.
        for name in ["custom.department", "emial"] {
            let unknown = map(json!({ name: "dept" })).await;
            let sentence = unknown.refused(400, 3, "INVALID_ARGUMENT");
            assert!(
                sentence.contains("connection.attribute_mapping: names an attribute that is neither ours"),
                "{sentence}"
            );
        }
        let attribute =
            json!({ "key": "department", "label": "Department", "datatype": "STRING", "enabled": true });
        assert_eq!(
            rest(&harness, "POST", PATH, &attribute).await.status.as_u16(),
            201
        );
        let mapped = map(json!({ "custom.department": "dept", "email": "mail" })).await;
        assert_eq!(mapped.status.as_u16(), 200, "{mapped:?}");
        assert_eq!(
            mapped.json["connection"]["attribute_mapping"]["custom.department"],
            "dept"
        );
        let held = rest(&harness, "DELETE", &format!("{PATH}/department"), &Value::Null).await;
        let sentence = held.refused(400, 9, "FAILED_PRECONDITION");
        assert!(
            sentence.contains(&id)
                && sentence.contains("take custom.department out of their attribute_mapping"),
            "{sentence}"
        );
        // The other changes of a connection do not ask again.
        let connection_id = ConnectionId::parse(&id).unwrap();
        let found = harness
            .tx(async |tx, _| connection::find(tx, &connection_id).await)
            .await
            .unwrap();
        assert_eq!(
            found.settings.common.attribute_mapping["custom.department"],
            "dept"
        );
        map(json!({ "email": "mail" })).await;
        let deleted = rest(&harness, "DELETE", &format!("{PATH}/department"), &Value::Null).await;
        assert_eq!(deleted.status.as_u16(), 200, "{deleted:?}");
    })
    .await;
}

#[tokio::test]
async fn both_addresses_lead_to_the_same_register() {
    let harness = Harness::start().await;
    let attribute = json!({ "key": "department", "label": "Department", "datatype": "STRING" });
    let path = "/api/v1/user-profile-attributes";
    assert_eq!(
        rest(&harness, "POST", path, &attribute).await.status.as_u16(),
        201
    );
    let listed = get(&harness, PATH).await;
    assert_eq!(listed["user_attributes"][0]["key"], "department");
    assert_eq!(listed["user_attributes"][0]["category"], "CUSTOM");
    assert_eq!(listed, get(&harness, path).await);
    let replaced = json!({ "key": "department", "label": "Team", "datatype": "ARRAY" });
    let answer = rest(&harness, "PATCH", &format!("{path}/department"), &replaced).await;
    assert_eq!(answer.json["user_attribute"]["label"], "Team", "{answer:?}");
    let unserved = rest(&harness, "GET", "/api/v1/directory-user-attributes", &Value::Null).await;
    unserved.refused(501, 12, "UNIMPLEMENTED");
}
