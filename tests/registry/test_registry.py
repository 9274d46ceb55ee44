"""The registry against a real SQLite MLflow."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from medpipe.core.errors import InputError
from medpipe.registry.registry import ChampionChangedError, Registry


class KilledError(Exception):
    """Stands for a kill at this moment."""


def kill_at(monkeypatch, registry, method):
    """The client's method raises once."""

    def die(*args, **kwargs):
        monkeypatch.undo()
        raise KilledError

    monkeypatch.setattr(registry._client, method, die)


def test_a_registered_model_is_challenger_and_not_champion(fill, shelf, logged):
    registry = fill("newborn", 1)
    version = registry.get("newborn", 1)
    assert (version.version, version.aliases, version.run_id) == ("1", ("challenger",), shelf.run_id)
    assert (version.source, version.tags["number"], version.status) == (logged[0], "1", "READY")
    assert registry.champion("newborn") is None
    assert registry.challenger("newborn") == version


def test_the_newest_version_is_the_challenger(fill):
    registry = fill("three", 3)
    assert [version.version for version in registry.versions("three")] == ["3", "2", "1"]
    assert registry.challenger("three").version == "3"


def test_names_are_those_that_were_registered(fill):
    registry = fill("named", 1)
    assert "named" in registry.names()


def test_unknown_model_has_nothing(registry):
    assert registry.versions("nobody") == []
    assert registry.champion("nobody") is None


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [
        ("nobody", "1", "nobody: no such model"),
        ("asked", "7", "no version 7; there are 1, 2"),
        ("asked", "champion", "has no champion; its aliases are"),
        ("it's", "1", "it's: no such model"),
    ],
)
def test_what_is_not_there_is_named(fill, registry, name, version, message):
    if not registry.versions("asked"):
        fill("asked", 2)
    with pytest.raises(InputError, match=message):
        registry.get(name, version)


def test_promotion_moves_the_champion_and_ends_the_challenge(fill):
    registry = fill("moved", 2)
    registry.promote("moved", 1, "first")
    promoted = registry.promote("moved", "challenger", "better by 0.1", {"difference": 0.1})
    assert promoted.aliases == ("champion",)
    assert promoted.tags["decision"] == "promoted"
    assert promoted.tags["decision.evidence"] == '{"difference": 0.1}'
    assert registry.challenger("moved") is None
    assert registry.get("moved", 1).aliases == ()


def test_refusal_keeps_the_champion_and_says_why(fill):
    registry = fill("kept", 2)
    registry.promote("kept", 1, "first")
    refused = registry.refuse("kept", 2, "a tie")
    assert registry.champion("kept").version == "1"
    assert registry.challenger("kept") is None
    assert (refused.tags["decision"], refused.tags["decision.reason"]) == ("refused", "a tie")


def test_the_champion_cannot_be_refused(fill):
    registry = fill("throne", 1)
    registry.promote("throne", 1, "first")
    with pytest.raises(InputError, match="version 1 is the champion"):
        registry.refuse("throne", 1, "no")


def test_a_decision_against_another_champion_is_void(fill):
    registry = fill("void", 3)
    registry.promote("void", 1, "first")
    registry.promote("void", 2, "second")
    with pytest.raises(ChampionChangedError, match="compared with champion 1, but the champion is 2"):
        registry.promote("void", 3, "beat version 1", compared_with="1")
    assert registry.champion("void").version == "2"


def test_rollback_goes_one_further_back_each_time(fill):
    registry = fill("back", 3)
    for version in (1, 2, 3):
        registry.promote("back", version, f"take {version}")
    assert registry.rollback("back", "found wanting").version == "2"
    assert registry.rollback("back", "this one, too").version == "1"
    with pytest.raises(InputError, match="no champion is recorded before version 1"):
        registry.rollback("back", "further")
    assert registry.champion("back").version == "1"
    assert registry.get("back", 3).tags["decision"] == "rolled back"


def test_rollback_after_a_promotion_over_a_rolled_back_champion(fill):
    registry = fill("zigzag", 3)
    registry.promote("zigzag", 1, "first")
    registry.promote("zigzag", 2, "second")
    registry.rollback("zigzag", "2 was bad")
    registry.promote("zigzag", 3, "third")
    assert registry.rollback("zigzag", "3 was bad").version == "1"


def test_rollback_passes_over_deleted_versions(fill, shelf):
    registry = fill("deleted", 3)
    for version in (1, 2, 3):
        registry.promote("deleted", version, f"take {version}")
    shelf.client.delete_model_version("deleted", "2")
    assert registry.rollback("deleted", "back").version == "1"


def test_rollback_without_champion_is_an_error(fill):
    registry = fill("empty", 1)
    with pytest.raises(InputError, match="no champion, so there is nothing to roll back"):
        registry.rollback("empty", "why not")


