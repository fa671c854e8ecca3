//! Domains of organizations, and the proof of them by a real name server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use genkan_contract::scalekit::v1::domains::domain_service_client::DomainServiceClient;
use genkan_contract::scalekit::v1::domains::{
    CreateDomain, CreateDomainRequest, DeleteDomainRequest, Domain, DomainType, GetDomainRequest,
    ListDomainRequest, UpdateDomain, UpdateDomainRequest, VerificationMethod, VerificationStatus,
    VerifyDomainRequest, create_domain_request, delete_domain_request, get_domain_request,
    list_domain_request, update_domain_request, verify_domain_request,
};
use genkan_protocol::Domain as DomainName;
use genkan_store::domain::{self, Kind};
use genkan_store::organization::{self, Organization};
use genkan_store::{DomainId, OrganizationId};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_server::Server;
use hickory_server::proto::rr::rdata::{SOA, TXT};
use hickory_server::proto::rr::{Name, RData, Record};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use tokio::net::{TcpListener, UdpSocket};
use tonic::{Code, Status};

use crate::support::{Harness, InMemory, on_each_engine};

type Client = DomainServiceClient<InMemory>;

fn client(harness: &Harness) -> Client {
    DomainServiceClient::new(harness.client())
}

async fn organization(harness: &Harness, external_id: &str) -> OrganizationId {
    harness
        .tx(async |tx, at| {
            let organization = Organization {
                external_id: Some(external_id.to_owned()),
                ..Organization::new(at.id(), "Acme", at.now)
            };
            organization::insert(tx, at, &organization).await?;
            Ok(organization.id)
        })
        .await
}

async fn create(
    client: &mut Client,
    id: &OrganizationId,
    name: &str,
    kind: DomainType,
) -> Result<Domain, Status> {
    let request = CreateDomainRequest {
        domain: Some(CreateDomain {
            domain: name.to_owned(),
            domain_type: kind.into(),
        }),
        identities: Some(create_domain_request::Identities::OrganizationId(id.to_string())),
        connection_id: None,
    };
    Ok(client.create_domain(request).await?.into_inner().domain.unwrap())
}

async fn get(client: &mut Client, organization: &OrganizationId, id: &str) -> Result<Domain, Status> {
    let request = GetDomainRequest {
        id: id.to_owned(),
        identities: Some(get_domain_request::Identities::OrganizationId(
            organization.to_string(),
        )),
    };
    Ok(client.get_domain(request).await?.into_inner().domain.unwrap())
}

async fn verify(client: &mut Client, organization: &OrganizationId, id: &str) -> Result<bool, Status> {
    let request = VerifyDomainRequest {
        id: id.to_owned(),
        identities: Some(verify_domain_request::Identities::OrganizationId(
            organization.to_string(),
        )),
    };
    Ok(client.verify_domain(request).await?.into_inner().verified)
}

#[tokio::test]
async fn a_domain_that_a_client_creates_counts_at_once() {
    on_each_engine(async |harness| {
        let mut client = client(&harness);
        let acme = organization(&harness, "acme").await;
        let created = create(&mut client, &acme, "Bücher.Example", DomainType::Unspecified)
            .await
            .unwrap();
        assert!(created.id.starts_with("dom_"));
        assert!(created.environment_id.starts_with("env_"));
        assert_eq!(created.domain, "xn--bcher-kva.example");
        assert_eq!(created.domain_type(), DomainType::OrganizationDomain);
        assert_eq!(created.verification_status(), VerificationStatus::Verified);
        assert_eq!(created.verification_method(), VerificationMethod::Admin);
        assert_eq!(get(&mut client, &acme, &created.id).await.unwrap(), created);
        assert!(
            verify(&mut client, &acme, &created.id).await.unwrap(),
            "nothing is to be shown"
        );
        let name = DomainName::parse("bücher.example").unwrap();
        let owner = harness
            .tx(async |tx, _| domain::find_organization_for(tx, &name).await)
            .await;
        assert_eq!(owner, Some(acme.clone()));

        let update = UpdateDomainRequest {
            id: created.id.clone(),
            identities: Some(update_domain_request::Identities::ExternalId("acme".to_owned())),
            domain: Some(UpdateDomain::default()),
            connection_id: None,
        };
        assert_eq!(
            client.update_domain(update).await.unwrap().into_inner().domain,
            Some(created.clone())
        );
        let delete = DeleteDomainRequest {
            id: created.id.clone(),
            identities: Some(delete_domain_request::Identities::ExternalId("acme".to_owned())),
            connection_id: None,
        };
        client.delete_domain(delete.clone()).await.unwrap();
        assert_eq!(
            client.delete_domain(delete).await.unwrap_err().code(),
            Code::NotFound
        );
        assert_eq!(
            get(&mut client, &acme, &created.id).await.unwrap_err().code(),
            Code::NotFound
        );
    })
    .await;
}

