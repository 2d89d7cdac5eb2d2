"""Reading the Markdown pages of the project: sections, code blocks and tables."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@dataclass(frozen=True)
class Block:
    """A fenced code block."""

    page: Path
    line: int
    """of its first line of text, counted from 1"""
    language: str
    """what follows the opening fence, e.g. 'python' or 'sh title="x"'; empty for drawings and output"""
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    found, lines = [], page.read_text().splitlines()
    opened: int | None = None
    for number, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if opened is None:
            opened = number
        else:
            text = "\n".join(lines[opened + 1 : number]) + "\n"
            found.append(Block(page, opened + 2, lines[opened][3:].strip(), text))
            opened = None
    return found


def section(text: str, number: str) -> str:
    """The part of a page under the heading that begins with `number` ('19.3', or '18'), subsections included."""
    match = re.search(rf"^(#+) {re.escape(number)}\.? .*$", text, re.MULTILINE)
    assert match, f"no section {number}"
    rest = text[match.end() :]
    end = re.search(rf"^#{{1,{len(match[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def tables(text: str) -> list[list[list[str]]]:
    """The tables of a text: rows of stripped cells, without the line of dashes."""
    found: list[list[list[str]]] = [[]]
    for line in text.splitlines():
        if not line.startswith("|"):
            found.append([])
        elif not set(line) <= set("|-: "):
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
    return [table for table in found if table]


def drawings(text: str) -> list[str]:
    """The contents of the fenced blocks of a text."""
    return re.findall(r"^```.*\n((?:.*\n)*?)```$", text, re.MULTILINE)
