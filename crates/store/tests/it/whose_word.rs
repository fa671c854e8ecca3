//! Whose word is behind an address: a domain that was only claimed, a proved one, a mail that was read, an
//! account at Google, another subject.

use genkan_store::admission::{self, AdmittedPerson, Claim, Refusal};
use genkan_store::connection::{self, Connection, EnableOutcome, OidcSettings};
use genkan_store::domain::{self, Claimant, Domain, Proof, Status};
use genkan_store::event::{self, Filter, Kind};
use genkan_store::identity::relink;
use genkan_store::organization::Organization;
use genkan_store::user::{self, User};
use genkan_store::{
    Actor, ConnectionId, Error, OrganizationId, Page, Provider, UserId, conflict, membership, subject,
};

use crate::support::{T0, World, claim, email, on_each_engine, race};

fn named(connection: &Connection, subject: &str, address: &str, name: &str) -> Claim {
    let mut claim = claim(connection, subject, address);
    claim.profile.name = Some(name.to_owned());
    claim
}

async fn join(world: &World, organization_id: &OrganizationId, user: &User) {
    world
        .tx(async |tx| membership::insert(tx, world.start(), organization_id, &user.id).await)
        .await;
}

async fn prove(world: &World, organization_id: &OrganizationId, by: Proof) -> Domain {
    let domains = world.tx(async |tx| domain::list(tx, organization_id).await).await;
    let at = world.start().by(Actor::Cli);
    world
        .tx(async |tx| domain::prove(tx, at, organization_id, &domains[0].id, by).await)
        .await;
    let found = world
        .tx(async |tx| domain::find(tx, organization_id, &domains[0].id).await)
        .await;
    found.unwrap()
}

async fn events(world: &World, kind: Kind) -> usize {
    let filter = Filter {
        kind: Some(kind),
        ..Filter::default()
    };
    world
        .tx(async |tx| event::list(tx, &filter, &Page::first(100)).await)
        .await
        .len()
}

/// The bank, whose application has entered its treasurer, and eve's company, which claims the bank's
/// domain. The claim is active at once.
async fn bank_and_evil(world: &World) -> (Organization, User, Organization, Connection) {
    let bank = world.organization().await;
    let mut cfo = User::new(world.id(), email("cfo@bank.test"), T0);
    cfo.name = Some("The Treasurer".to_owned());
    world
        .tx(async |tx| user::insert(tx, world.start(), &cfo).await)
        .await;
    join(world, &bank.id, &cfo).await;
    let (evil, connection) = world.company("bank.test").await;
    (bank, cfo, evil, connection)
}

#[tokio::test]
async fn a_domain_that_was_only_claimed_reaches_nobody_elses_people() {
    on_each_engine(async |world| {
        let (bank, cfo, evil, connection) = bank_and_evil(world).await;
        let claimed = named(&connection, "s", "cfo@bank.test", "Not the Treasurer");
        let before = events(world, Kind::UserIdentityLinked).await;
        assert_eq!(world.admit(&claimed).await, Err(Refusal::DomainNotProved));
        // Nor after the victim was made a member of eve's organization as well.
        join(world, &evil.id, &cfo).await;
        assert_eq!(world.admit(&claimed).await, Err(Refusal::DomainNotProved));
        assert_eq!(events(world, Kind::UserIdentityLinked).await, before);
        let untouched = world.tx(async |tx| user::find(tx, &cfo.id).await).await.unwrap();
        assert_eq!(untouched.name, cfo.name);
        // A person who belongs to nobody else can come in by the word of the domain's claimant.
        world.enter(&claim(&connection, "t", "teller@bank.test")).await;

        // A proved domain reaches them. Any domain does if they belong nowhere else.
        let proved = prove(world, &evil.id, Proof::Operator).await;
        assert_eq!(world.enter(&claimed).await.id, cfo.id);
        let proof = proved.proved.unwrap();
        assert_eq!((proof.by, proof.actor.as_deref()), (Proof::Operator, Some("cli")));
        assert_eq!(events(world, Kind::DomainVerifiedByOperator).await, 1);
        assert!(bank.id != evil.id);
    })
    .await;
}

