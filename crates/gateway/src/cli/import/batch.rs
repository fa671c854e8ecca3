//! Reads what the lines of one transaction need, all at once, and plans what they write.
//!
//! A plan is made only if the functions for one line would have nothing to decide. They hold every rule.

use std::collections::{BTreeSet, HashMap, HashSet};

use genkan_db::Tx;
use genkan_protocol::{Domain as DomainName, EmailAddress};
use genkan_store::batch::{
    self, JoinableOrganizations, NewMembership, NewOrganizations, NewUsers, OrganizationIndex, UserIndex,
};
use genkan_store::domain::{self, Domain};
use genkan_store::membership::ProvisioningMethod;
use genkan_store::organization::{self, Organization};
use genkan_store::user::{self, User};
use genkan_store::{Error, OrganizationId, Stamp};

use super::apply::{Author, Batch, Outcome};
use super::customer::CustomerRow;
use super::organization::OrganizationRow;
use super::user::UserRow;

/// For users. Each may have memberships anywhere.
pub(super) struct UserBatch {
    places: JoinableOrganizations,
    people: UserIndex,
    new: NewUsers,
    /// Addresses in lines that have changed something.
    met: HashSet<String>,
    /// External ids that lines have taken.
    external_ids: HashSet<String>,
}

/// The memberships of a line, with their roles.
fn memberships(row: &UserRow) -> impl Iterator<Item = (&str, &[String])> {
    let one = row
        .organization
        .as_deref()
        .map(|organization| (organization, row.roles.as_slice()));
    let several = row
        .memberships
        .iter()
        .map(|row| (row.organization.as_str(), row.roles.as_slice()));
    one.into_iter().chain(several)
}

impl UserBatch {
    async fn of<'r>(
        tx: &mut Tx<'_>,
        rows: impl Iterator<Item = &'r UserRow> + Clone,
        organization: Option<&OrganizationId>,
    ) -> Result<Self, Error> {
        let addresses: Vec<EmailAddress> = rows
            .clone()
            .filter_map(|row| EmailAddress::parse(&row.email).ok())
            .collect();
        let emails: BTreeSet<&str> = addresses.iter().map(EmailAddress::as_str).collect();
        let external_ids: BTreeSet<&str> = rows
            .clone()
            .filter_map(|row| row.external_id.as_deref())
            .collect();
        let mut names: BTreeSet<&str> = rows.clone().flat_map(memberships).map(|(name, _)| name).collect();
        names.extend(organization.map(OrganizationId::as_str));
        let places = JoinableOrganizations::find(tx, &names).await?;
        let mut people = UserIndex::find(tx, &emails, &external_ids).await?;
        let mut pairs = BTreeSet::new();
        for row in rows {
            let known = EmailAddress::parse(&row.email)
                .ok()
                .and_then(|email| people.by_email(email.as_str()));
            let Some(known) = known else { continue };
            let named = memberships(row).filter_map(|(name, _)| places.id(name));
            pairs.extend(named.chain(organization).map(|id| (id.clone(), known.id.clone())));
        }
        people.find_memberships(tx, &pairs).await?;
        Ok(Self {
            places,
            people,
            new: NewUsers::default(),
            met: HashSet::new(),
            external_ids: HashSet::new(),
        })
    }

    /// The user of a line, if they stay as they are or can simply be added.
    fn user(&self, row: &UserRow, at: Stamp<'_>) -> Option<LineUser> {
        let email = EmailAddress::parse(&row.email).ok()?;
        if self.met.contains(email.as_str()) {
            return None;
        }
        if let Some(known) = self.people.by_email(email.as_str()) {
            let mut user = known.clone();
            row.apply(&mut user);
            return (user == *known).then_some(LineUser::Known(user));
        }
        if let Some(external_id) = &row.external_id
            && (self.people.has_external_id(external_id) || self.external_ids.contains(external_id))
        {
            return None;
        }
        let mut user = User::new(at.id(), email, at.now);
        row.apply(&mut user);
        user::check(&user, None).is_ok().then_some(LineUser::New(user))
    }

    /// The membership that a line adds. [`MembershipPlan::Nothing`] if it exists like this.
    fn join(
        &self,
        at: Stamp<'_>,
        found: &LineUser,
        organization_id: &OrganizationId,
        (method, roles): (ProvisioningMethod, &[String]),
    ) -> Option<MembershipPlan> {
        if let LineUser::Known(user) = found
            && let Some(before) = self.people.roles(organization_id, &user.id)
        {
            let is_same = roles.is_empty()
                || roles.iter().all(|role| before.contains(role)) && roles.len() == before.len();
            return is_same.then_some(MembershipPlan::Nothing);
        }
        let (LineUser::Known(user) | LineUser::New(user)) = found;
        let join = self.places.plan(at, organization_id, user, (method, roles))?;
        Some(MembershipPlan::Join(join))
    }

    /// Plans everything of a line.
    fn take(&mut self, found: LineUser, joins: Vec<NewMembership>, proves: bool) -> Outcome {
        let is_news = !joins.is_empty();
        let outcome = match found {
            LineUser::Known(user) => {
                if is_news {
                    self.met.insert(user.email.as_str().to_owned());
                }
                if proves {
                    self.new.prove(user.id);
                }
                Outcome::Unchanged.and(is_news)
            }
            LineUser::New(user) => {
                self.met.insert(user.email.as_str().to_owned());
                self.external_ids.extend(user.external_id.clone());
                self.new.add(user, proves);
                Outcome::Created
            }
        };
        for join in joins {
            self.places.note_member(join.organization_id());
            self.new.join(join);
        }
        outcome
    }

    fn forget_row(&mut self, row: &UserRow, organization: Option<&OrganizationId>) {
        if let Ok(email) = EmailAddress::parse(&row.email) {
            self.met.insert(email.as_str().to_owned());
        }
        self.external_ids.extend(row.external_id.clone());
        // They are a member now of each organization in the line.
        let named: Vec<OrganizationId> = memberships(row)
            .filter_map(|(name, _)| self.places.id(name))
            .chain(organization)
            .cloned()
            .collect();
        for id in &named {
            self.places.note_member(id);
        }
    }
}

