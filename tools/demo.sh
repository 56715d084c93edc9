#!/usr/bin/env bash
# The main job on a real local model: ingest documents, profile the research agent, load it at 1, 2, 4 and 8 users, say how many
# users it can carry. Usage: demo.sh OUT_DIR   (about 6 minutes on 2 cores)
set -euo pipefail
out=${1:-demo-out}
here=$(cd "$(dirname "$0")/.." && pwd)
plimsoll=$here/build/plimsoll
config=$here/examples/research/eval_config.yml
export PLIMSOLL_MODELS=${PLIMSOLL_MODELS:-$here/.models}
mkdir -p "$out"
export PLIMSOLL_COLLECTION=$out/research.db

step() { printf '\n== %s\n' "$*"; }

step "1/4 ingest $(basename "$(dirname "$config")")/corpus"
"$plimsoll" ingest --config_file "$config" --folder "$here/examples/research/corpus" --collection "$PLIMSOLL_COLLECTION"

step "2/4 eval: run the agent and profile it"
"$plimsoll" eval --config_file "$config" --override eval.general.output_dir "$out/eval"

step "3/4 sizing: 1, 2, 4 and 8 users at once"
"$plimsoll" sizing calc --config_file "$config" --calc_output_dir "$out/sizing" --concurrencies 1,2,4,8 --num_passes 2 \
    --target_users 200 --target_workflow_runtime 60 --test_gpu_count 1

step "4/4 report"
"$plimsoll" report --eval_dir "$out/eval" --sizing_dir "$out/sizing" --output "$out/report.html"
