"""House rules that a program can check: one-way imports, and files and functions that stay readable.

The import order is engine -> planner -> mlx_drmario -> traces -> tui -> cli -> scripts -> tests; each may use what
stands to its left. MLX belongs to nets and rl, h5py to traces, Textual to tui.
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
MAX_LINES = 400
MAX_FUNCTION_LINES = 60
LAYERS = ("", "envs", "nets", "rl", "traces", "tui", "cli")
OWNERS = {"mlx": {"nets", "rl"}, "h5py": {"traces"}, "textual": {"tui"}}


def layer_of(path: Path) -> str:
    """The layer of a Python file: '' for the modules directly in mlx_drmario."""
    parts = path.relative_to(ROOT).parts
    if parts[0] in ("tui", "traces"):
        return parts[0]
    return parts[1] if len(parts) > 2 else ""


def imported(tree: ast.AST) -> list[tuple[int, str]]:
    """(line, dotted module) of every import in a file, also inside functions."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append((node.lineno, node.module))
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return found


def import_problems(path: Path, tree: ast.AST) -> list[str]:
    layer = layer_of(path)
    problems = []
    for line, module in imported(tree):
        parts = module.split(".")
        owners = OWNERS.get(parts[0])
        if owners is not None and layer not in owners:
            problems.append(f"{path}:{line}: {parts[0]} belongs to {', '.join(sorted(owners))}")
        target = parts[1] if parts[0] == "mlx_drmario" and len(parts) > 1 else ""
        if target in LAYERS and LAYERS.index(target) > LAYERS.index(layer):
            problems.append(f"{path}:{line}: {layer or 'mlx_drmario'} must not import {module}, which comes after it")
    return problems


def size_problems(path: Path, text: str, tree: ast.AST | None) -> list[str]:
    problems = []
    lines = text.count("\n")
    if lines > MAX_LINES:
        problems.append(f"{path}: {lines} lines, more than {MAX_LINES}: two topics?")
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            length = node.end_lineno - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                problems.append(f"{path}:{node.lineno}: {node.name} has {length} lines, more than {MAX_FUNCTION_LINES}")
    return problems


def check() -> list[str]:
    """Every broken rule, as one line each."""
    problems = []
    for folder in ("mlx_drmario", "traces", "tui", "scripts", "tests", "engine", "planner"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix not in (".py", ".h", ".cpp", ".c") or not path.is_file():
                continue
            text = path.read_text()
            tree = ast.parse(text) if path.suffix == ".py" else None
            problems += size_problems(path.relative_to(ROOT), text, tree)
            if tree and folder in ("mlx_drmario", "traces", "tui"):
                problems += import_problems(path, tree)
    return problems


if __name__ == "__main__":
    found = check()
    print("\n".join(found) or "imports one-way, files and functions in size")
    sys.exit(bool(found))
