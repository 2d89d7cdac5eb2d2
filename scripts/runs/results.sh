#!/usr/bin/env bash
# The table of docs/results.md: levels 0 to 20 at every speed on test games, as JSON in docs/results/.
#
#   scripts/runs/results.sh [games of the cheap policies]   # 1,000 by default
#
# What is there already is kept, so it goes on where it was stopped. Hours on two cores: `deep` and `memory` take 7 and
# 13 ms a capsule, so they play at HI alone.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PWD/.venv/bin:$PATH
games=${1:-1000}
out=docs/results
mkdir -p "$out"

play() { # NAME POLICY SPEED LEVELS GAMES
    local file="$out/$1-$3${6:-}.json"
    [ -e "$file" ] && return
    echo "$file"
    # The file grows level by level.
    drmario eval --policy "$2" --speed "$3" --levels "$4" --seeds "$5" --split test --no-baselines --json "$file.partial"
    mv "$file.partial" "$file"
}

for speed in hi med low; do
    play greedy greedy "$speed" 0-20 "$games"
    play random random "$speed" 0-20 "$games"
done
play best best hi 20 "${TWENTY:-4096}" -20
play best best hi 0-20 "$games"
if [ -d "${CLONE:=runs/clone}" ]; then # of `drmario train clone --minutes 117`, docs/results.md
    play clone "$CLONE" hi 20 "${TWENTY:-4096}" -20
    play clone "$CLONE" hi 0-19 "$games"
    for speed in med low; do
        play clone "$CLONE" "$speed" 0-20 "$games"
    done
fi
if [ -d "${PPO:=runs/ppo}" ]; then # of `drmario train demo --decisions 4059136 --out runs/ppo`
    for speed in hi med low; do
        play ppo "$PPO" "$speed" 0-20 "$games"
    done
fi
for plies in 1 2 3; do
    for speed in hi med low; do
        play ${plies}ply search:${plies}ply "$speed" 0-20 "$games"
    done
    play ${plies}ply search:${plies}ply hi 20 "${TWENTY:-4096}" -20
done
for speed in hi med low; do
    play sampled search:sampled "$speed" 0-20 "${DEEPEST:-1000}"
done
play sampled search:sampled hi 20 "${TWENTY:-4096}" -20
play deep search:deep hi 20 "${TWENTY:-4096}" -20
play deep search:deep hi 0-19 "${DEEPEST:-1000}"
play memory memory hi 0-19 "${DEEPEST:-1000}"
play memory memory hi 20 "${TWENTY:-4096}" -20
for speed in hi med low; do
    python scripts/known_results.py --out "$out/known-$speed.json" --speed "$speed" --games "$games"
done
for speed in med low; do
    play best best "$speed" 0-20 "$games"
done
