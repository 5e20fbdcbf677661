"""What stands in the pages: their code blocks, and the commands in these."""

import pathlib
import re
import shlex
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parents[1]
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "experiments" / "README.md",
        *(ROOT / "docs").glob("*.md"),
    )
)
FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
INLINE = re.compile(r"`(python experiments/[^`]+)`")
OPERATORS = ("&&", "||", "|", ";")


class Block(NamedTuple):
    """A fenced block: its page and line, its language, what is in it."""

    where: str
    language: str
    text: str


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in their order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        Block(f"{page}:{text.count(chr(10), 0, found.start()) + 1}", found[1], found[2])
        for found in FENCE.finditer(text)
    ]


def without_fences(page: str) -> str:
    return FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))


def inline_commands(page: str) -> list[list[str]]:
    """The commands that stand in the text itself."""
    return [shlex.split(found) for found in INLINE.findall(without_fences(page))]


def commands(text: str) -> list[list[str]]:
    """The commands of a block for the shell, each a list of words; redirections left out.

    Quotes may hold several lines, and a backslash joins two.
    """
    found, begun = [], ""
    for line in text.replace("\\\n", " ").splitlines():
        begun = f"{begun}\n{line}" if begun else line
        lexer = shlex.shlex(begun, posix=True, punctuation_chars="|&;>")
        lexer.whitespace_split = True
        try:
            words = list(lexer)
        except ValueError:  # a quote is open: it ends in one of the next lines
            continue
        begun = ""
        found += _parts(words)
    assert not begun, f"a quote is not closed: {begun}"
    return found


def shell(page: str) -> list[list[str]]:
    """All commands of a page's blocks for the shell."""
    return [
        words for each in blocks(page) if each.language == "sh" for words in commands(each.text)
    ]


def _parts(words):
    parts = [[]]
    for word in words:
        if word in OPERATORS:
            parts.append([])
        else:
            parts[-1].append(word)
    return [part[: part.index(">")] if ">" in part else part for part in parts if part]
