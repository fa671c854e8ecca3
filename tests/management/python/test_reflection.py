"""A client that knows nothing but reflection; and health, as load balancers ask for it.

Source: grpc.reflection.v1alpha, grpc.health.v1.
"""

from urllib.parse import urlsplit

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from support.world import client_token, get, new_organization, world

ORGANIZATIONS = "scalekit.v1.organizations.OrganizationService"


@pytest.fixture(scope="module")
def channel():
    authority = open(world["authority"], "rb").read()
    target = urlsplit(world["issuer"]).netloc
    with grpc.secure_channel(target, grpc.ssl_channel_credentials(authority)) as made:
        yield made


@pytest.fixture(scope="module")
def bearer():
    return (("authorization", f"Bearer {client_token()}"),)


class Described:
    """Calls methods by what the server says of itself."""

    def __init__(self, channel):
        self.channel = channel
        self.database = ProtoReflectionDescriptorDatabase(channel)
        self.pool = DescriptorPool(self.database)

    def call(self, service, method, fields, metadata=()):
        described = self.pool.FindServiceByName(service).FindMethodByName(method)
        call = self.channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(described.output_type).FromString,
        )
        return call(GetMessageClass(described.input_type)(**fields), metadata=metadata, timeout=20)


@pytest.fixture(scope="module")
def described(channel):
    return Described(channel)


def test_the_services_are_listed(described):
    services = set(described.database.get_services())
    assert {ORGANIZATIONS, "scalekit.v1.users.UserService", "grpc.health.v1.Health"} <= services


def test_every_service_that_is_listed_can_be_described(described):
    for name in described.database.get_services():
        service = described.pool.FindServiceByName(name)
        assert service.methods, name
        for method in service.methods:
            assert method.input_type.full_name and method.output_type.full_name


def test_a_method_is_called_by_its_description(described, bearer):
    id = new_organization(display_name="Described")["id"]
    answer = described.call(ORGANIZATIONS, "GetOrganization", {"id": id}, bearer)
    assert answer.organization.display_name == "Described"
    made = described.call(ORGANIZATIONS, "CreateOrganization", {"organization": {"display_name": "Generic"}}, bearer)
    assert get(f"/api/v1/organizations/{made.organization.id}")["organization"]["display_name"] == "Generic"


def test_it_is_refused_without_a_token(described):
    with pytest.raises(grpc.RpcError) as raised:
        described.call(ORGANIZATIONS, "ListOrganization", {})
    assert raised.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_what_is_not_there_is_unimplemented(channel, bearer):
    raw = {"request_serializer": lambda message: b"", "response_deserializer": lambda bytes: bytes}
    for path in ("/no.such.Service/Method", f"/{ORGANIZATIONS}/NoSuchMethod"):
        with pytest.raises(grpc.RpcError) as raised:
            channel.unary_unary(path, **raw)(None, metadata=bearer, timeout=20)
        assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED, path


def test_health_says_serving(channel):
    health = health_pb2_grpc.HealthStub(channel)
    answer = health.Check(health_pb2.HealthCheckRequest(), timeout=20)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as raised:
        health.Check(health_pb2.HealthCheckRequest(service="no.such.Service"), timeout=20)
    assert raised.value.code() == grpc.StatusCode.NOT_FOUND
