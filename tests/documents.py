"""What the documents say that can be checked: links, fenced blocks, command lines, code in the text."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "conf/README.md", "data/README.md", "src/medpipe/pipelines/*/README.md")
    for path in PROJECT.glob(pattern)
)

_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)[^)]*\)|<img[^>]+src=\"([^\"]+)\"")
_CODE = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#+\s+(.*?)\s*$", re.MULTILINE)
_COMMAND = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/|/\S+/)?(?:python -m )?(kedro|medpipe) (.*)$")


class Found(NamedTuple):
    """A piece of a document.

    Attributes:
        document: Where, below the project.
        text: What.
    """

    document: str
    text: str


class Block(NamedTuple):
    """A fenced block.

    Attributes:
        document: Where, below the project.
        language: After the fence; empty without one.
        text: Its lines.
    """

    document: str
    language: str
    text: str


def _read() -> Iterator[tuple[str, str]]:
    for path in DOCUMENTS:
        yield path.relative_to(PROJECT).as_posix(), path.read_text(encoding="utf-8")


def blocks() -> list[Block]:
    """All fenced blocks."""
    return [Block(name, *match.groups()) for name, text in _read() for match in _FENCE.finditer(text)]


def links() -> list[Found]:
    """Targets of links and pictures that are no web addresses."""
    found = []
    for name, text in _read():
        for match in _LINK.finditer(_CODE.sub("", _FENCE.sub("", text))):
            target = match[1] or match[2]
            if not re.match(r"[a-z]+:", target):
                found.append(Found(name, target))
    return found


def codes() -> list[Found]:
    """Words in the running text that are set as code."""
    return [Found(name, match[1]) for name, text in _read() for match in _CODE.finditer(_FENCE.sub("", text))]


def command_lines() -> list[Found]:
    """Lines of fenced blocks that call ``kedro`` or ``medpipe``, without what stands before and the comment after."""
    return _calls(
        Found(each.document, line) for each in blocks() for line in each.text.replace("\\\n", " ").splitlines()
    )


def mentions() -> list[Found]:
    """The same of the running text, where names of commands stand without what they need."""
    return _calls(iter(codes()))


def _calls(lines: Iterator[Found]) -> list[Found]:
    matches = [(document, match) for document, line in lines if (match := _COMMAND.match(line.strip()))]
    return list(dict.fromkeys(Found(name, shlex.join([match[1], *_words(match[2])])) for name, match in matches))


def _words(line: str) -> list[str]:
    """The arguments, up to a comment, a pipe or a redirection."""
    words = shlex.split(line, comments=True)
    ends = [place for place, word in enumerate(words) if word in {"|", ">", ">>", "2>", "&", "&&", ";", "2>&1"}]
    return words[: min(ends, default=len(words))]


def anchors(path: Path) -> set[str]:
    """What a link to a heading of a page may be called, by the rule of the usual Git hosts."""
    text = _FENCE.sub("", path.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(text)}


def code_in_tables(path: Path) -> set[str]:
    """What is set as code in the first column of a page's tables."""
    rows = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    return {name for row in rows for name in _CODE.findall(row.replace("\\|", "").split("|")[1])}