enum LineUser {
    Known(User),
    New(User),
}

enum MembershipPlan {
    Nothing,
    Join(NewMembership),
}

impl Batch for UserBatch {
    type Row = UserRow;

    async fn look_up(tx: &mut Tx<'_>, _: Author<'_>, rows: &[&UserRow]) -> Result<Self, Error> {
        Self::of(tx, rows.iter().copied(), None).await
    }

    fn plan(&mut self, row: &UserRow, at: Stamp<'_>, _: Author<'_>) -> Option<Outcome> {
        if row.organization.is_none() && !row.roles.is_empty() {
            return None;
        }
        let found = self.user(row, at)?;
        let (mut joins, mut places) = (Vec::new(), BTreeSet::new());
        for (name, roles) in memberships(row) {
            let organization_id = self.places.id(name)?;
            if !places.insert(organization_id) {
                return None;
            }
            match self.join(at, &found, organization_id, (ProvisioningMethod::Cli, roles))? {
                MembershipPlan::Nothing => {}
                MembershipPlan::Join(join) => joins.push(join),
            }
        }
        Some(self.take(found, joins, row.email_verified == Some(true)))
    }

    async fn write(&mut self, tx: &mut Tx<'_>, at: Stamp<'_>) -> Result<(), Error> {
        self.new.write(tx, at).await
    }

    fn forget(&mut self, row: &UserRow) {
        self.forget_row(row, None);
    }
}

/// For the people of one organization.
pub(super) struct CustomerBatch {
    users: UserBatch,
    organization_id: Option<OrganizationId>,
    owners: HashMap<String, OrganizationId>,
}

impl Batch for CustomerBatch {
    type Row = CustomerRow;

    async fn look_up(tx: &mut Tx<'_>, author: Author<'_>, rows: &[&CustomerRow]) -> Result<Self, Error> {
        let addresses: Vec<EmailAddress> = rows
            .iter()
            .filter_map(|row| EmailAddress::parse(&row.0.email).ok())
            .collect();
        let domains: BTreeSet<&str> = addresses.iter().map(|email| email.domain().as_str()).collect();
        let users = rows.iter().map(|row| &row.0);
        Ok(Self {
            owners: batch::owners(tx, &domains).await?,
            users: UserBatch::of(tx, users, author.organization_id).await?,
            organization_id: author.organization_id.cloned(),
        })
    }

    fn plan(&mut self, row: &CustomerRow, at: Stamp<'_>, _: Author<'_>) -> Option<Outcome> {
        let (row, organization_id) = (&row.0, self.organization_id.as_ref()?);
        if row.external_id.is_some() || !row.metadata.is_empty() {
            return None;
        }
        let mut roles: Vec<String> = row.roles.clone();
        roles.extend(row.memberships.iter().flat_map(|row| row.roles.iter().cloned()));
        roles.sort_unstable();
        roles.dedup();
        for (name, _) in memberships(row) {
            if self.users.places.id(name)? != organization_id {
                return None;
            }
        }
        let found = self.users.user(row, at)?;
        let planned = self
            .users
            .join(at, &found, organization_id, (ProvisioningMethod::File, &roles))?;
        let joins = match (&found, planned) {
            // Whether they may become members is checked for one person at a time.
            (LineUser::Known(_), MembershipPlan::Join(_)) => return None,
            (LineUser::Known(_), MembershipPlan::Nothing) => Vec::new(),
            (LineUser::New(user), MembershipPlan::Join(join)) => {
                let owner = self.owners.get(user.email.domain().as_str());
                if owner.is_some_and(|owner| owner != organization_id) {
                    return None;
                }
                vec![join]
            }
            (LineUser::New(_), MembershipPlan::Nothing) => return None,
        };
        // The file says that they proved their address. This is stored, and proves nothing.
        Some(self.users.take(found, joins, false))
    }