#[tokio::test]
async fn who_is_linked_already_stays_so_and_names_do_not_cross_over() {
    on_each_engine(async |world| {
        let (evil, connection) = world.company("bank.test").await;
        let first = world
            .enter(&named(&connection, "s", "cfo@bank.test", "Alice"))
            .await;
        let bank = world.organization().await;
        join(world, &bank.id, &first).await;

        let mut again = named(&connection, "s", "cfo@bank.test", "Mallory");
        again.profile.picture = Some("https://bank.test/m.png".to_owned());
        let user = world.enter(&again).await;
        assert_eq!(
            (&user.id, user.name.as_deref(), user.picture),
            (&first.id, Some("Alice"), None)
        );
        let moved = claim(&connection, "s", "other@bank.test");
        assert_eq!(world.enter(&moved).await.email.as_str(), "cfo@bank.test");

        // The organization that has proved the domain is their home.
        prove(world, &evil.id, Proof::Dns).await;
        assert_eq!(world.enter(&again).await.name.as_deref(), Some("Mallory"));
        assert_eq!(world.enter(&moved).await.email.as_str(), "other@bank.test");
    })
    .await;
}

#[tokio::test]
async fn a_guest_keeps_their_name_whatever_the_hosts_provider_says() {
    on_each_engine(async |world| {
        let (home, at_home) = world.company("home.test").await;
        let (host, at_host) = world.company("host.test").await;
        for id in [&home.id, &host.id] {
            prove(world, id, Proof::Dns).await;
        }
        // Ada comes to the host with an address of the host, then goes home and gets an address there.
        let ada = world.enter(&named(&at_host, "ada", "ada@host.test", "Ada")).await;
        let mut moved = ada.clone();
        moved.email = email("ada@home.test");
        world
            .tx(async |tx| user::update(tx, world.start(), &moved).await)
            .await;
        let as_guest = named(&at_host, "ada", "ada@host.test", "Somebody");
        let user = world.enter(&as_guest).await;
        assert_eq!(
            (user.email.as_str(), user.name.as_deref()),
            ("ada@home.test", Some("Ada"))
        );
        let at_work = named(&at_home, "a", "ada@home.test", "Ada King");
        assert_eq!(world.enter(&at_work).await.name.as_deref(), Some("Ada King"));
    })
    .await;
}

// How a domain is proved

#[tokio::test]
async fn what_the_word_of_each_giver_is_worth() {
    let organization_id = OrganizationId::parse("org_1").unwrap();
    let name = genkan_protocol::Domain::parse("acme.test").unwrap();
    let given = |claimant| {
        let kind = domain::Kind::OrganizationDomain;
        let id = genkan_store::DomainId::parse("dom_1").unwrap();
        Domain::new(id, organization_id.clone(), name.clone(), kind, T0).claimed_by(claimant)
    };
    let operator = given(Claimant::with_credentials(false, false));
    assert_eq!(
        (operator.status, operator.proved.is_some()),
        (Status::Verified, false)
    );
    assert!(operator.txt_name().is_some(), "it can be proved");
    for claimant in [
        Claimant::with_credentials(false, true),
        Claimant::with_credentials(true, true),
        Claimant::Customer,
    ] {
        let domain = given(claimant);
        assert_eq!((domain.status, domain.proved.is_some()), (Status::Pending, false));
        assert_eq!(domain.txt_name().as_deref(), Some("_genkan-challenge.acme.test"));
    }
    let developer = given(Claimant::with_credentials(true, false));
    let proof = developer.proved.unwrap();
    assert_eq!(
        (developer.status, proof.by),
        (Status::Verified, Proof::Development)
    );
    let kind = domain::Kind::AllowedEmailDomain;
    let id = genkan_store::DomainId::parse("dom_1").unwrap();
    let allowed = Domain::new(id, organization_id, name, kind, T0).claimed_by(Claimant::Customer);
    assert_eq!(allowed.status, Status::AutoVerified, "nobody is signed in by it");
}

