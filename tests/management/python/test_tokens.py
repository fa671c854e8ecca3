"""scalekit.tokens: API tokens of organizations and their people, seen again over REST."""

import time

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from scalekit.common.exceptions import ScalekitValidateTokenFailureException
from support.world import (
    NO_ORGANIZATION,
    NO_USER,
    get,
    invalid,
    new_organization,
    new_user,
    not_found,
    rest,
    scalekit,
    unique,
)

tokens = scalekit.tokens


def validated(token):
    return rest("POST", "/api/v1/tokens:validate", {"token": token})


def refused(token):
    with pytest.raises(ScalekitValidateTokenFailureException):
        tokens.validate_token(token)


def test_create_token_makes_a_token_of_a_person():
    organization = new_organization(external_id=unique("crm-"))
    user = new_user(organization["id"])
    expiry = Timestamp(seconds=int(time.time()) + 3600)
    made = tokens.create_token(organization["id"], user["id"], {"plan": "gold"}, expiry, "For the night job")
    shown = validated(made.token).json()["token_info"]
    assert (shown["token_id"], shown["user_id"], shown["email"]) == (made.token_id, user["id"], user["email"])
    assert shown["organization_external_id"] == organization["external_id"]
    assert (shown["custom_claims"], shown["description"]) == ({"plan": "gold"}, "For the night job")
    assert made.token.endswith(shown["token_suffix"])
    assert made.token_info.expiry == expiry
    with not_found():
        tokens.create_token(NO_ORGANIZATION)
    with not_found():
        tokens.create_token(organization["id"], NO_USER)


def test_validate_token_knows_a_token_by_itself_and_by_its_identifier(organization):
    made = tokens.create_token(organization)
    assert tokens.validate_token(made.token).token_info.token_id == made.token_id
    assert tokens.validate_token(made.token_id).token_info.organization_id == organization
    refused("nonsense")
    refused("apit_100000000000000000001")


def test_a_token_that_expired_is_refused(organization):
    made = tokens.create_token(organization, expiry=Timestamp(seconds=int(time.time()) + 2))
    time.sleep(3)
    refused(made.token)


def test_list_tokens_pages_through_an_organizations_tokens():
    organization = new_organization()["id"]
    user = new_user(organization)["id"]
    made = [tokens.create_token(organization, owner).token_id for owner in (None, user, None)][::-1]
    first = tokens.list_tokens(organization, page_size=2)
    assert ([one.token_id for one in first.tokens], first.total_count) == (made[:2], 3)
    second = tokens.list_tokens(organization, page_size=2, page_token=first.next_page_token)
    assert [one.token_id for one in second.tokens] == made[2:]
    assert [one.token_id for one in tokens.list_tokens(organization, user).tokens] == [made[1]]
    assert len(get(f"/api/v1/tokens?organization_id={organization}")["tokens"]) == 3
    with invalid("page_size"):
        tokens.list_tokens(organization, page_size=31)


def test_update_token_merges_the_claims(organization):
    made = tokens.create_token(organization, custom_claims={"plan": "gold", "seat": "7"})
    tokens.update_token(made.token, {"plan": "tin", "seat": ""}, "Described")
    shown = validated(made.token).json()["token_info"]
    assert (shown["custom_claims"], shown["description"]) == ({"plan": "tin"}, "Described")
    with not_found():
        tokens.update_token("apit_100000000000000000001", description="x")


def test_invalidate_token_ends_it_and_may_be_repeated(organization):
    made = tokens.create_token(organization)
    tokens.invalidate_token(made.token_id)
    assert validated(made.token).status_code == 404
    tokens.invalidate_token(made.token_id)
