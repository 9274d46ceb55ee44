from datetime import UTC, datetime, timedelta

import pytest
import tzlocal

from medpipe.schedule.cron import parse_cron

MONDAY = datetime(2026, 11, 23, 10, 30, 15).astimezone()  # in the host's time zone, as cron counts


def local(text):
    return datetime.fromisoformat(text).astimezone()


@pytest.fixture
def berlin(monkeypatch):
    """The host's time zone has summer time."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    tzlocal.reload_localzone()
    yield
    monkeypatch.undo()
    tzlocal.reload_localzone()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 3 * * sun", "2026-11-29 03:00:00"),
        ("0 3 * * 0", "2026-11-29 03:00:00"),
        ("0 3 * * 7", "2026-11-29 03:00:00"),
        ("0 3 * * 1", "2026-11-30 03:00:00"),
        ("0 3 * * 5-7", "2026-11-27 03:00:00"),
        ("0 3 * * TUE,thu", "2026-11-24 03:00:00"),
        ("0 3 * * mon-fri/2", "2026-11-25 03:00:00"),
        ("0 3 * * */3", "2026-11-25 03:00:00"),  # Sunday, Wednesday, Saturday
        ("30 10 * * *", "2026-11-24 10:30:00"),
        ("*/20 * * * *", "2026-11-23 10:40:00"),
        ("*/2 * * * * *", "2026-11-23 10:30:16"),
        ("15 30 10 * * *", "2026-11-24 10:30:15"),  # what is due this moment is not after it
        ("0 0 1 jan,jul *", "2027-01-01 00:00:00"),
        ("0 0 29 2 *", "2028-02-29 00:00:00"),
    ],
)
def test_next_due_time(text, expected):
    assert parse_cron(text).next_after(MONDAY) == local(expected)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 3 * *", "4 fields"),
        ("@weekly", "1 fields"),
        ("0 25 * * *", "25"),
        ("61 3 * * *", "61"),
        ("0 3 last * *", "last"),
        ("0 3 * smarch *", "smarch"),
        ("0 3 * * 8", "'8' is no day of the week"),
        ("0 3 * * so", "'so' is no day of the week"),
        ("0 3 * * fri-mon", "ends before it begins"),
        ("0 3 1 * sun", "set one to"),
        ("0 3 32 * *", "32"),
    ],
)
def test_a_bad_expression_is_told(text, said):
    with pytest.raises(ValueError, match=said) as error:
        parse_cron(text)
    assert repr(text) in str(error.value) or "day of the week" in str(error.value)


@pytest.mark.parametrize("text", ["*/2 * * * * *", "0 3 * * sun", "7 */5 * * *", "* * 3 * * *"])
@pytest.mark.parametrize("span", [timedelta(seconds=5), timedelta(hours=9), timedelta(days=8)])
def test_the_last_due_time_is_the_one_before_none_follows(text, span):
    cron, until = parse_cron(text), MONDAY.astimezone(UTC)
    found, first = cron.last_between(until - span, until), cron.next_after(until - span)
    if first > until:
        assert found is None
    else:
        assert until - span < found <= until < cron.next_after(found)


def test_ten_years_of_seconds_are_looked_back_on_at_once():
    found = parse_cron("*/2 * * * * *").last_between(MONDAY - timedelta(days=3650), MONDAY)
    assert found == local("2026-11-23 10:30:14")


@pytest.mark.parametrize(
    ("day", "due"),
    [
        ("2026-03-28", ["2026-03-29 01:30", "2026-03-30 00:30"]),  # half past two does not come: an hour later
        ("2026-10-24", ["2026-10-25 00:30", "2026-10-25 01:30", "2026-10-26 01:30"]),  # it comes twice
    ],
)
def test_summer_time_begins_and_ends(berlin, day, due):
    cron, moment = parse_cron("30 2 * * *"), datetime.fromisoformat(f"{day}T12:00+00:00")
    for text in due:
        until = datetime.fromisoformat(f"{text}+00:00")
        assert cron.last_between(moment, until) == until
        moment = cron.next_after(moment)
        assert moment == until


@pytest.mark.parametrize(
    ("text", "after", "due"),
    [
        ("0 0 * * *", "2026-03-28 23:00", "2026-03-29 22:00"),  # midnight after the day of 23 hours
        ("0 0 * * mon", "2026-03-23 12:00", "2026-03-29 22:00"),
        ("0 0 1 apr *", "2026-02-01 12:00", "2026-03-31 22:00"),
        ("0 0 1 apr *", "2026-04-01 12:00", "2027-03-31 22:00"),  # over two changes of the clock
        ("0 3 * * sun", "2026-03-28 12:00", "2026-03-29 01:00"),  # the change itself
    ],
)
def test_no_due_time_is_passed_over_when_the_clock_changes(berlin, text, after, due):
    found = parse_cron(text).next_after(datetime.fromisoformat(f"{after}+00:00"))
    assert found == datetime.fromisoformat(f"{due}+00:00")
