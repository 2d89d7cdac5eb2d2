"""The checker of the house rules: a tree that keeps them all is clean, and one broken example of each kind is found."""

from pathlib import Path

import pytest

from scripts import check_tree, cpp_outline


def long_function(name: str, lines: int) -> str:
    return f"static int {name}(int x) {{\n" + "  ++x;\n" * (lines - 3) + "  return x;\n}\n"


def python_function(lines: int) -> str:
    return "def f():\n" + "    pass\n" * (lines - 1)


CLEAN = {
    "README.md": "# Title\n\n| a table's row may be wide |" + " wide |" * 30 + "\n",
    "docs/rules.md": "# Rules\n\n## 7. Life\n\n### 7.1 Throw\n",
    "engine/types.h": "#pragma once\n// docs/rules.md, section 7\nnamespace drm {\nint one();\n}\n",
    "engine/types.cpp": '#include "types.h"\nnamespace drm {\nint one() { return 1; }  // docs/rules.md 7.1\n}\n',
    "planner/reach.h": '#pragma once\n#include "types.h"\nint reach(int x);\n',
    "planner/search.h": '#pragma once\n#include "reach.h"\n',
    "planner/reach.cpp": '#include "search.h"\n#include "reach.h"\nint reach(int x) { return x; }\n',
    "planner/f.cpp": long_function("f", 60),
    "planner/c.h": "class Whole {\n" + "  int x;\n" * 198 + "};\n",
    "mlx_drmario/__init__.py": "import numpy\n",
    "mlx_drmario/nets/__init__.py": "import mlx.core\nfrom .. import rewards\n",
    "mlx_drmario/rewards.py": python_function(60),
    "traces/__init__.py": "import h5py\nfrom mlx_drmario.rl import train\n",
    "tests/test_it.py": "import mlx_drmario\nfrom scripts import anything\nimport mlx.core\n",
}

PAGE, OUTSIDE = "rules.md", "../shared/stack.md"
BROKEN = {
    "a later layer": ({"mlx_drmario/nets/a.py": "import mlx_drmario.rl\n"}, "nets must not import mlx_drmario.rl"),
    "from import": ({"mlx_drmario/a.py": "from mlx_drmario import tui\n"}, "must not import mlx_drmario.tui"),
    "one dot": ({"mlx_drmario/a.py": "from .rl import train\n"}, "must not import mlx_drmario.rl.train"),
    "two dots": ({"mlx_drmario/nets/a.py": "from ..rl.train import f\n"}, "must not import mlx_drmario.rl.train.f"),
    "dots alone": ({"mlx_drmario/envs/a.py": "from .. import cli\n"}, "must not import mlx_drmario.cli"),
    "a package's dots": ({"traces/__init__.py": "from ..tui import a\n"}, "traces must not import mlx_drmario.tui.a"),
    "inside a function": ({"mlx_drmario/a.py": "def f():\n    import mlx.core\n"}, "mlx belongs to nets, rl"),
    "h5py": ({"mlx_drmario/rl/a.py": "from h5py import File\n"}, "h5py belongs to traces"),
    "tests": ({"tui/a.py": "from tests import runs\n"}, "tui must not import tests.runs"),
    "scripts": ({"mlx_drmario/cli/a.py": "import scripts.check_tree\n"}, "cli must not import scripts.check_tree"),
    "include of a later layer": ({"engine/a.h": '#include "reach.h"\n'}, "engine must not include planner/reach.h"),
    "include of a test": (
        {"planner/a.h": '#include "b.h"\n', "tests/planner/b.h": ""},
        "planner must not include tests/planner/b.h",
    ),
    "units that include each other": (
        {"engine/a.h": "", "engine/a.cpp": '#include "b.h"\n', "engine/b.h": "", "engine/b.cpp": '#include "a.h"\n'},
        "engine/a and engine/b include each other",
    ),
    "units that include each other by a third": (
        {
            "engine/a.h": '#include "c.h"\n',
            "engine/a.cpp": "",
            "engine/b.h": "",
            "engine/b.cpp": '#include "a.h"\n',
            "engine/c.h": '#include "b.h"\n',
        },
        "engine/a and engine/b include each other",
    ),
    "declared in the wrong layer": (
        {
            "engine/bind.h": "namespace drm {\nvoid bind_a(nb::module_& m);\nvoid bind_b(nb::module_& m);\n}\n",
            "engine/bind.cpp": "void bind_a(nb::module_& m) {}\n",
            "planner/bind.cpp": "void bind_b(nb::module_& m) {}\n",
        },
        "engine/bind.h:3: bind_b is declared here but defined in planner",
    ),
    "a long C++ function": ({"engine/a.cpp": long_function("f", 61)}, "engine/a.cpp:1: f has 61 lines"),
    "a long method": ({"engine/a.h": f"struct A {{\n{long_function('f', 61)}}};\n"}, "engine/a.h:2: f has 61 lines"),
    "a long test": ({"tests/engine/a.cpp": long_function("main", 70)}, "main has 70 lines"),
    "a long C++ class": ({"planner/a.h": "class A {\n" + "  int x;\n" * 199 + "};\n"}, "a.h:1: A has 201 lines"),
    "a long C++ class in two files": (
        {
            "planner/a.h": "template <class T>\nclass A {\n" + "  int x;\n" * 98 + "};\n",
            "planner/a.cpp": "".join(
                f"template <class T>\nint A<T>::f{i}() {{\n" + "  ++x;\n" * 47 + "}\n" for i in range(2)
            ),
        },
        "planner/a.h:1: A has 201 lines",
    ),
    "a long Python function": ({"scripts/a.py": python_function(61)}, "scripts/a.py:1: f has 61 lines"),
    "a long Python class": ({"tui/a.py": "class A:\n" + "    x = 1\n" * 200}, "tui/a.py:1: A has 201 lines"),
    "a long file": ({"tests/a.py": "\n" * 401}, "tests/a.py: 401 lines"),
    "a wide line of documentation": ({"docs/a.md": "# A\n\n" + "x" * 120 + "\n"}, "docs/a.md:3: 120 characters"),
    "a wide line of the README": ({"README.md": "x" * 120 + "\n"}, "README.md:1: 120 characters"),
    "a page that is not there": ({"engine/a.h": f"// {PAGE} 7.1\n"}, f"cites {PAGE}, which is no page"),
    "the program's own path is none": (
        {"tests/a.py": f'PAGE = "{PAGE}"\n# see {OUTSIDE}\n'},
        f"a.py:2: cites {OUTSIDE}",
    ),
    "a page outside": ({"tests/a.py": f"# see {OUTSIDE}\n"}, f"cites {OUTSIDE}, which is no page"),
    "a section that is not there": (
        {"engine/a.h": f"// docs/{PAGE} sections 7, 7.1 and 7.2\n"},
        "cites section 7.2 of",
    ),
}


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_clean_tree(tmp_path: Path) -> None:
    assert check_tree.check(tree(tmp_path, CLEAN)) == []


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_example_is_found(tmp_path: Path, kind: str) -> None:
    files, sentence = BROKEN[kind]
    problems = check_tree.check(tree(tmp_path, CLEAN | files))
    assert len(problems) == 1 and sentence in problems[0], problems


