"""Do the tests see a fault? Puts each deliberate fault into a copy of the committed tree and runs the tests it names.

    python -m scripts.mutants [--only WORD] [--list]

Prints a line per fault, killed or SURVIVED with the time that took, and exits with 1 when one survived. The copy is a
git worktree of HEAD with a compiled module of its own, in a temporary folder that is removed at the end. An hour on two
cores; `make mutants`.
"""

import argparse
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from mlx_drmario.cli.bench.against import worktrees
from scripts.mutants import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]


class Copy:
    """A worktree with a Python of its own, which sees this environment's packages but not its mlx_drmario."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        self.stale = True  # the module is not that of the sources
        self.python = tree / ".venv" / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tree / ".venv")], check=True)
        inside = tree / ".venv" / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
        # Plain paths: .pth files found there, an editable install's among them, are not run.
        (inside / "borrowed.pth").write_text("".join(f"{path}\n" for path in sys.path if path.endswith(inside.name)))
        for tool in ("cmake", "ninja"):
            (tree / ".venv" / "bin" / tool).symlink_to(Path(sys.executable).parent / tool)

    def build(self) -> bool:
        """Compile the module into the tree's package; False when it does not compile."""
        build, tools = self.tree / "build" / "module", Path(sys.executable).parent
        cmake = [str(tools / "cmake"), "-S", str(self.tree), "-B", str(build), "-G", "Ninja"]
        cmake += [f"-DCMAKE_MAKE_PROGRAM={tools / 'ninja'}", f"-DPython_EXECUTABLE={self.python}"]
        cmake += ["-DCMAKE_BUILD_TYPE=Release"]
        for command in (cmake, [str(tools / "cmake"), "--build", str(build)]):
            if subprocess.run(command, capture_output=True, check=False).returncode != 0:
                return False
        for made in (*build.glob("_core*.so"), *build.glob("libmlxdm_blas*")):
            (self.tree / "mlx_drmario" / made.name).write_bytes(made.read_bytes())
        self.stale = False
        return True

    def test(self, tests: str) -> str:
        """What the tests say when they fail, empty when they pass."""
        command = [str(self.python), "-m", "pytest", "-q", "-x", "-m", "not slow", "-p", "no:cacheprovider", tests]
        environment = {**os.environ, "PYTHONPATH": str(self.tree), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                command, cwd=self.tree, env=environment, capture_output=True, text=True, check=False, timeout=1200
            )
        except subprocess.TimeoutExpired:
            return "not over after 20 minutes"  # what hangs does not pass
        return done.stdout[-4000:] + done.stderr[-1000:] if done.returncode else ""

    def kills(self, mutant: Mutant) -> bool:
        """Whether the tests that the mutant names fail with it (or it does not compile)."""
        file = self.tree / mutant.file
        text = file.read_text()
        if text.count(mutant.old) != 1:
            raise ValueError(f"the text of '{mutant.name}' occurs {text.count(mutant.old)} times in {mutant.file}")
        compiled = mutant.file.startswith(("engine/", "planner/"))
        self.stale |= compiled
        file.write_text(text.replace(mutant.old, mutant.new))
        try:
            return (self.stale and not self.build()) or self.test(mutant.test) != ""
        finally:
            file.write_text(text)
            self.stale |= compiled


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="only faults whose name or file contains this word")
    parser.add_argument("--list", action="store_true", help="only name them")
    options = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if options.only in mutant.name or options.only in mutant.file]
    if options.list:
        print("\n".join(f"{mutant.file:40} {mutant.name}" for mutant in chosen))
        return 0
    survived = 0
    with worktrees(ROOT, ["HEAD"]) as (tree,):
        os.environ["TMPDIR"] = str(tree.parent)  # of what the tests leave behind
        tempfile.tempdir = None
        copy = Copy(tree)
        if not copy.build():
            raise OSError("the tree does not build without a fault")
        for test in sorted({mutant.test for mutant in chosen}):
            if problem := copy.test(test):
                raise OSError(f"{test} fails without a fault:\n{problem}")
        for index, mutant in enumerate(chosen, 1):
            start = time.monotonic()
            killed = copy.kills(mutant)
            survived += not killed
            verdict = "killed" if killed else "SURVIVED"
            print(f"{index:3}/{len(chosen)} {verdict:8} {time.monotonic() - start:5.0f} s  {mutant.name}", flush=True)
    print(f"{len(chosen)} faults, {survived} survived")
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main())
