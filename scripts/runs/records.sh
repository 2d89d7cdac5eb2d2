#!/usr/bin/env bash
# The fastest lines of levels 0 to 20 at HI with the seed known: a narrow beam for many seeds, wider ones for the best.
#
#   scripts/runs/records.sh [seeds per level]   # 300 by default, spread over the training seeds; "all" takes all 32,767
#
# Stopped and started again it goes on where it was (runs/records). docs/records/ gets the lines, docs/LOG.md the times.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PWD/.venv/bin:$PATH
seeds=${1:-300}
limit=(--seeds "$seeds")
[ "$seeds" = all ] && limit=()
for level in $(seq 0 20); do
    nice -n 10 python scripts/known_seeds.py "$level" ${limit[@]+"${limit[@]}"}
done
