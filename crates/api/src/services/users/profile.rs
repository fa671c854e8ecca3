//! The fields of a user that callers write.
//!
//! In an update an absent field stays, and an empty text clears. A map or list replaces
//! if it is not empty: in the encoding, an empty one looks like an absent one, unless the
//! mask names it.

use std::collections::BTreeMap;

use genkan_contract::scalekit::v1::users::{CreateUser, CreateUserProfile, UpdateUser, UpdateUserProfile};
use genkan_protocol::{EmailAddress, Timestamp};
use genkan_store::UserId;
use genkan_store::user::User;
use prost_types::FieldMask;

use crate::Error;
use crate::mask::MaskedUpdate;
use crate::render::object;

/// A text field of a request: `None` is absent, an empty text clears.
type OptionalText = Option<String>;

/// The fields of a profile.
#[derive(Debug, Default)]
struct Profile {
    given_name: OptionalText,
    family_name: OptionalText,
    name: OptionalText,
    locale: OptionalText,
    phone_number: OptionalText,
    preferred_username: OptionalText,
    picture: OptionalText,
    gender: OptionalText,
    metadata: Option<BTreeMap<String, String>>,
    custom_attributes: Option<BTreeMap<String, String>>,
    groups: Option<Vec<String>>,
}

impl Profile {
    fn apply(&self, user: &mut User) {
        for (ours, written) in [
            (&mut user.given_name, &self.given_name),
            (&mut user.family_name, &self.family_name),
            (&mut user.name, &self.name),
            (&mut user.locale, &self.locale),
            (&mut user.preferred_username, &self.preferred_username),
            (&mut user.picture, &self.picture),
            (&mut user.gender, &self.gender),
        ] {
            write(ours, written);
        }
        if self.phone_number.is_some() && self.phone_number != user.phone_number {
            write(&mut user.phone_number, &self.phone_number);
            user.phone_number_verified = false;
        }
        if let Some(metadata) = &self.metadata {
            user.profile_metadata = object(metadata.clone());
        }
        if let Some(attributes) = &self.custom_attributes {
            user.custom_attributes = object(attributes.clone());
        }
        if let Some(groups) = &self.groups {
            user.groups.clone_from(groups);
        }
    }
}

fn write(ours: &mut Option<String>, written: &OptionalText) {
    if let Some(text) = written {
        *ours = Some(text.clone()).filter(|text| !text.is_empty());
    }
}

/// A field without presence: an empty text counts as absent.
fn non_empty(text: String) -> OptionalText {
    Some(text).filter(|text| !text.is_empty())
}

impl From<CreateUserProfile> for Profile {
    #[expect(
        deprecated,
        reason = "clients of older versions write first_name and last_name"
    )]
    fn from(profile: CreateUserProfile) -> Self {
        Self {
            given_name: non_empty(profile.given_name).or_else(|| non_empty(profile.first_name)),
            family_name: non_empty(profile.family_name).or_else(|| non_empty(profile.last_name)),
            name: non_empty(profile.name),
            locale: non_empty(profile.locale),
            phone_number: non_empty(profile.phone_number),
            preferred_username: non_empty(profile.preferred_username),
            picture: profile.picture,
            gender: profile.gender,
            metadata: Some(profile.metadata),
            custom_attributes: Some(profile.custom_attributes),
            groups: Some(profile.groups),
        }
    }
}

impl Profile {
    #[expect(
        deprecated,
        reason = "clients of older versions write first_name and last_name"
    )]
    fn change(profile: UpdateUserProfile, replaces: impl Fn(&str, bool) -> bool) -> Self {
        let (metadata, attributes, groups) = (
            replaces("user_profile.metadata", profile.metadata.is_empty()),
            replaces(
                "user_profile.custom_attributes",
                profile.custom_attributes.is_empty(),
            ),
            replaces("user_profile.groups", profile.groups.is_empty()),
        );
        Self {
            given_name: profile.given_name.or(profile.first_name),
            family_name: profile.family_name.or(profile.last_name),
            name: profile.name,
            locale: profile.locale,
            phone_number: profile.phone_number,
            preferred_username: profile.preferred_username,
            picture: profile.picture,
            gender: profile.gender,
            metadata: metadata.then_some(profile.metadata),
            custom_attributes: attributes.then_some(profile.custom_attributes),
            groups: groups.then_some(profile.groups),
        }
    }
}

/// A new user without a membership.
pub(super) fn new_user(wanted: CreateUser, id: UserId, now: Timestamp) -> Result<User, Error> {
    let email = EmailAddress::parse(&wanted.email)
        .map_err(|error| Error::invalid("user.email", &error.to_string()))?;
    let mut user = User::new(id, email, now);
    user.external_id = wanted.external_id.and_then(non_empty);
    user.metadata = object(wanted.metadata);
    let profile = Profile::from(wanted.user_profile.unwrap_or_default());
    profile.apply(&mut user);
    Ok(user)
}

/// The changed fields of an update.
#[derive(Debug)]
pub(super) struct Change {
    email: Option<EmailAddress>,
    external_id: OptionalText,
    metadata: Option<BTreeMap<String, String>>,
    profile: Profile,
}

impl Change {
    pub(super) fn read(wanted: UpdateUser, mask: Option<FieldMask>) -> Result<Self, Error> {
        let masked = MaskedUpdate::read(mask, ("user", "scalekit.v1.users.UpdateUser"), wanted)?;
        let replaces = |path: &str, is_empty| masked.replaces(path, is_empty);
        let wanted = masked.message.clone();
        let email = wanted.email.as_deref().map(EmailAddress::parse).transpose();
        let profile = Profile::change(wanted.user_profile.unwrap_or_default(), replaces);
        Ok(Self {
            email: email.map_err(|error| Error::invalid("user.email", &error.to_string()))?,
            external_id: wanted.external_id,
            metadata: replaces("metadata", wanted.metadata.is_empty()).then_some(wanted.metadata),
            profile,
        })
    }

    pub(super) fn apply(&self, user: &mut User) {
        if let Some(email) = &self.email
            && *email != user.email
        {
            user.email.clone_from(email);
            user.email_verified = false;
        }
        write(&mut user.external_id, &self.external_id);
        if let Some(metadata) = &self.metadata {
            user.metadata = object(metadata.clone());
        }
        self.profile.apply(user);
    }
}
