//! The organizations that lines name, with the defaults for new members.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use genkan_db::{ColumnType, Many, Tx, Value};
use serde_json::Map;

use crate::event::shape::{self, organization_columns};
use crate::event::{Entry, Kind, Object};
use crate::membership::{ProvisioningMethod, Status};
use crate::row::Columns;
use crate::user::User;
use crate::{Error, OrganizationId, RoleId, Stamp, UserId};

/// The organizations that some lines name by identifier or external id.
#[derive(Debug, Default)]
pub struct JoinableOrganizations {
    by_external_id: HashMap<String, OrganizationId>,
    places: HashMap<OrganizationId, KnownOrganization>,
    roles: Vec<KnownRole>,
}

#[derive(Debug)]
struct KnownOrganization {
    /// Its object for an event.
    object: Object,
    /// Whether it has a limit of members.
    is_limited: bool,
    has_members: bool,
    own_roles: Vec<KnownRole>,
    /// The role of later members, if it is not the environment's default.
    member_role_id: Option<RoleId>,
}

#[derive(Debug)]
struct KnownRole {
    id: RoleId,
    name: String,
    default_creator: bool,
    default_member: bool,
}

/// A new member, with everything that is written about them.
#[derive(Debug)]
pub struct NewMembership {
    pub(super) organization_id: OrganizationId,
    pub(super) user_id: UserId,
    pub(super) method: ProvisioningMethod,
    pub(super) role_ids: Vec<RoleId>,
    roles: Vec<String>,
    object: Object,
}

impl NewMembership {
    pub fn organization_id(&self) -> &OrganizationId {
        &self.organization_id
    }

    /// The event of the new membership.
    pub(super) fn entry(&self) -> Entry<'_> {
        Entry::new(Kind::UserOrganizationMembershipCreated)
            .organization(&self.organization_id)
            .user(&self.user_id)
            .with("roles", self.roles.clone())
            .with("status", Status::Active.as_str())
            .with("provisioning_method", self.method.as_str())
            .object(self.object.clone())
    }
}

macro_rules! select_places {
    () => {
        concat!(
            "SELECT o.id, o.external_id, o.max_allowed_users IS NOT NULL,
                    EXISTS (SELECT 1 FROM memberships m WHERE m.organization_id = o.id), d.member_role_id, ",
            organization_columns!("o."),
            " FROM organizations o LEFT JOIN organization_default_roles d ON d.organization_id = o.id WHERE"
        )
    };
}

static BY_ID: LazyLock<Many> = LazyLock::new(|| Many::find(select_places!(), &[("o.id", ColumnType::Text)]));
static BY_EXTERNAL_ID: LazyLock<Many> =
    LazyLock::new(|| Many::find(select_places!(), &[("o.external_id", ColumnType::Text)]));
static OWN_ROLES: LazyLock<Many> = LazyLock::new(|| {
    let select = "SELECT organization_id, id, name, default_creator, default_member FROM roles WHERE";
    Many::find(select, &[("organization_id", ColumnType::Text)])
});

impl JoinableOrganizations {
    /// Reads the organizations with these identifiers or external ids.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] if the database fails.
    pub async fn find(tx: &mut Tx<'_>, names: &BTreeSet<&str>) -> Result<Self, Error> {
        let mut places = Self::default();
        if names.is_empty() {
            return Ok(places);
        }
        let is_id = |name: &&&str| OrganizationId::parse(name).is_ok();
        let ids: Vec<Value<'_>> = names
            .iter()
            .filter(is_id)
            .map(|name| Value::from(*name))
            .collect();
        places.read(&tx.all_many(&BY_ID, &ids).await?)?;
        let external_ids: Vec<Value<'_>> = names
            .iter()
            .filter(|name| OrganizationId::parse(name).map_or(true, |id| !places.places.contains_key(&id)))
            .map(|name| Value::from(*name))
            .collect();
        places.read(&tx.all_many(&BY_EXTERNAL_ID, &external_ids).await?)?;

        let sql = "SELECT id, name, default_creator, default_member FROM roles WHERE organization_id IS NULL ORDER BY id";
        for row in tx.all(sql, &[]).await? {
            places.roles.push(KnownRole::read(&mut Columns::of(&row))?);
        }
        let ids: Vec<OrganizationId> = places.places.keys().cloned().collect();
        let ids: Vec<Value<'_>> = ids.iter().map(Value::from).collect();
        for row in tx.all_many(&OWN_ROLES, &ids).await? {
            let mut columns = Columns::of(&row);
            let organization_id: OrganizationId = columns.id()?;
            if let Some(place) = places.places.get_mut(&organization_id) {
                place.own_roles.push(KnownRole::read(&mut columns)?);
            }
        }
        Ok(places)
    }

