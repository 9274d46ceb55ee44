import json

import pytest

from medpipe.registry.events import MAX_LINE_LENGTH, MAX_REASON_LENGTH, new_event, read_events

LINE = [str(12345 + number) for number in range(2 * MAX_LINE_LENGTH)]


@pytest.mark.parametrize("letter", ["x", "ä", "癌", '"'])
def test_an_event_fits_into_the_column_of_the_database(letter):
    _, value, _ = new_event([], "promoted", "12345", "12344", LINE, letter * 2 * MAX_REASON_LENGTH)
    assert len(value) < 5000
    assert json.loads(value)["reason"] == letter * MAX_REASON_LENGTH


def test_events_come_back_in_their_order():
    events, tags = [], {"other": "tag"}
    for version in ("1", "2", "3"):
        key, value, event = new_event(events, "promoted", version, None, [], "why")
        tags = {key: value, **tags}
        events.append(event)
    assert read_events(tags) == events
