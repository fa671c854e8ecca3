"""Fixtures of the Python client tests."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from genkan import Browser, Genkan  # noqa: E402


@pytest.fixture(scope="module")
def genkan():
    gateway = Genkan()
    yield gateway
    gateway.stop()


@pytest.fixture
def browser():
    return Browser()
