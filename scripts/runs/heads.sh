#!/usr/bin/env bash
# Which policy head learns fastest, and how fast should the outcome weights move? Four heads on one encoder, the outcome
# head also with other scales, equal decisions, games of levels 0 to 5 HI, one core; then the seeds of the outcome head
# as one player. What is chosen by this is chosen on validation games: every policy plays the same 200 per level.
#
#   scripts/runs/heads.sh [directory]      # runs/heads by default; started again, it goes on where it was stopped
#   SEEDS="0 1 2 3" scripts/runs/heads.sh
#
# docs/LOG.md has the results and docs/heads.png the figure that scripts/heads_table.py draws from them.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${1:-runs/heads}
decisions=${DECISIONS:-131072}
games=${GAMES:-200}
read -r -a seeds <<<"${SEEDS:-0 1 2}"
settings() { # NAME; a function, for macOS has a bash without associative arrays
    case $1 in
        outcome_scale_*) echo "--net.head outcome --net.outcome-scale ${1##*_}" ;;
        *) echo "--net.head $1" ;;
    esac
}
PATH=$PWD/.venv/bin:$PATH
mkdir -p "$out"

evaluate() { # policy, directory for the result
    [ -d "$2" ] && return
    rm -rf "$2.partial" # its files grow level by level
    drmario eval --policy "$1" --split validation --levels 0-5 --speed hi --seeds "$games" --max-decisions 300 \
        --no-baselines --out "$2.partial"
    mv "$2.partial" "$2"
}

members=()
for seed in "${seeds[@]}"; do
    for name in outcome outcome_scale_1 outcome_scale_32 shift_score dense factorized; do
        run=$out/$name-$seed
        if [ ! -f "$run/cpu_seconds" ]; then
            if [ -f "$run/config.json" ]; then
                arguments=(resume "$run")
            else
                read -r -a choice <<<"$(settings "$name")"
                arguments=(level0 --out "$run" --decisions "$decisions" --seed "$seed" --no-compile --shards 1
                    --best.games 0 --env.last-level 5 --env.threads 1 --net.width 16 "${choice[@]}")
            fi
            TIMEFORMAT='%U %S'
            { time drmario train "${arguments[@]}"; } 2>"$run.time"
            # User and system time; what the sessions before took is not known of a run that went on.
            if [ "${arguments[0]}" = resume ]; then echo nan; else tail -1 "$run.time"; fi >"$run/cpu_seconds"
        fi
        evaluate "$run" "$run/evaluation"
    done
    members+=("$out/outcome-$seed")
done
evaluate "ensemble:$(IFS=,; echo "${members[*]}")" "$out/seeds_of_outcome_together-0/evaluation"
python scripts/heads_table.py "$out" --figure "$out/heads.png"
