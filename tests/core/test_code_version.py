import importlib
import sys

import pytest

from medpipe.core import code_version
from medpipe.core.code_version import code_digest

NODES = '''
from pack.params import Size

FACTOR = 2

def node(size: Size) -> int:
    """Node."""
    from pack.library import work

    return helper(work(size))

def helper(value):
    return value * FACTOR

def unrelated(value):
    return value
'''


@pytest.fixture
def digest(tmp_path, monkeypatch):
    """Writes a package, edited as told, and gives the digest of its node."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(code_version, "PACKAGE", "pack")
    files = {
        "pack/__init__.py": "",
        "pack/params.py": "class Size: pass\n",
        "pack/library.py": "from pack import deep\n\ndef work(size):\n    return deep.VALUE\n",
        "pack/deep.py": "VALUE = 1\n",
        "pack/nodes.py": NODES,
    }

    def write_and_digest(**edits: list[tuple[str, str]]) -> str:
        for name, text in files.items():
            for old, new in edits.get(name.removeprefix("pack/").removesuffix(".py"), []):
                assert old in text
                text = text.replace(old, new)
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        for name in [name for name in sys.modules if name.partition(".")[0] == "pack"]:
            del sys.modules[name]
        importlib.invalidate_caches()
        for cached in (code_version._file, code_version._tree, code_version._module_digest):
            cached.cache_clear()
        return code_digest(importlib.import_module("pack.nodes").node)

    return write_and_digest


def test_same_code_same_digest(digest):
    assert digest() == digest()


@pytest.mark.parametrize(
    "edits",
    [
        {"nodes": [("helper(work", "2 + helper(work")]},
        {"nodes": [("value * FACTOR", "value + FACTOR")]},
        {"nodes": [("FACTOR = 2", "FACTOR = 3")]},
        {"library": [("return deep", "return -deep")]},
        {"deep": [("1", "2")]},
        {"params": [("pass", "edge = 1")]},
    ],
)
def test_whatever_the_node_reaches_counts(digest, edits):
    assert digest(**edits) != digest()


@pytest.mark.parametrize(
    "edits",
    [
        {"nodes": [("    return value\n", "    return -value\n")]},
        {"library": [("def work", "# why\ndef work")]},
    ],
)
def test_other_functions_and_comments_do_not_count(digest, edits):
    assert digest(**edits) == digest()
