"""House rules that a program can check: one-way imports and includes, sizes that stay readable, citations that resolve.

Order: engine -> planner -> mlx_drmario (modules, envs, nets, rl) -> traces -> tui -> cli -> drmario_start and the rest
(scripts, examples, tests).

Each may use what stands to its left. MLX belongs to nets and rl, h5py to traces, Textual to tui.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

if __package__ in (None, ""):  # run as a program
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts import cpp_outline

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_CLASS_LINES = 200
MAX_DOCS_WIDTH = 119
PACKAGE = "mlx_drmario"
LAYERS = ("", "envs", "nets", "rl", "traces", "tui", "cli")
OWNERS = {"mlx": {"nets", "rl"}, "h5py": {"traces"}, "textual": {"tui"}}
LAST = ("drmario_start", "scripts", "examples", "tests")
CPP_LAYERS = ("engine", "planner", "tests")
PYTHON_FOLDERS = (PACKAGE, "traces", "tui", *LAST)
CPP_SUFFIXES = (".h", ".cpp", ".c")


def files(root: Path, folders: tuple[str, ...], suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Source files below some folders of a tree, relative to it (rglob follows no links)."""
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in suffixes and path.is_file():
                yield path.relative_to(root)


# Python imports.


def module_of(path: Path) -> str:
    """The dotted name under which a file is imported; traces/ and tui/ are linked into the package."""
    parts = path.with_suffix("").parts
    if parts[0] in ("traces", "tui"):
        parts = (PACKAGE, *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path, tree: ast.AST) -> list[tuple[int, str]]:
    """(line, absolute dotted name) of every import in a file, relative ones and those inside functions included."""
    package = module_of(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = [*base, *(node.module or "").split(".")] if node.module else base
            found += [(node.lineno, ".".join([*base, alias.name])) for alias in node.names]
    return found


def layer_of(module: str) -> str:
    """The layer of a module of the package: '' for those directly in it, but `python -m` starts the command line."""
    parts = module.split(".")
    if parts[1:] == ["__main__"]:
        return "cli"
    return parts[1] if len(parts) > 1 and parts[1] in LAYERS else ""


def import_problems(path: Path, tree: ast.AST) -> list[str]:
    """Imports of a file of the package that go the wrong way; `python -m` may start as the command does."""
    layer = layer_of(module_of(path))
    start = int(path.name == "__main__.py")  # the first of LAST, drmario_start, is for it
    problems = []
    for line, name in imported(path, tree):
        top = name.split(".")[0]
        if top in OWNERS and layer not in OWNERS[top]:
            problems.append(f"{path}:{line}: {top} belongs to {', '.join(sorted(OWNERS[top]))}")
        in_package = top == PACKAGE and LAYERS.index(layer_of(name)) > LAYERS.index(layer)
        if in_package or top in LAST[start:]:
            problems.append(f"{path}:{line}: {layer or PACKAGE} must not import {name}, which comes after it")
    return problems


# C++ includes.


def include_problems(root: Path) -> list[str]:
    """Includes of a later layer, and units that include each other.

    A unit is a header and its source. A header without one is only passed through: reach.cpp may use a header that
    speaks of reach.h's types.
    """
    sources = list(files(root, CPP_LAYERS, CPP_SUFFIXES))
    problems = []
    uses: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for path in sources:
        unit = (path.parts[0], path.stem)
        uses.setdefault(unit, set())
        for line, name in cpp_outline.includes((root / path).read_text()):
            target = next((s for s in _candidates(path, sources) if s.name == Path(name).name), None)
            if target is None:
                continue
            if CPP_LAYERS.index(target.parts[0]) > CPP_LAYERS.index(path.parts[0]):
                problems.append(f"{path}:{line}: {path.parts[0]} must not include {target}, which comes after it")
            if (target.parts[0], target.stem) != unit:
                uses[unit].add((target.parts[0], target.stem))
    whole = {(path.parts[0], path.stem) for path in sources if path.suffix != ".h"}
    for unit in sorted(whole):
        for other in sorted(_reachable(uses, unit) & whole):
            if unit < other and unit in _reachable(uses, other):
                problems.append(f"{'/'.join(unit)} and {'/'.join(other)} include each other, directly or by others")
    return problems


def _candidates(path: Path, sources: list[Path]) -> list[Path]:
    """What an include may mean, nearest first: the same folder, then earlier layers, then later ones."""
    return sorted(sources, key=lambda s: (s.parent != path.parent, CPP_LAYERS.index(s.parts[0]), s))


def _reachable(uses: dict[tuple[str, str], set[tuple[str, str]]], start: tuple[str, str]) -> set[tuple[str, str]]:
    seen: set[tuple[str, str]] = set()
    queue = [start]
    while queue:
        unit = queue.pop()
        if unit not in seen:
            seen.add(unit)
            queue += uses.get(unit, ())
    return seen


def declaration_problems(root: Path) -> list[str]:
    """Functions that a header declares although a later layer defines them."""
    defined: dict[str, set[str]] = {}
    for path in files(root, CPP_LAYERS, CPP_SUFFIXES):
        for block in cpp_outline.blocks((root / path).read_text()):
            if block.kind == "function" and not block.static:
                defined.setdefault(block.name, set()).add(path.parts[0])
    problems = []
    for path in files(root, CPP_LAYERS, (".h",)):
        for line, name in cpp_outline.declarations((root / path).read_text()):
            layers = defined.get(name, set())
            if layers and all(CPP_LAYERS.index(layer) > CPP_LAYERS.index(path.parts[0]) for layer in layers):
                problems.append(f"{path}:{line}: {name} is declared here but defined in {', '.join(sorted(layers))}")
    return problems


# Sizes.


def length_problems(root: Path) -> list[str]:
    """Files of more than MAX_LINES lines."""
    problems = []
    for path in files(root, (*PYTHON_FOLDERS, "engine", "planner"), (".py", *CPP_SUFFIXES)):
        lines = (root / path).read_text().count("\n")
        if lines > MAX_LINES:
            problems.append(f"{path}: {lines} lines, more than {MAX_LINES}: two topics?")
    return problems


def python_size_problems(path: Path, tree: ast.AST) -> list[str]:
    problems = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            most = MAX_CLASS_LINES if isinstance(node, ast.ClassDef) else MAX_FUNCTION_LINES
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > most:
                problems.append(f"{path}:{node.lineno}: {node.name} has {lines} lines, more than {most}")
    return problems


def cpp_size_problems(root: Path) -> list[str]:
    """Long functions, and classes that are long with the members that are defined outside of them."""
    problems = []
    classes: list[tuple[Path, cpp_outline.Block]] = []
    members: list[tuple[Path, str, int]] = []  # where, of which class, lines
    for path in files(root, CPP_LAYERS, CPP_SUFFIXES):
        for block in cpp_outline.blocks((root / path).read_text()):
            if block.kind == "class":
                classes.append((path, block))
                continue
            owner, _, name = block.name.rpartition("::")
            members.append((path, owner.split("::")[-1], block.lines))
            if block.lines > MAX_FUNCTION_LINES:
                at = f"{path}:{block.first}"
                problems.append(f"{at}: {name} has {block.lines} lines, more than {MAX_FUNCTION_LINES}")
    for path, block in classes:
        own = [
            lines
            for where, owner, lines in members
            if owner == block.name != "" and (where == path or (path.suffix == ".h" and where.parent == path.parent))
        ]
        total = block.lines + sum(own)
        if total > MAX_CLASS_LINES:
            at = f"{path}:{block.first}"
            problems.append(f"{at}: {block.name} has {total} lines with its members, more than {MAX_CLASS_LINES}")
    return problems


# Documentation.


def docs_problems(root: Path) -> list[str]:
    """Lines of prose and code that are too wide (rows of a table may be)."""
    problems = []
    for path in [Path("README.md"), *files(root, ("docs",), (".md",))]:
        if (root / path).is_file():
            for number, line in enumerate((root / path).read_text().splitlines(), 1):
                if len(line) > MAX_DOCS_WIDTH and not line.lstrip().startswith("|"):
                    problems.append(f"{path}:{number}: {len(line)} characters, more than {MAX_DOCS_WIDTH}")
    return problems


# A name right after a quotation mark is a program's path, not a citation.
_CITATION = re.compile(
    r"(?<![\"'\w./-])(?P<page>[\w./-]*\b(?!README\b|CHANGELOG\b)[\w-]+\.md)\b"
    r"(?:,?\s+(?:sections?\s+)?(?P<numbers>\d+(?:\.\d+)?(?:(?:,\s|\sand\s)\d+(?:\.\d+)?)*)(?![\w%:-]))?"
)


def citation_problems(root: Path) -> list[str]:
    """Comments that cite a page or section that docs/ lacks (`docs/rules.md 7.1`, `docs/rules.md sections 8 and 9`)."""
    headings = {
        str(page): set(re.findall(r"^#+ (\d+(?:\.\d+)?)\.? ", (root / page).read_text(), re.MULTILINE))
        for page in files(root, ("docs",), (".md",))
    }
    problems = []
    for path in files(root, (*PYTHON_FOLDERS, "engine", "planner"), (".py", *CPP_SUFFIXES)):
        for number, line in enumerate((root / path).read_text().splitlines(), 1):
            for match in _CITATION.finditer(line):
                page, numbers = match["page"], re.findall(r"[\d.]+", match["numbers"] or "")
                if page not in headings:
                    problems.append(f"{path}:{number}: cites {page}, which is no page of docs/")
                elif missing := [n for n in numbers if n not in headings[page]]:
                    problems.append(f"{path}:{number}: cites section {missing[0]} of {page}, which has none")
    return problems


def check(root: Path = ROOT) -> list[str]:
    """Every broken rule of a tree, as one line each."""
    problems = length_problems(root)
    for path in files(root, PYTHON_FOLDERS, (".py",)):
        tree = ast.parse((root / path).read_text())
        problems += python_size_problems(path, tree)
        if path.parts[0] not in LAST:
            problems += import_problems(path, tree)
    for rule in (include_problems, declaration_problems, cpp_size_problems, docs_problems, citation_problems):
        problems += rule(root)
    return problems


if __name__ == "__main__":
    found = check()
    print("\n".join(found) or "one way, in size, every citation resolves")
    sys.exit(bool(found))
