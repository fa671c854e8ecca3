//! Custom attributes of users.

use genkan_contract::scalekit::v1::user_attributes as wire;
use genkan_contract::scalekit::v1::user_attributes::user_attribute::AdditionalInfo;
use genkan_contract::scalekit::v1::user_attributes::user_attribute_service_server::{
    SERVICE_NAME, UserAttributeService,
};
use genkan_contract::scalekit::v1::user_attributes::{
    CreateUserAttributeRequest, CreateUserAttributeResponse, DeleteUserAttributeRequest,
    ListUserAttributesResponse, SsoUserAdditionInfo, UpdateUserAttributeRequest, UpdateUserAttributeResponse,
    UserAttributeCategory, UserAttributeDatatype,
};
use genkan_store::user_attribute::{self, Datatype, DeletionOutcome, UserAttribute, name_in_mapping};
use tonic::{Request, Response};

use crate::{Answer, Api, Call, Error};

pub(super) const SERVICE: &str = SERVICE_NAME;

const OF_DIRECTORIES: &str =
    "it is about directory users, and this version reads no custom attributes of theirs";

/// The methods that this service does not serve, and why.
pub(super) const UNSERVED: &[(&str, &str)] = &[
    ("CreateDirectoryUserAttribute", OF_DIRECTORIES),
    ("ListDirectoryUserAttributes", OF_DIRECTORIES),
    ("UpdateDirectoryUserAttribute", OF_DIRECTORIES),
    ("DeleteDirectoryUserAttribute", OF_DIRECTORIES),
];

fn datatype(number: i32) -> Result<Datatype, Error> {
    match UserAttributeDatatype::try_from(number) {
        Ok(UserAttributeDatatype::String) => Ok(Datatype::String),
        Ok(UserAttributeDatatype::Number) => Ok(Datatype::Number),
        Ok(UserAttributeDatatype::Bool) => Ok(Datatype::Bool),
        Ok(UserAttributeDatatype::Array) => Ok(Datatype::Array),
        Ok(UserAttributeDatatype::Object) => Ok(Datatype::Object),
        Ok(UserAttributeDatatype::UnspecifiedDatatype) | Err(_) => Err(Error::invalid(
            "user_attribute.datatype",
            "is none of the types: write STRING, NUMBER, BOOL, ARRAY or OBJECT",
        )),
    }
}

/// The attribute that a message describes, as new.
fn read(call: &Call<'_>, wanted: wire::UserAttribute) -> Result<UserAttribute, Error> {
    let info = match wanted.additional_info {
        Some(AdditionalInfo::SsoAdditionInfo(info)) => info,
        None => SsoUserAdditionInfo::default(),
        Some(AdditionalInfo::DirectoryUserAdditionalInfo(_)) => {
            return Err(Error::invalid(
                "user_attribute.directory_user_additional_info",
                "does not fit: this attribute is read at sign-in",
            ));
        }
    };
    let source = |text: String| Some(text).filter(|text| !text.is_empty());
    Ok(UserAttribute {
        key: wanted.key,
        label: wanted.label,
        datatype: datatype(wanted.datatype)?,
        enabled: wanted.enabled,
        required: wanted.required,
        oidc_claim: source(info.default_oidc_mapping),
        saml_attribute: source(info.default_saml_mapping),
        created_at: call.now,
        updated_at: call.now,
    })
}

fn render(attribute: UserAttribute) -> wire::UserAttribute {
    let datatype = match attribute.datatype {
        Datatype::String => UserAttributeDatatype::String,
        Datatype::Number => UserAttributeDatatype::Number,
        Datatype::Bool => UserAttributeDatatype::Bool,
        Datatype::Array => UserAttributeDatatype::Array,
        Datatype::Object => UserAttributeDatatype::Object,
    };
    wire::UserAttribute {
        key: attribute.key,
        enabled: attribute.enabled,
        required: attribute.required,
        label: attribute.label,
        datatype: datatype.into(),
        category: UserAttributeCategory::Custom.into(),
        additional_info: Some(AdditionalInfo::SsoAdditionInfo(SsoUserAdditionInfo {
            default_saml_mapping: attribute.saml_attribute.unwrap_or_default(),
            default_oidc_mapping: attribute.oidc_claim.unwrap_or_default(),
        })),
    }
}

#[tonic::async_trait]
impl UserAttributeService for Api {
    async fn create_sso_user_attribute(
        &self,
        request: Request<CreateUserAttributeRequest>,
    ) -> Answer<CreateUserAttributeResponse> {
        let (call, message) = self.accept(request);
        let attribute = read(&call, message.user_attribute.unwrap_or_default())?;
        self.tx(async |tx| Ok(user_attribute::insert(tx, call.at(), &attribute).await?))
            .await?;
        Ok(Response::new(CreateUserAttributeResponse {
            user_attribute: Some(render(attribute)),
        }))
    }

    async fn list_sso_user_attributes(&self, request: Request<()>) -> Answer<ListUserAttributesResponse> {
        self.accept(request);
        let attributes = self.read(async |tx| Ok(user_attribute::list(tx).await?)).await?;
        Ok(Response::new(ListUserAttributesResponse {
            user_attributes: attributes.into_iter().map(render).collect(),
        }))
    }

    async fn update_sso_user_attribute(
        &self,
        request: Request<UpdateUserAttributeRequest>,
    ) -> Answer<UpdateUserAttributeResponse> {
        let (call, message) = self.accept(request);
        let wanted = read(&call, message.user_attribute.unwrap_or_default())?;
        if wanted.key != message.key {
            return Err(Error::invalid(
                "user_attribute.key",
                "cannot be changed: tokens and users have the value under it",
            )
            .into());
        }
        let updated = self
            .tx(async |tx| {
                let found = user_attribute::find(tx, &wanted.key).await?;
                let before = found.ok_or_else(|| Error::not_found("user attribute"))?;
                let attribute = UserAttribute {
                    created_at: before.created_at,
                    updated_at: before.updated_at,
                    ..wanted.clone()
                };
                user_attribute::update(tx, call.at(), &attribute).await?;
                Ok(attribute)
            })
            .await?;
        Ok(Response::new(UpdateUserAttributeResponse {
            user_attribute: Some(render(updated)),
        }))
    }

    async fn delete_sso_user_attribute(&self, request: Request<DeleteUserAttributeRequest>) -> Answer<()> {
        let (call, message) = self.accept(request);
        self.tx(
            async |tx| match user_attribute::delete(tx, call.at(), &message.key).await? {
                DeletionOutcome::Deleted => Ok(()),
                DeletionOutcome::Unknown => Err(Error::not_found("user attribute")),
                DeletionOutcome::Mapped(connections) => {
                    let ids: Vec<_> = connections.iter().map(ToString::to_string).collect();
                    Err(Error::precondition(format!(
                        "the attribute cannot be deleted while connections map it: take {} out of their \
                         attribute_mapping first: {}",
                        name_in_mapping(&message.key),
                        ids.join(", ")
                    )))
                }
            },
        )
        .await?;
        Ok(Response::new(()))
    }
}
