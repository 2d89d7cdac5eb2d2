"""The measuring half of `against`: a process in which mlx_drmario is the build of one commit.

Run as a script. `worker.py SITE` measures what it is told on stdin, one JSON object a line. `worker.py SITE STEPS`
plays STEPS times eight decisions of 64 games and ends, for a counter of instructions. SITE is where the package was
installed, or - for what `import mlx_drmario` finds by itself.
"""

import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any


def use_package_of(site: str) -> None:
    """Let `import mlx_drmario` find what was installed in `site`, although an editable install may be here as well."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if "ScikitBuild" not in type(finder).__name__]
    sys.path.insert(0, site)
    found = importlib.import_module("mlx_drmario").__file__
    if found is None or not Path(found).is_relative_to(site):
        raise ImportError(f"mlx_drmario comes from {found}, not from {site}")


def serve(cases: Any) -> None:
    """Answer every request {"name", "seconds"} with {"units", "wall", "cpu"} or {"error"}; work is prepared once."""
    by_name = {case.name: case for case in cases.CASES}
    prepared: dict[str, Any] = {}
    for line in sys.stdin:
        request = json.loads(line)
        name = request["name"]
        try:
            if name not in prepared:
                prepared.clear()  # one case at a time, so that none pays for the memory of another
                prepared[name] = by_name[name].make()
                prepared[name]()  # warm up
            answer = asdict(cases.time_work(prepared[name], request["seconds"]))
        except (AttributeError, TypeError, ValueError, KeyError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


def main() -> None:
    """See the top of this file."""
    site = sys.argv[1]
    if site != "-":
        use_package_of(site)
    cases = importlib.import_module("cases")  # the file beside this one, which is why it imports nothing of ours
    if len(sys.argv) == 2:
        serve(cases)
        return
    work = cases.random_play(64, 1)
    for _ in range(int(sys.argv[2])):
        work()


if __name__ == "__main__":
    main()
