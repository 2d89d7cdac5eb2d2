"""Where the functions and classes of a C++ file begin and end: enough of the language for our own formatted sources.

Not a parser. It knows comments, literals, preprocessor lines and braces, and tells by what stands before a brace
whether it opens a namespace, a class, a function or something else.
"""

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["function", "class", "namespace", "other"]

_NOISE = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)" | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])+'
    | ^[ \t]*\#(?:\\\n|[^\n])*""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)
_CLASS = re.compile(
    r"^(?:template\s*<.*>\s*)?(?:typedef\s+)?(?:class|struct|union)\b(?:\s+alignas\([^)]*\))?\s*(\w*)", re.S
)
_NAMESPACE = re.compile(r'^(?:inline\s+)?namespace\b|^extern\s*"?\s*$')
_NAME = re.compile(r"((?:\w+(?:<[^<>()]*>)?::)*(?:operator\s*\S+?|~?\w+))\s*(?:<[^()]*>)?\s*\($")


@dataclass(frozen=True)
class Block:
    """A named pair of braces."""

    kind: Kind
    name: str
    """of a member defined outside of its class with the class: "Search::run" (template arguments left out)"""
    first: int
    """line on which its heading begins, counted from 1"""
    last: int
    """line of the closing brace"""
    static: bool
    """not visible in other files"""

    @property
    def lines(self) -> int:
        return self.last - self.first + 1


def includes(text: str) -> list[tuple[int, str]]:
    """(line, path) of every include in quotes."""
    return [(text.count("\n", 0, match.start(1)) + 1, match[1]) for match in _INCLUDE.finditer(text)]


def bare(text: str) -> str:
    """The text with comments, literals and preprocessor lines blanked out; every character keeps its line."""

    def blank(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match[0])

    return _NOISE.sub(blank, re.sub(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])", "_", text))


def blocks(text: str) -> list[Block]:
    """The functions and classes of a file, inner ones included, in the order of their closing braces."""
    code = bare(text)
    found: list[Block] = []
    open_blocks: list[tuple[Kind, str, int, bool]] = []  # kind, name, offset of the heading, static
    heading = 0  # offset at which the heading of the next brace begins
    for match in re.finditer("[{};:]", code):
        offset, char = match.start(), match[0]
        if char == "{":
            if _is_inner(code, heading, offset):
                open_blocks.append(("other", "init", heading, False))
                continue
            kind, name = _classify(code[heading:offset].strip(), [block[0] for block in open_blocks])
            start = heading + len(code[heading:offset]) - len(code[heading:offset].lstrip())
            hidden = "static" in code[heading:offset].split() or any(b[1] == "<anonymous>" for b in open_blocks)
            open_blocks.append((kind, name, start, hidden))
            heading = offset + 1
        elif char == "}" and open_blocks:
            kind, name, start, hidden = open_blocks.pop()
            if kind in ("function", "class"):
                first, last = code.count("\n", 0, start) + 1, code.count("\n", 0, offset) + 1
                found.append(Block(kind, name, first, last, hidden))
            if name != "init":
                heading = offset + 1
        elif char == ";" or (char == ":" and re.search(r"\b(public|private|protected)\s*$", code[heading:offset])):
            heading = offset + 1
    return found


def declarations(text: str) -> list[tuple[int, str]]:
    """(line, name) of the functions that a header declares at namespace scope without defining them."""
    code = bare(text)
    depth, heading, found = 0, 0, []
    for match in re.finditer("[{};]", code):
        offset, char = match.start(), match[0]
        statement = code[heading:offset].strip()
        if char == "{" and not _NAMESPACE.match(statement):
            depth += 1
        elif char == "}" and depth:
            depth -= 1
        elif char == ";" and depth == 0 and "=" not in statement:
            found.append((code.count("\n", 0, offset) + 1, _function_name(statement)))
        heading = offset + 1
    return [(line, name) for line, name in found if name]


def _is_inner(code: str, heading: int, offset: int) -> bool:
    """Whether a brace stands inside a heading: in parentheses (`int x = {}`), or as a constructor's `member_{...}`.

    clang-format writes the latter without a space.
    """
    before = code[heading:offset]
    if before.count("(") > before.count(")"):
        return True
    return bool(re.search(r"\)\s*(?:noexcept\s*)?:\s", before)) and bool(re.match(r"[\w>]", code[offset - 1]))


def _classify(heading: str, around: list[Kind]) -> tuple[Kind, str]:
    if "function" in around or "other" in around:
        local = _CLASS.match(heading)
        return ("class", local[1]) if local and "(" not in heading else ("other", "")
    if _NAMESPACE.match(heading):
        return "namespace", "<anonymous>" if heading.split()[-1] == "namespace" else heading.split()[-1]
    class_match = _CLASS.match(heading)
    if class_match and "(" not in heading.replace("alignas(", "").split("{")[0]:
        return "class", class_match[1]
    if "(" in heading and not heading.endswith("=") and (name := _function_name(heading)):
        return "function", name
    return "other", ""


def _function_name(heading: str) -> str:
    """What stands before the first parenthesis that is not part of a template argument or an attribute."""
    depth = 0
    for offset, char in enumerate(heading):
        if char == "<":
            depth += 1
        elif char == ">" and heading[offset - 1] != "-":
            depth = max(0, depth - 1)
        elif char == "(" and depth == 0:
            match = _NAME.search(heading[: offset + 1])
            return re.sub(r"<[^<>]*>", "", match[1]) if match else ""
    return ""