    fn read(&mut self, rows: &[genkan_db::Row]) -> Result<(), Error> {
        for row in rows {
            let mut columns = Columns::of(row);
            let id: OrganizationId = columns.id()?;
            let external_id = columns.optional_text()?;
            let place = KnownOrganization {
                is_limited: columns.bool()?,
                has_members: columns.bool()?,
                own_roles: Vec::new(),
                member_role_id: columns.optional_id()?,
                object: Object::of(&shape::Organization::read(&mut columns)?),
            };
            if let Some(external_id) = external_id {
                self.by_external_id.insert(external_id, id.clone());
            }
            self.places.insert(id, place);
        }
        Ok(())
    }

    /// The organization with this identifier or external id.
    pub fn id(&self, name: &str) -> Option<&OrganizationId> {
        let by_id = OrganizationId::parse(name)
            .ok()
            .and_then(|id| self.places.get_key_value(&id));
        by_id.map(|(id, _)| id).or_else(|| self.by_external_id.get(name))
    }

    /// What [`crate::membership::create`] would do for a person who is no member yet.
    ///
    /// `None` if members are counted there, or if a role is unknown.
    pub fn plan(
        &self,
        at: Stamp<'_>,
        organization_id: &OrganizationId,
        user: &User,
        (method, names): (ProvisioningMethod, &[String]),
    ) -> Option<NewMembership> {
        let place = self
            .places
            .get(organization_id)
            .filter(|place| !place.is_limited)?;
        let visible = || self.roles.iter().chain(&place.own_roles);
        let defaults: Vec<&str>;
        let names: Vec<&str> = if names.is_empty() {
            defaults = visible()
                .filter(|role| place.gives(role))
                .map(|role| role.name.as_str())
                .collect();
            defaults
        } else {
            names.iter().map(String::as_str).collect()
        };
        let given: Vec<&KnownRole> = visible()
            .filter(|role| names.contains(&role.name.as_str()))
            .collect();
        if !names
            .iter()
            .all(|name| given.iter().any(|role| role.name == *name))
        {
            return None;
        }
        let mut roles: Vec<String> = given.iter().map(|role| role.name.clone()).collect();
        roles.sort_unstable();
        let object = place.object.clone().and(&shape_of(user)).and(&shape::Membership {
            organization_id: organization_id.as_str(),
            user_id: user.id.as_str(),
            status: Status::Active.as_str(),
            roles: &roles,
            groups: &[],
            metadata: &Map::new(),
            inviter_email: None,
            provisioning_method: Some(method.as_str()),
            created_at: at.now.as_micros(),
            accepted_at: Some(at.now.as_micros()),
            expires_at: None,
        });
        Some(NewMembership {
            organization_id: organization_id.clone(),
            user_id: user.id.clone(),
            method,
            role_ids: given.iter().map(|role| role.id.clone()).collect(),
            roles,
            object,
        })
    }

    /// Notes that an organization has a member now, so the next one is not the first.
    pub fn note_member(&mut self, organization_id: &OrganizationId) {
        if let Some(place) = self.places.get_mut(organization_id) {
            place.has_members = true;
        }
    }
}

impl KnownOrganization {
    /// Whether the next member gets this role by default, see [`crate::role::defaults`].
    fn gives(&self, role: &KnownRole) -> bool {
        if !self.has_members {
            return role.default_creator && !self.own_roles.iter().any(|own| own.id == role.id);
        }
        match &self.member_role_id {
            None => role.default_member,
            Some(id) => *id == role.id,
        }
    }
}

impl KnownRole {
    fn read(columns: &mut Columns<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: columns.id()?,
            name: columns.text()?,
            default_creator: columns.bool()?,
            default_member: columns.bool()?,
        })
    }
}

/// The object for an event, as it would be read from the database.
fn shape_of(user: &User) -> shape::User {
    shape::User {
        id: user.id.as_str().to_owned(),
        email: user.email.as_str().to_owned(),
        email_verified: user.email_verified,
        name: user.name.clone(),
        given_name: user.given_name.clone(),
        family_name: user.family_name.clone(),
        picture: user.picture.clone(),
        locale: user.locale.clone(),
        phone_number: user.phone_number.clone(),
        phone_number_verified: user.phone_number_verified,
        preferred_username: user.preferred_username.clone(),
        gender: user.gender.clone(),
        groups: user.groups.clone(),
        custom_attributes: user.custom_attributes.clone(),
        profile_metadata: user.profile_metadata.clone(),
        external_id: user.external_id.clone(),
        metadata: user.metadata.clone(),
        created_at: user.created_at.as_micros(),
        updated_at: user.updated_at.as_micros(),
        last_login_at: user.last_login_at.map(crate::Timestamp::as_micros),
    }
}
