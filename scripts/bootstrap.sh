#!/bin/sh
# bootstrap.sh VENV GROUP: makes VENV with the project's dependencies and those of a dependency group of pyproject.toml
# ('dev' builds, runs and tests; 'docs' makes the site): with uv when it is there, else with the newest Python >= 3.11 on
# the PATH (stock macOS ships 3.9 only).
set -eu
venv=$1
group=$2

find_python() {
    for name in python3.14 python3.13 python3.12 python3.11 python3 python; do
        if "$name" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' >/dev/null 2>&1; then
            echo "$name"
            return
        fi
    done
}

if ! command -v c++ >/dev/null 2>&1 && ! command -v g++ >/dev/null 2>&1 && ! command -v clang++ >/dev/null 2>&1; then
    echo "mlx_drmario needs a C++20 compiler: 'xcode-select --install' on macOS, 'apt-get install g++' on Debian." >&2
    exit 1
fi

if command -v uv >/dev/null 2>&1; then
    [ -x "$venv/bin/python" ] || uv venv --quiet --seed --python '>=3.11,<3.15' "$venv"
    install="uv pip install --quiet --python $venv/bin/python"
else
    python=$(find_python)
    if [ -z "$python" ] && [ ! -x "$venv/bin/python" ]; then
        echo "mlx_drmario needs Python 3.11 to 3.14 with venv: install uv, or 'brew install python' on macOS, or" \
            "'apt-get install python3 python3-dev python3-venv' on Debian." >&2
        exit 1
    fi
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
    install="$venv/bin/python -m pip install --quiet --disable-pip-version-check"
fi

has_header='import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))'
if [ "$group" = dev ] && ! "$venv/bin/python" -c "$has_header"; then
    echo "mlx_drmario compiles a module, and the Python of $venv has no Python.h: 'apt-get install python3-dev' on" \
        "Debian." >&2
    exit 1
fi

requirements=$(mktemp)
trap 'rm -f "$requirements"' EXIT
"$venv/bin/python" - "$group" >"$requirements" <<'PYTHON'
import sys
import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)
print("\n".join(project["project"]["dependencies"] + project["dependency-groups"][sys.argv[1]]))
PYTHON
echo "Installing the dependencies into $venv (group $group, once; about a minute)" >&2
$install -r "$requirements"
