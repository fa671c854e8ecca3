//! What callers write of a user.
//!
//! In an update a field that is absent stays, an empty text clears, and a map
//! or list that is not empty replaces: in the encoding, an empty one looks
//! like one that was left out.

use std::collections::BTreeMap;

use genkan_contract::scalekit::v1::users::{CreateUser, CreateUserProfile, UpdateUser, UpdateUserProfile};
use genkan_protocol::{EmailAddress, Timestamp};
use genkan_store::UserId;
use genkan_store::user::User;

use crate::Error;
use crate::render::object;

/// The longest external id, in characters.
const MAX_EXTERNAL_ID: usize = 510;

/// The longest text of a profile whose rule names no limit, in characters.
const MAX_TEXT: usize = 512;

/// A text field as it was written: `None` was left out, an empty one clears.
type Written = Option<String>;

/// The fields of a profile.
#[derive(Debug, Default)]
struct Profile {
    given_name: Written,
    family_name: Written,
    name: Written,
    locale: Written,
    phone_number: Written,
    preferred_username: Written,
    picture: Written,
    gender: Written,
    metadata: BTreeMap<String, String>,
    custom_attributes: BTreeMap<String, String>,
    groups: Vec<String>,
}

impl Profile {
    fn check(&self) -> Result<(), Error> {
        for (field, text) in [
            ("user.user_profile.name", &self.name),
            ("user.user_profile.locale", &self.locale),
            ("user.user_profile.phone_number", &self.phone_number),
            ("user.user_profile.gender", &self.gender),
        ] {
            limit(field, text.as_deref(), MAX_TEXT)?;
        }
        Ok(())
    }

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
        if !self.metadata.is_empty() {
            user.profile_metadata = object(self.metadata.clone());
        }
        if !self.custom_attributes.is_empty() {
            user.custom_attributes = object(self.custom_attributes.clone());
        }
        if !self.groups.is_empty() {
            user.groups.clone_from(&self.groups);
        }
    }
}

fn write(ours: &mut Option<String>, written: &Written) {
    if let Some(text) = written {
        *ours = Some(text.clone()).filter(|text| !text.is_empty());
    }
}

fn limit(field: &str, text: Option<&str>, most: usize) -> Result<(), Error> {
    match text {
        Some(text) if text.chars().count() > most => {
            Err(Error::invalid(field, &format!("has more than {most} characters")))
        }
        _ => Ok(()),
    }
}

/// A field that has no presence: empty is left out.
fn non_empty(text: String) -> Written {
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
            metadata: profile.metadata,
            custom_attributes: profile.custom_attributes,
            groups: profile.groups,
        }
    }
}

impl From<UpdateUserProfile> for Profile {
    #[expect(
        deprecated,
        reason = "clients of older versions write first_name and last_name"
    )]
    fn from(profile: UpdateUserProfile) -> Self {
        Self {
            given_name: profile.given_name.or(profile.first_name),
            family_name: profile.family_name.or(profile.last_name),
            name: profile.name,
            locale: profile.locale,
            phone_number: profile.phone_number,
            preferred_username: profile.preferred_username,
            picture: profile.picture,
            gender: profile.gender,
            metadata: profile.metadata,
            custom_attributes: profile.custom_attributes,
            groups: profile.groups,
        }
    }
}

/// A new user, and nothing of a membership.
pub(super) fn new_user(wanted: CreateUser, id: UserId, now: Timestamp) -> Result<User, Error> {
    let email = EmailAddress::parse(&wanted.email)
        .map_err(|error| Error::invalid("user.email", &error.to_string()))?;
    let mut user = User::new(id, email, now);
    limit("user.external_id", wanted.external_id.as_deref(), MAX_EXTERNAL_ID)?;
    user.external_id = wanted.external_id.and_then(non_empty);
    user.metadata = object(wanted.metadata);
    let profile = Profile::from(wanted.user_profile.unwrap_or_default());
    profile.check()?;
    profile.apply(&mut user);
    Ok(user)
}

/// What an update changes.
#[derive(Debug)]
pub(super) struct Change {
    external_id: Written,
    metadata: BTreeMap<String, String>,
    profile: Profile,
}

impl Change {
    pub(super) fn read(wanted: UpdateUser) -> Result<Self, Error> {
        limit("user.external_id", wanted.external_id.as_deref(), MAX_EXTERNAL_ID)?;
        let profile = Profile::from(wanted.user_profile.unwrap_or_default());
        profile.check()?;
        Ok(Self {
            external_id: wanted.external_id,
            metadata: wanted.metadata,
            profile,
        })
    }

    pub(super) fn apply(&self, user: &mut User) {
        write(&mut user.external_id, &self.external_id);
        if !self.metadata.is_empty() {
            user.metadata = object(self.metadata.clone());
        }
        self.profile.apply(user);
    }
}
