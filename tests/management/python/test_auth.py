"""scalekit.auth: what nobody waits for here."""

from scalekit.common.exceptions import ScalekitNotImplementedException
from support.world import raises, scalekit, world


def test_update_login_user_details_says_that_it_is_not_served_and_why():
    with raises(ScalekitNotImplementedException, "UNIMPLEMENTED", "MCP servers"):
        scalekit.auth.update_login_user_details(
            world["connectionId"], "lri_100000000000000000001", {"sub": "ada", "email": "ada@people.test"}
        )
