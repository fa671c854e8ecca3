"""Prints the public methods of the installed SDK as JSON: {version, methods: ["module.method"]}."""

import inspect
import json

import grpc
import scalekit.client
from scalekit import ScalekitClient
from scalekit._version import __version__


def public(object, prefix=""):
    members = inspect.getmembers(type(object), predicate=lambda member: callable(member))
    return [f"{prefix}{name}" for name, _ in members if not name.startswith("_")]


def installed_client():
    """A client that has not asked for a token."""

    class Core:
        def __init__(self, **options):
            self.grpc_secure_channel = grpc.insecure_channel("localhost:1")

    scalekit.client.CoreClient = Core
    return ScalekitClient("http://localhost", "id", "secret")


if __name__ == "__main__":
    client = installed_client()
    found = public(client)
    for name, module in vars(client).items():
        if name != "core_client":
            found += public(module, f"{name}.")
    print(json.dumps({"version": __version__, "methods": found}))
