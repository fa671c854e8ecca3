//! The object of an event: a copy of what the event is about, at that moment. The messages of webhooks are
//! made from it, at any time later.
//!
//! See `docs/decisions/event-objects.md`.

use serde::Serialize;
use serde_json::{Map, Value};

use super::Kind;
use crate::row::{json, words};

/// The version of the shapes. New members may be added to it, but no member changes its meaning.
pub const VERSION: u64 = 1;

/// The maximum length of the text, in bytes.
const MAX_LENGTH: usize = 64 * 1024;

/// The members that others fill freely. If the text is too long, they are left out first.
const FREE: &[&str] = &[
    "metadata",
    "custom_attributes",
    "profile_metadata",
    "raw_attributes",
    "groups",
];

words! {
    /// A part of an object.
    pub enum Part {
        Organization = "organization",
        Domain = "domain",
        Connection = "connection",
        Directory = "directory",
        DirectoryUser = "directory_user",
        DirectoryGroup = "directory_group",
        User = "user",
        Membership = "membership",
        Session = "session",
        Role = "role",
        Permission = "permission",
    }
}

impl Kind {
    /// The parts that the object of such an event has at least. Empty if webhooks do not report it. Then no
    /// object is stored.
    pub const fn parts(self) -> &'static [Part] {
        match self {
            Self::OrganizationCreated | Self::OrganizationUpdated | Self::OrganizationDeleted => {
                &[Part::Organization]
            }
            Self::OrganizationDomainCreated
            | Self::OrganizationDomainDeleted
            | Self::OrganizationDomainDnsVerificationSuccess
            | Self::OrganizationDomainDnsVerificationFailed => &[Part::Domain],
            Self::OrganizationSsoCreated
            | Self::OrganizationSsoUpdated
            | Self::OrganizationSsoEnabled
            | Self::OrganizationSsoDisabled
            | Self::OrganizationSsoDeleted => &[Part::Connection],
            Self::OrganizationDirectoryEnabled | Self::OrganizationDirectoryDisabled => &[Part::Directory],
            Self::DirectoryUserCreated | Self::DirectoryUserUpdated | Self::DirectoryUserDeleted => {
                &[Part::DirectoryUser]
            }
            Self::DirectoryGroupCreated | Self::DirectoryGroupUpdated | Self::DirectoryGroupDeleted => {
                &[Part::DirectoryGroup]
            }
            Self::UserSignup => &[Part::User],
            Self::UserLogin | Self::UserLogout => &[Part::User, Part::Session],
            Self::UserOrganizationInvitation
            | Self::UserOrganizationMembershipCreated
            | Self::UserOrganizationMembershipUpdated
            | Self::UserOrganizationMembershipDeleted => &[Part::Organization, Part::User, Part::Membership],
            Self::RoleCreated | Self::RoleUpdated | Self::RoleDeleted => &[Part::Role],
            Self::PermissionCreated | Self::PermissionUpdated | Self::PermissionDeleted => {
                &[Part::Permission]
            }
            _ => &[],
        }
    }
}

/// The stored form of a part.
pub(crate) trait Shape: Serialize {
    const PART: Part;
}

/// The object of an event, by part.
#[derive(Debug, Clone, PartialEq)]
pub struct Object(Map<String, Value>);

impl Object {
    pub(crate) fn of(shape: &impl Shape) -> Self {
        Self(Map::from_iter([("v".to_owned(), VERSION.into())])).and(shape)
    }

    #[must_use]
    pub(crate) fn and<S: Shape>(mut self, shape: &S) -> Self {
        let fields = serde_json::to_value(shape).expect("a shape is plain data");
        self.0.insert(S::PART.as_str().to_owned(), fields);
        self
    }

    /// An object as it was stored.
    pub(super) const fn stored(members: Map<String, Value>) -> Self {
        Self(members)
    }

    /// One part. `None` if the object lacks it, or if it was too long to be stored.
    pub fn part(&self, part: Part) -> Option<&Map<String, Value>> {
        self.0.get(part.as_str()).and_then(Value::as_object)
    }

    /// All parts.
    pub const fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    pub(super) fn has(&self, parts: &[Part]) -> bool {
        parts.iter().all(|part| self.part(*part).is_some())
    }

    /// The text to store. If it is too long, some members are left out and named.
    pub(super) fn text(&self) -> String {
        let text = json(&self.0);
        if text.len() <= MAX_LENGTH {
            return text;
        }
        let mut rest = self.0.clone();
        let mut left_out: Vec<String> = Vec::new();
        for (part, fields) in &mut rest {
            let Some(fields) = fields.as_object_mut() else {
                continue;
            };
            for name in FREE {
                if fields.remove(*name).is_some() {
                    left_out.push(format!("{part}.{name}"));
                }
            }
        }
        rest.insert("left_out".to_owned(), left_out.into());
        let text = json(&rest);
        if text.len() <= MAX_LENGTH {
            return text;
        }
        let parts: Vec<&String> = self.0.keys().filter(|name| *name != "v").collect();
        json(&serde_json::json!({"v": VERSION, "left_out": parts}))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(metadata: &str, name: &str) -> Object {
        let user = json!({"id": "usr_1", "name": name, "metadata": {"note": metadata}});
        Object::stored(Map::from_iter([
            ("v".to_owned(), VERSION.into()),
            ("user".to_owned(), user),
        ]))
    }

    #[test]
    fn what_is_too_long_is_left_out_and_named() {
        let read = |object: &Object| -> Value { serde_json::from_str(&object.text()).unwrap() };
        assert_eq!(
            read(&object("short", "Ada"))["user"]["metadata"],
            json!({"note": "short"})
        );
        let long = "x".repeat(MAX_LENGTH);
        assert_eq!(
            read(&object(&long, "Ada")),
            json!({"v": 1, "user": {"id": "usr_1", "name": "Ada"}, "left_out": ["user.metadata"]})
        );
        assert_eq!(read(&object(&long, &long)), json!({"v": 1, "left_out": ["user"]}));
    }
}
