"""Notes which methods of the SDK were called, what they called, and whether they were answered."""

import contextvars
import functools
import json
import os
import pathlib
import re

from scalekit._version import __version__
from scalekit.common.exceptions import ScalekitNotImplementedException

current = contextvars.ContextVar("current", default=None)
PATH = re.compile(r"^b?'?/?(.*?)'?$")


class Recorder:
    def __init__(self):
        self.methods = {}

    def watch(self, client):
        """The same client, watched."""
        self._watch_core(client.core_client)
        return Watched(self, client, "")

    def write(self, world):
        """Leaves the results for the table."""
        folder = pathlib.Path(world["results"])
        folder.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"\W+", "-", world["run"])
        methods = {name: {**entry, "calls": sorted(entry["calls"])} for name, entry in self.methods.items()}
        text = json.dumps({"version": __version__, "run": world["run"], "methods": methods})
        (folder / f"{name}-{os.getpid()}.json").write_text(text)

    def call(self, name, core, method, words, options):
        entry = self.methods.setdefault(name, {"calls": set(), "works": False})
        # A key set that was kept would hide that the method asks for it.
        core.keys = {}
        token = current.set(entry)
        try:
            result = method(*words, **options)
            entry["works"] = True
            return result
        except ScalekitNotImplementedException as error:
            entry["unimplemented"] = error.message
            raise
        finally:
            current.reset(token)

    @staticmethod
    def _watch_core(core):
        grpc_exec, authenticate, get_jwks = core.grpc_exec, core.authenticate, core.get_jwks

        def note(call):
            if current.get() is not None:
                current.get()["calls"].add(call)

        def watched_exec(function, *words, **options):
            multicallable = getattr(function, "__self__", function)
            method = multicallable._method
            note((method.decode() if isinstance(method, bytes) else method).lstrip("/"))
            return grpc_exec(function, *words, **options)

        def watched_authenticate(*words, **options):
            note("POST /oauth/token")
            return authenticate(*words, **options)

        def watched_jwks():
            note("GET /keys")
            return get_jwks()

        core.grpc_exec, core.authenticate, core.get_jwks = watched_exec, watched_authenticate, watched_jwks


class Watched:
    """An object of the SDK, or one of its modules."""

    def __init__(self, recorder, target, prefix):
        self._recorder, self._target, self._prefix = recorder, target, prefix

    def __getattr__(self, name):
        value = getattr(self._target, name)
        if not callable(value):
            return value if name == "core_client" else Watched(self._recorder, value, f"{name}.")

        @functools.wraps(value)
        def called(*words, **options):
            return self._recorder.call(f"{self._prefix}{name}", self._target.core_client, value, words, options)

        return called
