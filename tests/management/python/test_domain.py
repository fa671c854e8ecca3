"""scalekit.domain: every method, seen again over REST."""

import pytest
from scalekit.common.exceptions import ScalekitException
from scalekit.v1.domains.domains_pb2 import DomainType
from support.world import NO_ORGANIZATION, get, gone, invalid, new_organization, not_found, scalekit, unique

domains = scalekit.domain


def path(organization, id):
    return f"/api/v1/organizations/{organization}/domains/{id}"


def make(organization, **options):
    return domains.create_domain(organization, f"{unique('acme')}.test", **options)[0].domain


def test_create_domain_gives_a_domain_to_an_organization(organization):
    made = make(organization, domain_type="ORGANIZATION_DOMAIN")
    shown = get(path(organization, made.id))["domain"]
    assert (shown["domain"], shown["domain_type"]) == (made.domain, "ORGANIZATION_DOMAIN")
    with pytest.raises(ScalekitException, match="(?i)exists|taken|belongs|already"):
        domains.create_domain(new_organization()["id"], made.domain, domain_type="ORGANIZATION_DOMAIN")
    with invalid("domain"):
        domains.create_domain(organization, "no")
    with not_found():
        domains.create_domain(NO_ORGANIZATION, f"{unique('x')}.test")


def test_get_domain_shows_a_domain_to_its_own_organization_only(organization):
    made = make(organization, domain_type=DomainType.ALLOWED_EMAIL_DOMAIN)
    assert domains.get_domain(organization, made.id)[0].domain == made
    other = new_organization()["id"]
    with not_found("domain not found"):
        domains.get_domain(other, made.id)
    gone(path(other, made.id))


def test_list_domains_lists_all_or_those_of_one_type():
    organization = new_organization()["id"]
    own = make(organization, domain_type="ORGANIZATION_DOMAIN")
    mail = make(organization, domain_type="ALLOWED_EMAIL_DOMAIN")
    listed = domains.list_domains(organization)[0].domains
    assert {domain.id for domain in listed} == {own.id, mail.id}
    only = domains.list_domains(organization, domain_type=DomainType.ALLOWED_EMAIL_DOMAIN)[0].domains
    assert [domain.id for domain in only] == [mail.id]
    assert len(get(f"/api/v1/organizations/{organization}/domains")["domains"]) == 2


def test_delete_domain_takes_it_away(organization):
    made = make(organization)
    with not_found():
        domains.delete_domain(new_organization()["id"], made.id)
    domains.delete_domain(organization, made.id)
    gone(path(organization, made.id))
    with not_found():
        domains.delete_domain(organization, made.id)
