//! The users in the lines of an import, and new ones.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;

use genkan_db::{ColumnType, Many, Tx, Value, p};

use super::places::NewMembership;
use crate::event::{self, Entry, Kind};
use crate::role::role_names;
use crate::row::{Columns, lines};
use crate::user::{self, ProfileTexts, User};
use crate::{Error, OrganizationId, Stamp, Timestamp, UserId, search};

/// What is known about the users in some lines.
#[derive(Debug, Default)]
pub struct UserIndex {
    by_email: HashMap<String, User>,
    external_ids: HashSet<String>,
    roles: HashMap<(OrganizationId, UserId), Vec<String>>,
}

static BY_EMAIL: LazyLock<Many> = LazyLock::new(|| {
    let select = concat!("SELECT ", user::columns!(), " FROM users u WHERE");
    Many::find(select, &[("u.email", ColumnType::Text)])
});
static EXTERNAL_IDS: LazyLock<Many> = LazyLock::new(|| {
    Many::find(
        "SELECT external_id FROM users WHERE",
        &[("external_id", ColumnType::Text)],
    )
});
static ROLES: LazyLock<Many> = LazyLock::new(|| {
    let select = concat!(
        "SELECT m.organization_id, m.user_id, ",
        role_names!(),
        " FROM memberships m WHERE"
    );
    let keys = [
        ("m.organization_id", ColumnType::Text),
        ("m.user_id", ColumnType::Text),
    ];
    Many::find(select, &keys)
});
static OWNERS: LazyLock<Many> = LazyLock::new(|| {
    let select = "SELECT domain, organization_id FROM domains
                   WHERE kind = 'ORGANIZATION_DOMAIN' AND status = 'VERIFIED' AND";
    Many::find(select, &[("domain", ColumnType::Text)])
});

impl UserIndex {
    /// Reads the users with these addresses, and which of these external ids are taken.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] if the database fails.
    pub async fn find(
        tx: &mut Tx<'_>,
        emails: &BTreeSet<&str>,
        external_ids: &BTreeSet<&str>,
    ) -> Result<Self, Error> {
        let mut people = Self::default();
        for row in tx.all_many(&BY_EMAIL, &values(emails)).await? {
            let user = user::read(&row)?;
            people.by_email.insert(user.email.as_str().to_owned(), user);
        }
        for row in tx.all_many(&EXTERNAL_IDS, &values(external_ids)).await? {
            people.external_ids.insert(Columns::of(&row).text()?);
        }
        Ok(people)
    }

    /// Reads which of these users belong to which of these organizations, each pair once.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] if the database fails.
    pub async fn find_memberships(
        &mut self,
        tx: &mut Tx<'_>,
        pairs: &BTreeSet<(OrganizationId, UserId)>,
    ) -> Result<(), Error> {
        let values: Vec<Value<'_>> = pairs
            .iter()
            .flat_map(|(organization_id, user_id)| [organization_id.into(), user_id.into()])
            .collect();
        for row in tx.all_many(&ROLES, &values).await? {
            let mut columns = Columns::of(&row);
            let pair = (columns.id()?, columns.id()?);
            self.roles.insert(pair, lines(columns.optional_text()?));
        }
        Ok(())
    }

    /// The user with this address.
    pub fn by_email(&self, email: &str) -> Option<&User> {
        self.by_email.get(email)
    }

    /// Whether a user has this external id.
    pub fn has_external_id(&self, external_id: &str) -> bool {
        self.external_ids.contains(external_id)
    }

    /// The roles of a member, sorted. `None` if they are no member.
    pub fn roles(&self, organization_id: &OrganizationId, user_id: &UserId) -> Option<&[String]> {
        let pair = (organization_id.clone(), user_id.clone());
        self.roles.get(&pair).map(Vec::as_slice)
    }
}

/// The owners of these domains, see [`crate::domain::find_owner`].
///
/// # Errors
///
/// [`Error::Database`] if the database fails.
pub async fn owners(
    tx: &mut Tx<'_>,
    domains: &BTreeSet<&str>,
) -> Result<HashMap<String, OrganizationId>, Error> {
    let rows = tx.all_many(&OWNERS, &values(domains)).await?;
    let read = |row| {
        let mut columns = Columns::of(row);
        Ok((columns.text()?, columns.id()?))
    };
    rows.iter().map(read).collect()
}

fn values<'v>(texts: &BTreeSet<&'v str>) -> Vec<Value<'v>> {
    texts.iter().map(|text| Value::from(*text)).collect()
}

/// Users and memberships that are not written yet, in the order of their lines.
#[derive(Debug, Default)]
pub struct NewUsers {
    users: Vec<NewUser>,
    joins: Vec<NewMembership>,
    /// What the events report, in order.
    steps: Vec<Step>,
    proved: Vec<UserId>,
}

#[derive(Debug)]
struct NewUser {
    user: User,
    /// Whether they have proved the mailbox of their address.
    is_proved: bool,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    User(usize),
    Join(usize),
}

impl NewUsers {
    /// Adds a user. The caller knows that the address and the external id are free.
    pub fn add(&mut self, user: User, is_proved: bool) {
        self.steps.push(Step::User(self.users.len()));
        self.users.push(NewUser { user, is_proved });
    }

    /// Adds a membership.
    pub fn join(&mut self, join: NewMembership) {
        self.steps.push(Step::Join(self.joins.len()));
        self.joins.push(join);
    }

    /// Notes that an existing user has proved the mailbox of their address.
    pub fn prove(&mut self, id: UserId) {
        self.proved.push(id);
    }

