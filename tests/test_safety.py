"""What reads files from elsewhere runs no code of theirs; checked in the source, call by call."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import medpipe
from medpipe.ct.labels.base import LabelError
from medpipe.ct.labels.lidc_xml import parse

SOURCE = Path(medpipe.__file__).parent
OWN_PICKLES = {
    "training/distributed.py": {"cloudpickle.dumps", "cloudpickle.loads"},  # to processes that we start, through a pipe
    "molecules/metrics/moses_statistics.py": {"pickle.Unpickler"},  # knows five names and checks their arguments
}
UNPICKLERS = {
    "pickle.load", "pickle.loads", "pickle.Unpickler", "cloudpickle.load", "cloudpickle.loads", "cloudpickle.dumps",
    "joblib.load", "pd.read_pickle", "pandas.read_pickle", "dill.load", "dill.loads", "marshal.loads", "shelve.open",
}  # fmt: skip
NEEDED = {
    "torch.load": ("weights_only", "True"),
    "np.load": ("allow_pickle", "False"),
    "numpy.load": ("allow_pickle", "False"),
}
FORBIDDEN = {"eval", "exec", "os.system", "yaml.unsafe_load", "yaml.full_load", "tempfile.mktemp"}
FORBIDDEN_METHODS = {"extractall", "extract"}
ALL_INTERFACES = {"0.0.0.0", "::"}


class Call(NamedTuple):
    """A call or mention in the source."""

    file: str
    line: int
    name: str
    keywords: dict[str, str]

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.name}"


def trees() -> Iterator[tuple[str, ast.AST]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def calls() -> list[Call]:
    """All calls, and all base classes, which are as good as calls."""
    found = []
    for file, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                keywords = {word.arg or "**": ast.unparse(word.value) for word in node.keywords}
                found.append(Call(file, node.lineno, ast.unparse(node.func), keywords))
            elif isinstance(node, ast.ClassDef):
                found += [Call(file, base.lineno, ast.unparse(base), {}) for base in node.bases]
    return found


CALLS = calls()


def test_the_search_sees_calls():
    assert {"np.load", "torch.load", "subprocess.run"} <= {call.name for call in CALLS}


def test_only_own_pickles_are_opened():
    opened = {
        str(call) for call in CALLS if call.name in UNPICKLERS and call.name not in OWN_PICKLES.get(call.file, ())
    }
    assert opened == set()


@pytest.mark.parametrize("name", NEEDED)
def test_weights_and_arrays_are_read_without_pickles(name):
    keyword, value = NEEDED[name]
    assert [str(call) for call in CALLS if call.name == name and call.keywords.get(keyword) != value] == []


def test_no_text_becomes_code_and_no_shell_is_asked():
    assert [
        str(call) for call in CALLS if call.name in FORBIDDEN or call.keywords.get("shell", "False") != "False"
    ] == []


def test_yaml_is_read_by_the_safe_loader():
    loaded = [call for call in CALLS if call.name == "yaml.load"]
    assert [str(c) for c in loaded if c.keywords["Loader"] not in ("yaml.CSafeLoader", "yaml.SafeLoader")] == []


def test_archives_are_never_unpacked_by_the_names_inside():
    assert [
        str(call) for call in CALLS if call.name.rpartition(".")[2] in FORBIDDEN_METHODS and "archive" in call.name
    ] == []


def test_nothing_listens_on_all_interfaces_by_default():
    found = [
        f"{file}:{node.lineno}"
        for file, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in ALL_INTERFACES
    ]
    assert found == []


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "document_type",
    [
        f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]>',
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a [<!ENTITY % b SYSTEM "http://127.0.0.1:9/b.dtd"> %b;]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">',
    ],
    ids=["a thousand million laughs", "a file", "a parameter entity", "a document type elsewhere"],
)
def test_xml_with_entities_is_refused_before_they_are_read(document_type):
    with pytest.raises(LabelError, match="document type"):
        parse(f"{document_type}<LidcReadMessage>&l9;&b;</LidcReadMessage>".encode())
