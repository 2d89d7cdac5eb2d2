#!/usr/bin/env bash
# Which policy head learns fastest? Six heads on one encoder, equal decisions, three seeds, games of levels 0 to 5 HI; then
# two ensembles: of five different heads (outcome is shift_score once more, so it is not among them), and of the three
# seeds of the best head. Every policy plays the same 200 test seeds per level.
#
#   scripts/runs/heads.sh [directory]      # runs/heads by default; started again, it goes on where it was stopped
#
# docs/LOG.md (2026-11-21) has the result and docs/heads.png the figure that scripts/heads_table.py draws from it.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${1:-runs/heads}
decisions=${DECISIONS:-131072}
games=${GAMES:-200}
heads=(shift_score outcome dense factorized autoregressive afterstate)
PATH=$PWD/.venv/bin:$PATH
mkdir -p "$out"

evaluate() { # policy, directory for the result
    [ -d "$2" ] && return
    rm -rf "$2.partial" # its files grow level by level
    drmario eval --policy "$1" --levels 0-5 --speed hi --seeds "$games" --max-decisions 300 --no-baselines \
        --out "$2.partial"
    mv "$2.partial" "$2"
}

for seed in 0 1 2; do
    members=()
    for head in "${heads[@]}"; do
        run=$out/$head-$seed
        [ "$head" = outcome ] || members+=("$run")
        # Four minibatches of 128 make one step of 512: an afterstate head needs some 30 times the memory of the others.
        parts=4
        [ "$head" = afterstate ] || parts=1
        if [ ! -f "$run/cpu_seconds" ]; then
            if [ -f "$run/config.json" ]; then
                arguments=(resume "$run")
            else
                arguments=(level0 --out "$run" --decisions "$decisions" --seed "$seed" --no-compile --best.games 0
                    --env.last-level 5 --net.encoder axial --net.width 16 --net.head "$head"
                    --ppo.minibatch $((512 / parts)) --optimizer.accumulate "$parts")
            fi
            TIMEFORMAT='%U %S'
            { time drmario train "${arguments[@]}"; } 2>"$run.time"
            tail -1 "$run.time" >"$run/cpu_seconds" # user and system time (of the last session)
        fi
        evaluate "$run" "$run/evaluation"
    done
    evaluate "ensemble:$(IFS=,; echo "${members[*]}")" "$out/ensemble_of_five-$seed/evaluation"
done
evaluate "ensemble:$out/outcome-0,$out/outcome-1,$out/outcome-2" "$out/outcome_of_three_seeds-0/evaluation"
python scripts/heads_table.py "$out" --figure "$out/heads.png"