    /// Writes everything, and starts again empty.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] if the database fails.
    pub async fn write(&mut self, tx: &mut Tx<'_>, at: Stamp<'_>) -> Result<(), Error> {
        let new = std::mem::take(self);
        new.write_users(tx, at).await?;
        new.write_memberships(tx, at).await?;
        let entries: Vec<Entry<'_>> = new
            .steps
            .iter()
            .map(|step| match *step {
                Step::User(index) => Entry::new(Kind::UserCreated).user(&new.users[index].user.id),
                Step::Join(index) => new.joins[index].entry(),
            })
            .collect();
        event::record_all(tx, at, &entries).await
    }

    async fn write_users(&self, tx: &mut Tx<'_>, at: Stamp<'_>) -> Result<(), Error> {
        static INSERT: LazyLock<Many> = LazyLock::new(|| Many::insert("users", USER_COLUMNS, ""));
        static PROVE: LazyLock<Many> = LazyLock::new(|| {
            let proved_at = ("email_proved_at", ColumnType::BigInt);
            Many::update("users", proved_at, ("id", ColumnType::Text))
        });
        let texts: Vec<ProfileTexts> = self.users.iter().map(|new| ProfileTexts::of(&new.user)).collect();
        let mut values = Vec::with_capacity(self.users.len() * USER_COLUMNS.len());
        for (NewUser { user, is_proved }, texts) in self.users.iter().zip(&texts) {
            values.extend_from_slice(p![
                &user.id,
                user.email.as_str(),
                user.email_verified,
                user.name.as_deref(),
                user.given_name.as_deref(),
                user.family_name.as_deref(),
                user.picture.as_deref(),
                user.locale.as_deref(),
                user.phone_number.as_deref(),
                user.phone_number_verified,
                user.preferred_username.as_deref(),
                user.gender.as_deref(),
                &texts.groups,
                &texts.custom_attributes,
                &texts.profile_metadata,
                user.external_id.as_deref(),
                &texts.metadata,
                user.disabled,
                user.created_at.as_micros(),
                user.updated_at.as_micros(),
                user.last_login_at.map(Timestamp::as_micros),
                is_proved.then_some(at.now.as_micros()),
            ]);
        }
        tx.exec_many(&INSERT, &values).await?;
        let words = |new: &'_ NewUser| user::words(&new.user);
        let indexed = self.users.iter().map(|new| (&new.user.id, words(new))).collect();
        search::put_new_users(tx, indexed).await?;
        let proved: Vec<Value<'_>> = self
            .proved
            .iter()
            .flat_map(|id| [at.now.as_micros().into(), id.into()])
            .collect();
        tx.exec_many(&PROVE, &proved).await?;
        Ok(())
    }

    async fn write_memberships(&self, tx: &mut Tx<'_>, at: Stamp<'_>) -> Result<(), Error> {
        static INSERT: LazyLock<Many> = LazyLock::new(|| Many::insert("memberships", MEMBERSHIP_COLUMNS, ""));
        static ASSIGN: LazyLock<Many> = LazyLock::new(|| {
            let columns = [
                ("organization_id", ColumnType::Text),
                ("user_id", ColumnType::Text),
                ("role_id", ColumnType::Text),
                ("by_provider", ColumnType::Boolean),
            ];
            Many::insert("membership_roles", &columns, "")
        });
        let (mut members, mut roles) = (Vec::new(), Vec::new());
        for join in &self.joins {
            let (organization_id, user_id) = (&join.organization_id, &join.user_id);
            let now = at.now.as_micros();
            members.extend_from_slice(p![
                organization_id,
                user_id,
                "[]",
                crate::membership::Status::Active.as_str(),
                "{}",
                join.method.as_str(),
                now,
                now
            ]);
            for role_id in &join.role_ids {
                roles.extend_from_slice(p![organization_id, user_id, role_id, false]);
            }
        }
        tx.exec_many(&INSERT, &members).await?;
        tx.exec_many(&ASSIGN, &roles).await?;
        Ok(())
    }
}

const MEMBERSHIP_COLUMNS: &[genkan_db::Column] = &[
    ("organization_id", ColumnType::Text),
    ("user_id", ColumnType::Text),
    ("groups", ColumnType::Text),
    ("status", ColumnType::Text),
    ("metadata", ColumnType::Text),
    ("provisioning_method", ColumnType::Text),
    ("created_at", ColumnType::BigInt),
    ("accepted_at", ColumnType::BigInt),
];

const USER_COLUMNS: &[genkan_db::Column] = &[
    ("id", ColumnType::Text),
    ("email", ColumnType::Text),
    ("email_verified", ColumnType::Boolean),
    ("name", ColumnType::Text),
    ("given_name", ColumnType::Text),
    ("family_name", ColumnType::Text),
    ("picture", ColumnType::Text),
    ("locale", ColumnType::Text),
    ("phone_number", ColumnType::Text),
    ("phone_number_verified", ColumnType::Boolean),
    ("preferred_username", ColumnType::Text),
    ("gender", ColumnType::Text),
    ("groups", ColumnType::Text),
    ("custom_attributes", ColumnType::Text),
    ("profile_metadata", ColumnType::Text),
    ("external_id", ColumnType::Text),
    ("metadata", ColumnType::Text),
    ("disabled", ColumnType::Boolean),
    ("created_at", ColumnType::BigInt),
    ("updated_at", ColumnType::BigInt),
    ("last_login_at", ColumnType::BigInt),
    ("email_proved_at", ColumnType::BigInt),
];
