"""The documents tell the truth: links lead somewhere, commands parse, parameters and environments exist."""

import ast
import importlib
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click
import pytest
import yaml

from tests.commands import configuration, given_parameters, has_field, merged, models, parsed, pipelines
from tests.documents import DOCUMENTS, PROJECT, Block, Found, anchors, blocks, codes, command_lines, links, mentions

LINES = command_lines()
MENTIONS = mentions()
RUNS = [
    line
    for line in [*LINES, *MENTIONS]
    if re.match(r"\w+ run -", line.text) and not re.search(r"=([A-Z]+\b|\.\.\.)", line.text)
]
ENVIRONMENTS = {path.name for path in (PROJECT / "conf").iterdir() if path.is_dir()}
READERS = {
    name for block in blocks() for name in re.findall(r"^# conf/(\w+)/", block.text, re.MULTILINE)
} - ENVIRONMENTS
"""Environments that a page tells the reader to make; here they have the parameters of ``base``."""


@pytest.mark.parametrize("link", links(), ids="{0.document}: {0.text}".format)
def test_a_link_leads_somewhere(link: Found) -> None:
    target, _, anchor = link.text.partition("#")
    page = PROJECT / link.document
    path = (page.parent / target).resolve() if target else page
    assert path.exists()
    if anchor and path.suffix == ".md":
        assert anchor in anchors(path)


def test_every_page_is_on_the_map() -> None:
    index = PROJECT / "docs" / "index.md"
    linked = {
        (index.parent / link.text.partition("#")[0]).resolve() for link in links() if link.document == "docs/index.md"
    }
    assert {path for path in DOCUMENTS if path.name not in {"index.md", "README.md"}} <= linked


@pytest.mark.parametrize("line", LINES, ids="{0.document}: {0.text}".format)
def test_a_command_parses(line: Found) -> None:
    parsed(line)


@pytest.mark.parametrize("mention", MENTIONS, ids="{0.document}: {0.text}".format)
def test_a_command_in_the_text_exists(mention: Found) -> None:
    with suppress(click.MissingParameter):
        parsed(mention)


@pytest.mark.parametrize("line", RUNS, ids="{0.document}: {0.text}".format)
def test_a_run_names_pipelines_nodes_environments_and_parameters_that_exist(line: Found) -> None:
    _, options = parsed(line)
    environment = options.get("env") or "base"
    assert environment in ENVIRONMENTS | READERS
    run = pipelines(options.get("pipeline") or options.get("pipelines") or "__default__")
    names = {node.name for node in run.nodes}
    for option in ("from_nodes", "to_nodes", "node_names"):
        assert set(filter(None, (options.get(option) or "").split(","))) <= names
    spaces = set(filter(None, (options.get("namespaces") or "").split(",")))
    assert spaces <= {node.namespace for node in run.nodes}
    if (runner := options.get("runner")) and "." in runner:
        module, _, attribute = runner.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute)
    given = given_parameters(options.get("params"))
    roots = {name.removeprefix("params:") for name in run.inputs() if name.startswith("params:")}
    assert set(given) <= roots | ({"ray"} if (runner or "").endswith("RayRunner") else set())
    for root, changes in given.items():
        known = configuration("base" if environment in READERS else environment)
        models()[root].model_validate(merged(known[root], changes))


@pytest.mark.parametrize(
    "said", [code for code in codes() if "--env" in code.text], ids="{0.document}: {0.text}".format
)
def test_an_environment_in_the_text_exists(said: Found) -> None:
    named = re.findall(r"--env[= ](\w+)", said.text)
    assert {name for name in named if not name.isupper()} <= ENVIRONMENTS | READERS


def test_the_page_of_environments_has_them_all() -> None:
    text = (PROJECT / "conf" / "README.md").read_text(encoding="utf-8")
    assert {name for name in ENVIRONMENTS if f"| `{name}` |" not in text} == set()


_PATH = re.compile(r"(?:src|conf|docs|tests|benchmarks|notebooks)/[\w./-]+\w")


