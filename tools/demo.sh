#!/usr/bin/env bash
# The main job on a real local model: ingest documents, profile the research agent, load it at 1, 2, 4 and 8 users, say how many
# users it can carry and forecast 64, 100 and 200. Usage: demo.sh OUT_DIR   (about 3 minutes on 2 quiet cores)
set -euo pipefail
out=${1:-demo-out}
here=$(cd "$(dirname "$0")/.." && pwd)
plimsoll=$here/build/plimsoll
config=$here/examples/research/eval_config.yml
export PLIMSOLL_MODELS=${PLIMSOLL_MODELS:-$here/.models}
mkdir -p "$out"
export PLIMSOLL_COLLECTION=$out/research.db

step() { printf '\n== %s\n' "$*"; }

step "1/5 ingest $(basename "$(dirname "$config")")/corpus"
"$plimsoll" ingest --config_file "$config" --folder "$here/examples/research/corpus" --collection "$PLIMSOLL_COLLECTION"

step "2/5 eval: run the agent and profile it"
"$plimsoll" eval --config_file "$config" --override eval.general.output_dir "$out/eval"

step "3/5 sizing: 1, 2, 4 and 8 users at once"
"$plimsoll" sizing calc --config_file "$config" --calc_output_dir "$out/sizing" --concurrencies 1,2,4,8 --num_passes 3 \
    --min_sessions 16 --target_users 200 --target_workflow_runtime 60 --test_gpu_count 1

step "4/5 forecast: 64, 100 and 200 users, from what was measured"
# Where the measurement cannot carry the answer the forecast says so and why, with exit code 3: that is an answer too.
"$plimsoll" sizing forecast --runs "$out/sizing" --limits "$(dirname "$config")/limits.yml" --users 64,100,200 \
    --slo "p95 workflow < 60s" --output_dir "$out/forecast" || { code=$?; [ "$code" = 3 ] || exit "$code"; }

step "5/5 report"
"$plimsoll" report --eval_dir "$out/eval" --sizing_dir "$out/sizing" --forecast_dir "$out/forecast" --output "$out/report.html"