#[tokio::test]
async fn a_domain_that_cannot_be_an_organizations_is_refused() {
    let harness = Harness::start().await;
    let mut client = client(&harness);
    let (acme, other) = (
        organization(&harness, "acme").await,
        organization(&harness, "other").await,
    );
    let created = create(&mut client, &acme, "acme.test", DomainType::OrganizationDomain)
        .await
        .unwrap();
    for (id, name, code) in [
        (&other, "acme.test", Code::AlreadyExists),
        (&acme, "ACME.test", Code::AlreadyExists),
        (&acme, "gmail.com", Code::InvalidArgument),
        (&acme, "localhost", Code::InvalidArgument),
        (&acme, "a.b\0c", Code::InvalidArgument),
        (&acme, "a", Code::InvalidArgument),
    ] {
        let refused = create(&mut client, id, name, DomainType::OrganizationDomain)
            .await
            .unwrap_err();
        assert_eq!(refused.code(), code, "{name:?}: {refused}");
        assert!(refused.message().contains("domain"), "{refused}");
    }
    for refused in [
        get(&mut client, &other, &created.id).await.unwrap_err(),
        verify(&mut client, &other, &created.id).await.unwrap_err(),
    ] {
        assert_eq!(
            (refused.code(), refused.message()),
            (Code::NotFound, "domain not found")
        );
    }
}

#[tokio::test]
async fn domains_are_listed_by_kind_and_page() {
    on_each_engine(async |harness| {
        let mut client = client(&harness);
        let acme = organization(&harness, "acme").await;
        let mut created = Vec::new();
        for number in 0..3 {
            let name = format!("acme{number}.test");
            created.push(
                create(&mut client, &acme, &name, DomainType::OrganizationDomain)
                    .await
                    .unwrap(),
            );
        }
        let allowed = create(&mut client, &acme, "acme0.test", DomainType::AllowedEmailDomain)
            .await
            .unwrap();
        assert_eq!(allowed.verification_method(), VerificationMethod::NotApplicable);
        let other = organization(&harness, "other").await;
        create(&mut client, &other, "other.test", DomainType::OrganizationDomain)
            .await
            .unwrap();
        let mut list = async |kind: DomainType, size, number| {
            let request = ListDomainRequest {
                identities: Some(list_domain_request::Identities::OrganizationId(acme.to_string())),
                page_size: size,
                page_number: number,
                domain_type: kind.into(),
                ..ListDomainRequest::default()
            };
            client
                .list_domains(request)
                .await
                .map(tonic::Response::into_inner)
        };
        let all = list(DomainType::Unspecified, None, None).await.unwrap();
        assert_eq!(all.domains.len(), 4);
        assert_eq!((all.page_size, all.page_number), (30, 1));
        let second = list(DomainType::OrganizationDomain, Some(2), Some(2))
            .await
            .unwrap();
        assert_eq!(second.domains, created[2..]);
        let some = list(DomainType::AllowedEmailDomain, Some(1000), Some(0))
            .await
            .unwrap();
        assert_eq!((some.domains, some.page_size), (vec![allowed], 100));
        assert_eq!(
            list(DomainType::Unspecified, Some(-1), None)
                .await
                .unwrap_err()
                .code(),
            Code::InvalidArgument
        );
        assert!(
            list(DomainType::Unspecified, None, Some(i32::MAX))
                .await
                .unwrap()
                .domains
                .is_empty()
        );
    })
    .await;
}