@pytest.mark.parametrize(
    "said", [code for code in codes() if _PATH.fullmatch(code.text)], ids="{0.document}: {0.text}".format
)
def test_a_path_in_the_text_exists(said: Found) -> None:
    if not said.text.startswith("conf/local/"):
        assert (PROJECT / said.text).exists()


_DOTTED = re.compile(r"([a-z_]+)((?:\.[a-z_0-9]+)+)(?:: .*)?")


def _dotted() -> list[tuple[str, str, list[str]]]:
    found = []
    for document, text in codes():
        match = _DOTTED.fullmatch(text)
        is_file = text.endswith((".dcm", ".html", ".json"))
        if match and not is_file and document != "CHANGELOG.md" and match[1] in models():
            found.append((document, match[1], match[2].strip(".").split(".")))
    return found


def test_parameters_in_the_text_exist() -> None:
    unknown = [
        f"{document}: {root}.{'.'.join(path)}"
        for document, root, path in _dotted()
        if not has_field(models()[root], path)
    ]
    assert unknown == []


@pytest.mark.parametrize(
    "block", [one for one in blocks() if one.language in {"python", "py"}], ids="{0.document}".format
)
def test_python_in_the_documents_parses_and_imports_what_exists(block: Block) -> None:
    for statement in ast.walk(ast.parse(block.text)):
        if isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith("medpipe"):
            module = importlib.import_module(statement.module or "")
            for alias in statement.names:
                assert hasattr(module, alias.name)


@pytest.mark.parametrize(
    "block", [one for one in blocks() if one.language in {"yaml", "yml"}], ids="{0.document}".format
)
def test_yaml_in_the_documents_parses(block: Block) -> None:
    assert list(yaml.safe_load_all(block.text))


_SETTINGS = re.compile(r"# conf/\w+/(\w+)\.yml\n")


@pytest.mark.parametrize("block", [one for one in blocks() if _SETTINGS.match(one.text)], ids="{0.document}".format)
def test_settings_in_the_documents_are_valid(block: Block) -> None:
    from medpipe.registry.params import MLflowParams
    from medpipe.schedule.jobs import Job

    match = _SETTINGS.match(block.text)
    assert match is not None
    values = yaml.safe_load(block.text)
    if match[1].startswith("parameters"):
        for root, value in values.items():
            models()[root].model_validate(value)
    elif match[1] == "schedules":
        for value in values.values():
            pipelines(",".join(Job.model_validate(value).pipelines))
    elif match[1] == "mlflow":
        MLflowParams.model_validate(values)


def test_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^(\w+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    lines = [line for block in blocks() for line in block.text.splitlines()]
    said = {match[1] for line in [*lines, *(code.text for code in codes())] if (match := re.match(r"make (\w+)", line))}
    assert said <= targets


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("kedro run --pipelnie=imaging", click.NoSuchOption),
        ("kedro runn", click.UsageError),
        ("medpipe score-molecules", click.MissingParameter),
        ("medpipe score-molecules a.smi --n-jobs=many", click.BadParameter),
        ("medpipe score-molecules a.smi b.smi", click.UsageError),
    ],
)
def test_a_wrong_command_is_noticed(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        parsed(Found("here", text))


@pytest.mark.parametrize(
    "text",
    [
        "kedro run --env=mars",
        "kedro run --pipeline=imaging --to-nodes=landing",
        "kedro run --pipeline=imaging --params=train_cnn.trainer.max_stepz=5",
        "kedro run --pipeline=imaging --params=sample.n=5",
        "kedro run --pipeline=molecules --params=sample.n=-5",
    ],
)
def test_a_wrong_run_is_noticed(text: str) -> None:
    check: Callable[[Found], None] = test_a_run_names_pipelines_nodes_environments_and_parameters_that_exist
    with pytest.raises((AssertionError, ValueError)):
        check(Found("here", text))


def test_documents_are_found() -> None:
    assert len(DOCUMENTS) > 15
    assert len(RUNS) > 20
    assert Path(PROJECT / "README.md") in DOCUMENTS