OUTLINE = """
#define X(a) { a
// int comment() {
const char* text = "int quoted() {"; const char brace = '{'; const char* raw = R"({{{)";
constexpr int kTable[2] = {1, 2};
enum Color : int { kRed, kBlue };
namespace {
int hidden() { return 1'000; }
}
template <int R, typename T = void>
struct Outer final : Base<R> {
  explicit Outer(int x) noexcept : Base<R>{x}, y_{x} {
    use(x);
  }
  bool operator==(const Outer& other) const { return y_ == other.y_; }
  struct Inner {
    int z;
  };
  int y_{};
};
template <int R>
auto Outer<R>::run(std::vector<int> given) const -> int {
  const auto each = [&](int v) { return v; };
  struct Local { int a; };
  if (given.empty()) { return 0; }
  return each(1);
}
static int unseen(int x = {}, const char* y = {"a"}) { return 2; }
static constexpr auto kMade = [] { if (sizeof(int) > 2) { use(1); } return 1; }();
static int declared(int x) noexcept;
extern "C" {
int c_function(int a) { return a; }
}
"""


def test_the_outline_of_a_cpp_file() -> None:
    found = {(b.kind, b.name): b for b in cpp_outline.blocks(OUTLINE)}
    assert set(found) == {
        ("function", "hidden"),
        ("class", "Outer"),
        ("function", "Outer"),
        ("function", "operator=="),
        ("class", "Inner"),
        ("function", "Outer::run"),
        ("class", "Local"),
        ("function", "unseen"),
        ("function", "c_function"),
    }
    assert {name for (_, name), block in found.items() if block.static} == {"hidden", "unseen"}
    assert (found["class", "Outer"].first, found["class", "Outer"].lines) == (10, 11)
    assert found["function", "Outer"].lines == 3
    assert found["function", "Outer::run"].lines == 7
    assert cpp_outline.declarations(OUTLINE) == [(30, "declared")]


def test_every_function_of_the_sources_has_a_name() -> None:
    """What the outline cannot read it would silently not measure."""
    braces, named = 0, 0
    for path in check_tree.files(check_tree.ROOT, ("engine", "planner"), (".cpp",)):
        text = (check_tree.ROOT / path).read_text()
        found = cpp_outline.blocks(text)
        named += len(found)
        assert all(b.name for b in found if b.kind == "function")
        # clang-format closes every function and class at the left margin, namespaces and tables excepted.
        lines = cpp_outline.bare(text).splitlines()
        ends = {b.last for b in found}
        for number, line in enumerate(lines, 1):
            if line.startswith("}") and not line.startswith(("};", "}}")) and number not in ends:
                braces += 1
    assert named > 100
    namespaces = sum(
        line.startswith("namespace") and line.endswith("{")
        for path in check_tree.files(check_tree.ROOT, ("engine", "planner"), (".cpp",))
        for line in (check_tree.ROOT / path).read_text().splitlines()
    )
    assert braces == namespaces