def test_history_tells_who_was_champion_when(fill):
    registry = fill("told", 3)
    registry.promote("told", 1, "first")
    registry.promote("told", 2, "better")
    registry.refuse("told", 3, "a tie")
    registry.rollback("told", "drift")
    history = registry.history("told")
    assert [(reign.version, reign.kind, reign.reason) for reign in history] == [
        ("1", "rolled back", "drift"),
        ("2", "promoted", "better"),
        ("1", "promoted", "first"),
    ]
    assert history[0].end is None
    assert [reign.end for reign in history[1:]] == [reign.start for reign in history[:-1]]
    assert [event.kind for event in registry.events("told")] == ["promoted", "promoted", "refused", "rolled back"]


def test_history_of_an_alias_set_by_hand(fill, shelf):
    registry = fill("byhand", 2)
    shelf.client.set_registered_model_alias("byhand", "champion", "1")
    registry.promote("byhand", 2, "by the gate")
    assert [(reign.version, reign.start is None) for reign in registry.history("byhand")] == [("2", False), ("1", True)]
    assert registry.rollback("byhand", "back to the one by hand").version == "1"


@pytest.mark.parametrize(
    "method",
    [
        "set_registered_model_tag",
        "set_registered_model_alias",
        "set_model_version_tag",
        "delete_registered_model_alias",
    ],
)
def test_a_kill_between_two_writes_of_a_promotion(fill, monkeypatch, method):
    name = f"killed_{method}"
    registry = fill(name, 2)
    registry.promote(name, 1, "first")
    kill_at(monkeypatch, registry, method)
    with pytest.raises(KilledError):
        registry.promote(name, 2, "better")
    assert registry.champion(name).version == ("1" if "registered_model_tag" in method or "set_reg" in method else "2")
    assert registry.history(name)[-1].version == "1"
    registry.promote(name, 2, "better, tried again")
    assert registry.get(name, 2).aliases == ("champion",)
    assert [reign.version for reign in registry.history(name)] == ["2", "1"]
    assert registry.get(name, 2).tags["decision"] == "promoted"
    assert registry.rollback(name, "back").version == "1"


@pytest.mark.parametrize("method", ["set_registered_model_tag", "set_registered_model_alias", "set_model_version_tag"])
def test_a_kill_between_two_writes_of_a_rollback(fill, monkeypatch, method):
    name = f"killed_back_{method}"
    registry = fill(name, 3)
    for version in (1, 2, 3):
        registry.promote(name, version, f"take {version}")
    kill_at(monkeypatch, registry, method)
    with pytest.raises(KilledError):
        registry.rollback(name, "drift")
    moved = method == "set_model_version_tag"
    assert registry.champion(name).version == ("2" if moved else "3")
    assert registry.rollback(name, "drift, again").version == ("1" if moved else "2")


def test_a_kill_between_version_and_alias_loses_no_version(fill, shelf, logged, monkeypatch):
    registry = fill("halfway", 1)
    kill_at(monkeypatch, registry, "set_registered_model_alias")
    with pytest.raises(KilledError):
        registry.register("halfway", logged[1], shelf.run_id, {})
    assert [version.version for version in registry.versions("halfway")] == ["2", "1"]
    assert registry.register("halfway", logged[2], shelf.run_id, {}).aliases == ("challenger",)


def test_download_gives_the_files_that_were_prepared(fill, tmp_path):
    registry = fill("files", 2)
    registry.promote("files", 2, "first")
    folder = registry.download("files", "champion", tmp_path / "model")
    assert [path.name for path in folder.iterdir()] == ["weights.txt"]
    assert (folder / "weights.txt").read_text() == "weights 2"


def test_environments_keep_apart(fill, shelf, logged):
    base = fill("shared", 1)
    base.promote("shared", 1, "first")
    test = Registry(shelf.uri, "test.")
    assert "shared" not in test.names()
    test.register("shared", logged[1], shelf.run_id, {})
    assert test.names() == ["shared"]
    test.promote("shared", 1, "first of test")
    assert base.names().count("shared") == 1
    assert base.champion("shared").source != test.champion("shared").source


def test_two_that_promote_at_once_leave_one_champion_and_a_history(fill, shelf):
    registry = fill("raced", 3)
    registry.promote("raced", 1, "first")
    with ThreadPoolExecutor(2) as both:
        list(both.map(lambda version: Registry(shelf.uri).promote("raced", version, f"take {version}"), (2, 3)))
    champion = registry.champion("raced").version
    reigns = [reign.version for reign in registry.history("raced")]
    assert champion in ("2", "3")
    assert (reigns[0], reigns[-1]) == (champion, "1")
    assert {event.version for event in registry.events("raced")} == {"1", "2", "3"}
    while champion != "1":
        champion = registry.rollback("raced", "back").version


@pytest.mark.parametrize("version", ["²", "99999999999999999999"])
def test_what_looks_like_a_number_is_told_too(fill, registry, version):
    if not registry.versions("numbered"):
        fill("numbered", 1)
    with pytest.raises(InputError, match=f"numbered: has no {version}"):
        registry.get("numbered", version)
