"""scalekit.events: what happened, seen again over REST."""

from scalekit.v1.events.events_pb2 import EventFilter
from support.world import invalid, new_organization, new_user, scalekit, send

events = scalekit.events


def test_list_events_paginated_shows_what_happened_the_newest_first():
    organization = new_organization()["id"]
    new_user(organization)
    send("PATCH", f"/api/v1/organizations/{organization}", {"display_name": "Renamed"})
    everything = EventFilter(organization_id=organization)
    all = list(events.list_events_paginated(page_size=100, filter=everything)[0].events)
    assert (all[0].type, all[-1].type) == ("organization.updated", "organization.created")
    assert {event.organization_id for event in all} == {organization}
    first = events.list_events_paginated(2, filter=everything)[0]
    second = events.list_events_paginated(100, first.next_page_token, everything)[0]
    assert [event.id for event in [*first.events, *second.events]] == [event.id for event in all]
    body = {"organization_id": organization, "event_types": ["organization.updated"]}
    shown = send("POST", "/api/v1/events/paginated", body)["events"]
    assert [event["id"] for event in shown] == [all[0].id]
    with invalid("page_token"):
        events.list_events_paginated(10, "nonsense")
