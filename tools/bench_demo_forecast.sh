#!/usr/bin/env bash
# How good is the forecast of the demo's agent on the real local model? Measures it at 1, 2 and 4 sessions at once, forecasts 8 and 16, then
# measures these too and prints both. About 15 minutes on a quiet machine with two cores; on a busy one it measures the others' work.
# Wants `make build models`. Usage: bench_demo_forecast.sh [OUT_DIR]
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-.cache/demo_forecast}
config=examples/research/eval_config.yml
export PLIMSOLL_MODELS=${PLIMSOLL_MODELS:-$PWD/.models}
rm -rf "$out"
mkdir -p "$out"
export PLIMSOLL_COLLECTION=$out/research.db

build/plimsoll ingest --config_file "$config" --folder examples/research/corpus --collection "$PLIMSOLL_COLLECTION" >/dev/null
measure() { # FOLDER CONCURRENCIES PASSES
    build/plimsoll sizing calc --config_file "$config" --calc_output_dir "$1" --concurrencies "$2" --num_passes "$3" \
        --override eval.general.profiler.concurrency_spike_analysis.enable false >"$1.txt" 2>&1 || { tail -n 5 "$1.txt" >&2; exit 1; }
}
measure "$out/low" 1,2,4 15
build/plimsoll sizing forecast --runs "$out/low" --limits examples/research/limits.yml --users 8,16 --json >"$out/forecast.json" || [ $? -eq 3 ]
measure "$out/high" 8,16 5
# Read as a forecast reads it: without the first sessions of each run, which start all at once.
build/plimsoll sizing forecast --runs "$out/high" --users 16 --no_hold_out --draws 1 --json >"$out/measured.json" || [ $? -eq 3 ]
python3 - "$out" <<'PYTHON'
import json, sys

forecast, measured = (json.load(open(f"{sys.argv[1]}/{name}.json")) for name in ("forecast", "measured"))
truth = {level["concurrency"]: level for level in measured["measured_levels"]}
if "refused" in forecast:
    print("REFUSED:", forecast["refused"])
for one in forecast["forecasts"]:
    p95, level = one["workflow_p95"], truth[one["users"]]
    line = forecast["nat_linear"].get(str(one["users"]))
    print(f"{one['users']:>3} users: forecast p95 {p95['value']:.1f} s ({p95['low']:.1f} to {p95['high']:.1f}), measured "
          f"{level['measured_p95']:.1f} s over {level['sessions']} sessions: {100 * (p95['value'] / level['measured_p95'] - 1):+.0f} %"
          + (f"; NAT's line {100 * (line / level['measured_p95'] - 1):+.0f} %" if line else ""))
if forecast.get("holdout"):
    print(f"held out {forecast['holdout']['concurrency']}: {100 * forecast['holdout']['error']:+.1f} %")
PYTHON
