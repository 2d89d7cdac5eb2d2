#!/usr/bin/env bash
# What each part of learning from search brings: small networks, short runs, validation games of levels 5, 12 and 20.
#
#   scripts/runs/clone.sh [seed]      # runs/clone-parts/NAME-SEED; docs/LOG.md has the table
#
# About 4 CPU minutes a row. What is there already is kept.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PWD/.venv/bin:$PATH
seed=${1:-0}
out=runs/clone-parts
small=(--decisions "${DECISIONS:-65536}" --net.width 16 --net.depth 1 --net.summary 64 --net.hidden 64 --clone.teacher 2ply)

row() { # NAME OPTION...
    local run="$out/$1-$seed"
    shift
    [ -e "$run/eval.json" ] && return
    rm -rf "$run"
    mkdir -p "$out"
    drmario train clone "${small[@]}" --seed "$seed" --out "$run" "$@" >/dev/null
    drmario eval --policy "$run" --levels 5,12,20 --seeds 100 --no-baselines --json "$run/eval.partial" | grep -v "^$" |
        sed "s|^|$(basename "$run")  |"
    mv "$run/eval.partial" "$run/eval.json" # all levels are in it
}

row soft
row choice --clone.temperature 0
row focal --clone.temperature 0 --clone.focal 2
row smooth --clone.temperature 0 --clone.smoothing 0.1
row balance --clone.balance
row colors --net.no-canonical-colors
row own --clone.follow 1
row once --clone.retries 0
row outcome --net.head outcome
