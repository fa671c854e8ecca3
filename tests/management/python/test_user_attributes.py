"""The register of custom attributes, by the messages and the stub of the SDK, which has no client class for it."""

from urllib.parse import urlsplit

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from scalekit.v1.user_attributes import user_attributes_pb2 as messages
from scalekit.v1.user_attributes.user_attributes_pb2_grpc import UserAttributeServiceStub
from support.world import cli, client_token, rest, world


@pytest.fixture(scope="module")
def stub():
    authority = open(world["authority"], "rb").read()
    target = urlsplit(world["issuer"]).netloc
    with grpc.secure_channel(target, grpc.ssl_channel_credentials(authority)) as channel:
        yield UserAttributeServiceStub(channel)


@pytest.fixture(scope="module")
def call():
    bearer = (("authorization", f"Bearer {client_token()}"),)
    return lambda method, message: method(message, metadata=bearer, timeout=20)


def test_the_stub_of_the_sdk_registers_and_removes_attributes(stub, call):
    wanted = messages.UserAttribute(
        key="department",
        label="Department",
        datatype=messages.STRING,
        enabled=True,
        sso_addition_info=messages.SSOUserAdditionInfo(default_oidc_mapping="dept"),
    )
    made = call(stub.CreateSsoUserAttribute, messages.CreateUserAttributeRequest(user_attribute=wanted))
    assert made.user_attribute.category == messages.CUSTOM
    assert cli("attribute", "show", "department")["oidc_claim"] == "dept"
    with pytest.raises(grpc.RpcError) as taken:
        call(stub.CreateSsoUserAttribute, messages.CreateUserAttributeRequest(user_attribute=wanted))
    assert taken.value.code() == grpc.StatusCode.ALREADY_EXISTS

    wanted.label = "Team"
    request = messages.UpdateUserAttributeRequest(key="department", user_attribute=wanted)
    assert call(stub.UpdateSsoUserAttribute, request).user_attribute.label == "Team"
    listed = call(stub.ListSsoUserAttributes, Empty()).user_attributes
    assert [(each.key, each.label) for each in listed] == [("department", "Team")]

    call(stub.DeleteSsoUserAttribute, messages.DeleteUserAttributeRequest(key="department"))
    assert rest("GET", "/api/v1/sso-user-attributes").json().get("user_attributes", []) == []


def test_attributes_of_directories_are_not_served(stub, call):
    with pytest.raises(grpc.RpcError) as refused:
        call(stub.ListDirectoryUserAttributes, Empty())
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