/// A name server that knows the TXT records of `acme.test`.
async fn name_server(name: &str, texts: Vec<String>) -> (SocketAddr, Server<Catalog>) {
    let origin = Name::from_ascii("acme.test.").unwrap();
    let mut zone = InMemoryZoneHandler::<TokioRuntimeProvider>::empty(
        origin.clone(),
        ZoneType::Primary,
        AxfrPolicy::Deny,
    );
    let soa = SOA::new(origin.clone(), origin.clone(), 1, 60, 60, 60, 60);
    zone.upsert_mut(Record::from_rdata(origin.clone(), 60, RData::SOA(soa)), 1);
    let name = Name::from_ascii(format!("{name}.")).unwrap();
    let other = RData::TXT(TXT::new(vec!["v=spf1 -all".to_owned()]));
    zone.upsert_mut(Record::from_rdata(name.clone(), 60, other), 1);
    zone.upsert_mut(Record::from_rdata(name, 60, RData::TXT(TXT::new(texts))), 1);
    let mut catalog = Catalog::new();
    catalog.upsert(origin.into(), vec![Arc::new(zone)]);
    let mut server = Server::new(catalog);
    let (socket, listener) = one_port().await;
    let address = socket.local_addr().unwrap();
    server.register_socket(socket);
    server.register_listener(listener, Duration::from_secs(5), 4096);
    (address, server)
}

/// A port that is free for both: one that is free for datagrams may be in use for streams.
async fn one_port() -> (UdpSocket, TcpListener) {
    loop {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(listener) = TcpListener::bind(socket.local_addr().unwrap()).await {
            return (socket, listener);
        }
    }
}

async fn claim(harness: &Harness, organization_id: &OrganizationId) -> domain::Domain {
    harness
        .tx(async |tx, at| {
            let name = DomainName::parse("acme.test").unwrap();
            let id: DomainId = at.id();
            let claimed = domain::Domain::new(
                id,
                organization_id.clone(),
                name,
                Kind::OrganizationDomain,
                at.now,
            );
            let claimed = claimed.claimed_by(domain::Claimant::Customer);
            domain::insert(tx, at, &claimed).await?;
            Ok(claimed)
        })
        .await
}

#[tokio::test]
async fn a_txt_record_proves_a_domain() {
    let harness = Harness::start().await;
    let mut client = client(&harness);
    let acme = organization(&harness, "acme").await;
    let claimed = claim(&harness, &acme).await;
    let id = claimed.id.to_string();
    let shown = get(&mut client, &acme, &id).await.unwrap();
    assert_eq!(shown.verification_status(), VerificationStatus::Pending);
    assert_eq!(shown.verification_method(), VerificationMethod::Dns);
    assert_eq!(shown.txt_record_key, "_genkan-challenge.acme.test");

    let (elsewhere, _server) = name_server("other.acme.test", vec![shown.txt_record_secret.clone()]).await;
    harness.ask_name_server(elsewhere);
    assert!(
        !verify(&mut client, &acme, &id).await.unwrap(),
        "there is no such name"
    );
    let (address, _server) = name_server(&shown.txt_record_key, vec!["something else".to_owned()]).await;
    harness.ask_name_server(address);
    assert!(
        !verify(&mut client, &acme, &id).await.unwrap(),
        "there is another text"
    );
    let shown = get(&mut client, &acme, &id).await.unwrap();
    assert_eq!(shown.verification_status(), VerificationStatus::Pending);

    // A long text comes in several strings.
    let (start, end) = shown.txt_record_secret.split_at(20);
    let (address, _server) = name_server(&shown.txt_record_key, vec![start.to_owned(), end.to_owned()]).await;
    harness.ask_name_server(address);
    assert!(verify(&mut client, &acme, &id).await.unwrap());
    let shown = get(&mut client, &acme, &id).await.unwrap();
    assert_eq!(shown.verification_status(), VerificationStatus::Verified);
    let owner = harness
        .tx(async |tx, _| domain::find_organization_for(tx, &claimed.name).await)
        .await;
    assert_eq!(owner, Some(acme));
}

