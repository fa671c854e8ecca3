"""What all programs share."""

import pytest
from support.world import new_organization, recorder, world


@pytest.fixture(scope="module")
def organization():
    return new_organization()["id"]


def pytest_sessionfinish():
    recorder.write(world)