#[tokio::test]
async fn a_claim_stays_without_effect_until_it_is_proved_and_never_takes_a_domain() {
    on_each_engine(async |world| {
        let claimant = world.organization().await;
        let claim = world
            .new_domain(&claimant.id, "acme.test")
            .claimed_by(Claimant::Customer);
        world
            .tx(async |tx| domain::insert(tx, world.start(), &claim).await)
            .await;
        let (owner, _) = world.company("acme.test").await;
        let refused = world
            .failed_tx(async |tx| {
                domain::prove(tx, world.start(), &claimant.id, &claim.id, Proof::Operator).await
            })
            .await;
        assert!(
            matches!(refused, Error::Conflict(conflict::DOMAIN)),
            "{refused:?}"
        );
        let found = world
            .tx(async |tx| domain::find_owner(tx, &claim.name).await)
            .await
            .unwrap();
        assert_eq!((found.organization_id, found.is_proved), (owner.id, false));
        assert_eq!(world.tx(async |tx| domain::count_unproved(tx).await).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_domain_from_before_there_were_records_gets_one_to_be_proved_by() {
    on_each_engine(async |world| {
        let (organization, _) = world.company("acme.test").await;
        let old = world
            .tx(async |tx| domain::list(tx, &organization.id).await)
            .await
            .remove(0);
        assert_eq!((old.txt_name(), old.proved), (None, None));
        let with = async || {
            world
                .tx(async |tx| domain::with_record(tx, &organization.id, &old.id).await)
                .await
        };
        let record = with().await;
        assert!(record.txt_name().is_some());
        assert_eq!(with().await.txt_value, record.txt_value, "it stays the same");
        assert_eq!(record.status, Status::Verified, "and active");
    })
    .await;
}

// What a token says of an address

async fn says_verified(world: &World, organization: &OrganizationId, user: &UserId) -> bool {
    says_verified_by(world, organization, user, None).await
}

/// For a person who came through this connection.
async fn says_verified_by(
    world: &World,
    organization: &OrganizationId,
    user: &UserId,
    way: Option<&Connection>,
) -> bool {
    let way = way.map(|connection| &connection.id);
    let found = world
        .tx(async |tx| subject::find(tx, user, Some(organization), way).await)
        .await;
    found.unwrap().user.email_verified
}

#[tokio::test]
async fn an_address_counts_as_verified_as_long_as_something_that_stands_vouches_for_it() {
    on_each_engine(async |world| {
        let (old, connection) = world.company("moved.test").await;
        let ann = world
            .enter(&named(&connection, "ann", "ann@moved.test", "Ann"))
            .await;
        assert!(says_verified(world, &old.id, &ann.id).await);

        // The domain moves to another company.
        let domains = world.tx(async |tx| domain::list(tx, &old.id).await).await;
        let buyer = world.organization().await;
        let bought = world.new_domain(&buyer.id, "moved.test");
        world
            .tx(async |tx| {
                domain::delete(tx, world.start(), &old.id, &domains[0].id).await?;
                domain::insert(tx, world.start(), &bought).await
            })
            .await;
        let user = world
            .enter(&named(&connection, "ann", "ann@moved.test", "Not Ann"))
            .await;
        assert_eq!(user.name.as_deref(), Some("Ann"), "nobody there may rename her");
        assert!(!says_verified(world, &old.id, &ann.id).await);
        join(world, &buyer.id, &ann).await;
        assert!(says_verified(world, &buyer.id, &ann.id).await);

        // Her own proof stays, whoever owns the domain. It ends with the address.
        world
            .tx(async |tx| user::prove_email(tx, world.start(), &ann.email).await)
            .await;
        assert!(says_verified(world, &old.id, &ann.id).await);
        assert!(
            !says_verified_by(world, &old.id, &ann.id, Some(&connection)).await,
            "what she proved for herself does not vouch for whom a company lets in"
        );
        let mut renamed = world.tx(async |tx| user::find(tx, &ann.id).await).await.unwrap();
        renamed.email = email("ann@elsewhere.test");
        world
            .tx(async |tx| user::update(tx, world.start(), &renamed).await)
            .await;
        assert!(!says_verified(world, &old.id, &ann.id).await);
    })
    .await;
}

#[tokio::test]
async fn a_claim_and_a_look_alike_domain_vouch_for_nothing() {
    on_each_engine(async |world| {
        let (acme, connection) = world.company("acme.test").await;
        let ada = world.enter(&claim(&connection, "ada", "ada@acme.test")).await;
        let domains = world.tx(async |tx| domain::list(tx, &acme.id).await).await;
        let similar = world.new_domain(&acme.id, "me.test");
        let waiting = world
            .new_domain(&acme.id, "acme.test")
            .claimed_by(Claimant::Customer);
        world
            .tx(async |tx| {
                domain::delete(tx, world.start(), &acme.id, &domains[0].id).await?;
                domain::insert(tx, world.start(), &similar).await?;
                domain::insert(tx, world.start(), &waiting).await
            })
            .await;
        assert!(!says_verified(world, &acme.id, &ada.id).await);
    })
    .await;
}

// Another subject

async fn allow(world: &World, connection: &ConnectionId, user: Option<&UserId>, after: u64) {
    world
        .tx(async |tx| relink::allow(tx, world.after(after).by(Actor::Cli), connection, user).await)
        .await;
}

fn changed(known: &str) -> Result<AdmittedPerson, Refusal> {
    Err(Refusal::SubjectChanged {
        known: vec![known.to_owned()],
    })
}

#[tokio::test]
async fn an_address_that_came_to_another_subject_inherits_no_account() {
    on_each_engine(async |world| {
        let (_, connection) = world.company("acme.test").await;
        let ada = world.enter(&claim(&connection, "ada-1", "ada@acme.test")).await;
        let heir = claim(&connection, "ada-2", "ada@acme.test");
        world.assert_refused(&heir, &changed("ada-1").unwrap_err()).await;

        allow(world, &connection.id, Some(&ada.id), 0).await;
        assert_eq!(world.enter(&heir).await.id, ada.id);
        // The new subject replaced the old one, and the permission is used up.
        let before = claim(&connection, "ada-1", "ada@acme.test");
        assert_eq!(world.admit(&before).await, changed("ada-2"));
        assert_eq!(events(world, Kind::ConnectionRelinkAllowed).await, 1);
        assert_eq!(events(world, Kind::UserIdentityRelinked).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_permission_for_a_connection_is_for_each_person_once_and_for_seven_days() {
    on_each_engine(async |world| {
        let (organization, connection) = world.company("acme.test").await;
        let other = world.new_connection(Some(&organization.id));
        world
            .tx(async |tx| connection::insert(tx, world.start(), &other).await)
            .await;
        for name in ["ada", "bob", "eve"] {
            let address = format!("{name}@acme.test");
            world.enter(&claim(&connection, name, &address)).await;
            world.enter(&claim(&other, name, &address)).await;
        }
        allow(world, &connection.id, None, 0).await;
        let renumbered = |name: &str| claim(&connection, &format!("{name}-2"), &format!("{name}@acme.test"));
        world.enter(&renumbered("ada")).await;
        world.enter(&renumbered("bob")).await;
        let third = claim(&connection, "ada-3", "ada@acme.test");
        assert_eq!(world.admit(&third).await, changed("ada-2"));
        let elsewhere = claim(&other, "eve-2", "eve@acme.test");
        assert_eq!(
            world.admit(&elsewhere).await,
            changed("eve"),
            "at this connection alone"
        );
        let too_late = world.after(7 * 24 * 3600);
        let late = world
            .tx(async |tx| admission::admit(tx, too_late, &renumbered("eve")).await)
            .await;
        assert_eq!(late, changed("eve"));
    })
    .await;
}

#[tokio::test]
async fn a_permission_for_one_person_is_nobody_elses() {
    on_each_engine(async |world| {
        let (_, connection) = world.company("acme.test").await;
        let ada = world.enter(&claim(&connection, "ada", "ada@acme.test")).await;
        world.enter(&claim(&connection, "bob", "bob@acme.test")).await;
        allow(world, &connection.id, Some(&ada.id), 0).await;
        let heir = claim(&connection, "bob-2", "bob@acme.test");
        assert_eq!(world.admit(&heir).await, changed("bob"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_subjects_that_race_for_a_permission_one_gets_it() {
    on_each_engine(async |world| {
        let (_, connection) = world.company("acme.test").await;
        world.enter(&claim(&connection, "first", "ada@acme.test")).await;
        allow(world, &connection.id, None, 0).await;
        let claims: Vec<Claim> = (0..12)
            .map(|n| claim(&connection, &format!("heir-{n}"), "ada@acme.test"))
            .collect();
        let claims = &claims;
        let outcomes = race(12, |n| {
            world
                .db
                .tx_read_committed(async move |tx| admission::admit(tx, world.start(), &claims[n]).await)
        })
        .await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert_eq!(world.count("SELECT COUNT(*) FROM identities").await, 1);
        assert_eq!(world.count("SELECT COUNT(*) FROM relink_uses").await, 1);
    })
    .await;
}

// Google

async fn google(world: &World, check: Option<bool>) -> Connection {
    let (organization, mut connection) = world.company("acme.test").await;
    connection.provider = Provider::Custom;
    connection.name = "Google".to_owned();
    let settings = connection.settings.as_oidc_mut().unwrap();
    settings.issuer = "https://accounts.google.com".to_owned();
    settings.check_hosted_domain = check;
    let google = Connection {
        id: world.id(),
        organization_id: Some(organization.id),
        ..connection
    };
    world
        .tx(async |tx| connection::insert(tx, world.start(), &google).await)
        .await;
    google
}

fn with_hd(connection: &Connection, subject: &str, hd: Option<&str>) -> Claim {
    let mut claim = claim(connection, subject, &format!("{subject}@acme.test"));
    if let Some(hd) = hd {
        claim.attributes.insert("hd".to_owned(), hd.into());
    }
    claim
}

#[tokio::test]
async fn a_private_account_at_google_with_the_companys_address_is_not_the_companys() {
    on_each_engine(async |world| {
        let connection = google(world, Some(true)).await;
        world.enter(&with_hd(&connection, "ada", Some("Acme.test"))).await;
        for foreign in [
            None,
            Some("gmail.com"),
            Some("sub.acme.test"),
            Some(""),
            Some("acme.test.evil.test"),
        ] {
            // Neither as a new person nor as a known one.
            for subject in ["bob", "ada"] {
                let claimed = with_hd(&connection, subject, foreign);
                assert_eq!(
                    world.admit(&claimed).await,
                    Err(Refusal::HostedDomainForeign),
                    "{foreign:?}"
                );
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_connection_to_google_from_before_the_check_only_warns() {
    on_each_engine(async |world| {
        for (name, check) in [("old", None), ("off", Some(false))] {
            let connection = google_of(world, name, check).await;
            let private = claim(&connection, name, &format!("ada@{name}.test"));
            world.enter(&private).await;
        }
    })
    .await;
}

async fn google_of(world: &World, name: &str, check: Option<bool>) -> Connection {
    let (_, mut connection) = world.company(&format!("{name}.test")).await;
    connection.provider = Provider::Google;
    connection.settings.as_oidc_mut().unwrap().check_hosted_domain = check;
    world
        .tx(async |tx| connection::update(tx, world.start(), &connection).await)
        .await;
    connection
}

#[tokio::test]
async fn settings_from_before_the_check_say_nothing_of_it_and_another_issuer_turns_it_on() {
    on_each_engine(async |world| {
        let mut json = serde_json::to_value(OidcSettings::default()).unwrap();
        json.as_object_mut().unwrap().remove("check_hosted_domain");
        let old: OidcSettings = serde_json::from_value(json).unwrap();
        assert_eq!(old.check_hosted_domain, None);

        let (_, mut connection) = world.company("acme.test").await;
        connection.settings.as_oidc_mut().unwrap().check_hosted_domain = None;
        world
            .tx(async |tx| connection::update(tx, world.start(), &connection).await)
            .await;
        let find = async || {
            world
                .tx(async |tx| connection::find(tx, &connection.id).await)
                .await
                .unwrap()
        };
        let mut changed = find().await;
        assert_eq!(changed.settings.as_oidc().unwrap().check_hosted_domain, None);
        // The secret is deleted, so the connection cannot stay enabled.
        changed.enabled = false;
        changed.settings.as_oidc_mut().unwrap().issuer = "https://accounts.google.com".to_owned();
        world
            .tx(async |tx| connection::update(tx, world.start(), &changed).await)
            .await;
        assert_eq!(
            find().await.settings.as_oidc().unwrap().check_hosted_domain,
            Some(true)
        );
    })
    .await;
}

#[tokio::test]
async fn a_domain_of_a_public_mail_service_from_before_the_list_is_found() {
    on_each_engine(async |world| {
        world.company("acme.test").await;
        world.company("gmail.com").await;
        let found = world.tx(async |tx| domain::public_mail_in_force(tx).await).await;
        assert_eq!(found, ["gmail.com"]);
    })
    .await;
}

#[tokio::test]
async fn a_draft_from_before_the_check_has_it_on_from_its_first_issuer() {
    on_each_engine(async |world| {
        let (_, mut connection) = world.company("acme.test").await;
        connection.enabled = false;
        for issuer in ["", "https://accounts.google.com"] {
            let settings = connection.settings.as_oidc_mut().unwrap();
            settings.issuer = issuer.to_owned();
            settings.check_hosted_domain = None;
            let id = connection.id.clone();
            world
                .tx(async |tx| connection::update(tx, world.start(), &connection).await)
                .await;
            connection = world
                .tx(async |tx| connection::find(tx, &id).await)
                .await
                .unwrap();
        }
        let settings = connection.settings.as_oidc().unwrap();
        assert_eq!(settings.check_hosted_domain, Some(true));
    })
    .await;
}

// Microsoft

#[tokio::test]
async fn entras_addresses_of_everybody_are_no_companys_issuer() {
    on_each_engine(async |world| {
        let shared = [
            "https://login.microsoftonline.com/common/v2.0",
            "https://login.microsoftonline.com/organizations/v2.0",
            "https://login.microsoftonline.com/Consumers/v2.0",
            "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
            "https://login.microsoftonline.us/common",
            "https://sts.windows.net/common/",
        ];
        for issuer in shared {
            let mut connection = world.new_connection(None);
            connection.settings.as_oidc_mut().unwrap().issuer = issuer.to_owned();
            let mistakes = connection.check(false).unwrap_err();
            assert_eq!(mistakes.len(), 1, "{mistakes:?}");
            assert_eq!(mistakes[0].field, "issuer");
            assert!(mistakes[0].reason.contains("Tenant ID"), "{mistakes:?}");
            let refused = world
                .failed_tx(async |tx| connection::insert(tx, world.start(), &connection).await)
                .await;
            assert!(
                matches!(refused, Error::Conflict(conflict::CONNECTION_INVALID)),
                "{refused:?}"
            );
        }
        let mut own = world.new_connection(None);
        own.settings.as_oidc_mut().unwrap().issuer =
            "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0".to_owned();
        own.check(false).unwrap();
        own.enabled = false;
        world
            .tx(async |tx| connection::insert(tx, world.start(), &own).await)
            .await;
        // One from before this rule cannot be enabled.
        let old = serde_json::to_string(&own.settings)
            .unwrap()
            .replace("72f988bf-86f1-41af-91ab-2d7cd011db47", "common");
        world
            .tx(async |tx| {
                let params = genkan_db::p![&own.id, &old];
                tx.exec("UPDATE connections SET settings = $2 WHERE id = $1", params)
                    .await?;
                Ok(())
            })
            .await;
        let enabling = world
            .tx(async |tx| connection::enable(tx, world.start(), &own.id).await)
            .await;
        assert!(matches!(enabling, EnableOutcome::Unfit(_)), "{enabling:?}");
    })
    .await;
}