#[tokio::test]
async fn silence_of_the_name_servers_proves_nothing() {
    let harness = Harness::start().await;
    let mut client = client(&harness);
    let acme = organization(&harness, "acme").await;
    let claimed = claim(&harness, &acme).await;
    // Bound, but nothing answers.
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    harness.ask_name_server(silent.local_addr().unwrap());
    let refused = verify(&mut client, &acme, claimed.id.as_str()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
}

#[tokio::test]
async fn where_proof_is_required_a_domain_of_the_api_waits_for_its_record() {
    on_each_engine(async |harness| {
        harness.require_domain_proof();
        let mut client = client(&harness);
        let acme = organization(&harness, "acme").await;
        let created = create(&mut client, &acme, "acme.test", DomainType::OrganizationDomain)
            .await
            .unwrap();
        assert_eq!(
            (created.verification_status(), created.verification_method()),
            (VerificationStatus::Pending, VerificationMethod::Dns)
        );
        let name = DomainName::parse("acme.test").unwrap();
        let owner = async || {
            harness
                .tx(async |tx, _| domain::find_owner(tx, &name).await)
                .await
        };
        assert_eq!(owner().await, None, "it routes nobody");

        let record = vec![created.txt_record_secret.clone()];
        let (address, _server) = name_server(&created.txt_record_key, record).await;
        harness.ask_name_server(address);
        assert!(verify(&mut client, &acme, &created.id).await.unwrap());
        let shown = get(&mut client, &acme, &created.id).await.unwrap();
        assert_eq!(
            (shown.verification_status(), shown.proved_by.as_str()),
            (VerificationStatus::Verified, "DNS")
        );
        assert!(shown.proved_time.is_some() && !shown.proved_actor.is_empty());
        assert!(owner().await.unwrap().is_proved);
    })
    .await;
}

#[tokio::test]
async fn a_domain_that_is_active_on_somebodys_word_can_still_be_proved() {
    let harness = Harness::start().await;
    let mut client = client(&harness);
    let acme = organization(&harness, "acme").await;
    // From before there were records.
    let old = harness
        .tx(async |tx, at| {
            let id: DomainId = at.id();
            let name = DomainName::parse("acme.test").unwrap();
            let old = domain::Domain::new(id, acme.clone(), name, Kind::OrganizationDomain, at.now);
            domain::insert(tx, at, &old).await?;
            Ok(old)
        })
        .await;
    let id = old.id.as_str();
    assert!(verify(&mut client, &acme, id).await.unwrap(), "it is active");
    let shown = get(&mut client, &acme, id).await.unwrap();
    assert_eq!((shown.proved_by.as_str(), &shown.proved_time), ("", &None));
    assert!(!shown.txt_record_secret.is_empty(), "and has a record now");

    let record = vec![shown.txt_record_secret.clone()];
    let (address, _server) = name_server(&shown.txt_record_key, record).await;
    harness.ask_name_server(address);
    assert!(verify(&mut client, &acme, id).await.unwrap());
    assert_eq!(get(&mut client, &acme, id).await.unwrap().proved_by, "DNS");
}