    async fn write(&mut self, tx: &mut Tx<'_>, at: Stamp<'_>) -> Result<(), Error> {
        self.users.new.write(tx, at).await
    }

    fn forget(&mut self, row: &CustomerRow) {
        self.users.forget_row(&row.0, self.organization_id.as_ref());
    }
}

/// For organizations with their domains.
pub(super) struct OrganizationBatch {
    companies: OrganizationIndex,
    new: NewOrganizations,
    /// External ids, slugs and domains in lines that have changed something.
    met: HashSet<String>,
    slugs: HashSet<String>,
    domains: HashSet<String>,
}

fn domain_names(row: &OrganizationRow) -> impl Iterator<Item = DomainName> {
    row.domains.iter().filter_map(|text| DomainName::parse(text).ok())
}

impl OrganizationBatch {
    /// The domains of a new organization, if they are all free.
    fn domains(
        &self,
        row: &OrganizationRow,
        id: &OrganizationId,
        (at, author): (Stamp<'_>, Author<'_>),
    ) -> Option<Vec<Domain>> {
        let (mut domains, mut names) = (Vec::with_capacity(row.domains.len()), HashSet::new());
        for text in &row.domains {
            let name = DomainName::parse(text).ok()?;
            let is_free = domain::refuse_public_mail(&name).is_ok()
                && !self.companies.is_owned(name.as_str())
                && !self.domains.contains(name.as_str())
                && names.insert(name.as_str().to_owned());
            if !is_free {
                return None;
            }
            let kind = domain::Kind::OrganizationDomain;
            domains.push(Domain::new(at.id(), id.clone(), name, kind, at.now).claimed_by(author.claimant));
        }
        Some(domains)
    }
}

impl Batch for OrganizationBatch {
    type Row = OrganizationRow;

    async fn look_up(tx: &mut Tx<'_>, _: Author<'_>, rows: &[&OrganizationRow]) -> Result<Self, Error> {
        let names: Vec<DomainName> = rows.iter().flat_map(|row| domain_names(row)).collect();
        let domains = names.iter().map(DomainName::as_str).collect();
        let external_ids = rows.iter().map(|row| row.external_id.as_str()).collect();
        let slugs = rows.iter().filter_map(|row| row.slug.as_deref()).collect();
        Ok(Self {
            companies: OrganizationIndex::find(tx, &external_ids, &slugs, &domains).await?,
            new: NewOrganizations::default(),
            met: HashSet::new(),
            slugs: HashSet::new(),
            domains: HashSet::new(),
        })
    }

    fn plan(&mut self, row: &OrganizationRow, at: Stamp<'_>, author: Author<'_>) -> Option<Outcome> {
        if row.external_id.is_empty() || self.met.contains(&row.external_id) {
            return None;
        }
        if let Some(known) = self.companies.by_external_id(&row.external_id) {
            let mut organization = known.clone();
            row.apply(&mut organization);
            let has = |text: &String| {
                DomainName::parse(text).is_ok_and(|name| self.companies.has_domain(&known.id, name.as_str()))
            };
            return (organization == *known && row.domains.iter().all(has)).then_some(Outcome::Unchanged);
        }
        let mut organization = Organization::new(at.id(), "", at.now);
        organization.external_id = Some(row.external_id.clone());
        row.apply(&mut organization);
        if organization.display_name.is_empty() || organization::check(&organization, None).is_err() {
            return None;
        }
        if let Some(slug) = &organization.slug
            && (self.companies.has_slug(slug) || self.slugs.contains(slug))
        {
            return None;
        }
        let domains = self.domains(row, &organization.id, (at, author))?;
        self.forget(row);
        self.new.add(organization, domains);
        Some(Outcome::Created)
    }

    async fn write(&mut self, tx: &mut Tx<'_>, at: Stamp<'_>) -> Result<(), Error> {
        self.new.write(tx, at).await
    }

    fn forget(&mut self, row: &OrganizationRow) {
        self.met.insert(row.external_id.clone());
        self.slugs.extend(row.slug.clone());
        let names = domain_names(row).map(|name| name.as_str().to_owned());
        self.domains.extend(names);
    }
}
