#!/usr/bin/env bash
# Runs the same graphs in LangGraph and here, one after the other, and prints ours, theirs and the ratio.
# Wants build/graph_bench: cmake --preset release -DPLIMSOLL_BENCH=ON && ninja -C build graph_bench
# LangGraph comes from PyPI into .cache/langgraph (its own virtual environment, removed by deleting the folder).
set -euo pipefail
cd "$(dirname "$0")/.."

LANGGRAPH=1.2.22
venv=.cache/langgraph
[ -x build/graph_bench ] || { echo "build/graph_bench is missing; see the head of $0" >&2; exit 1; }

if ! "$venv/bin/python" -c "import importlib.metadata as m; assert m.version('langgraph') == '$LANGGRAPH'; import langgraph.checkpoint.sqlite" 2>/dev/null; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet "langgraph==$LANGGRAPH" langgraph-checkpoint-sqlite
fi

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
# A process each: one scenario's garbage must not become another one's memory.
for scenario in $("$venv/bin/python" bench/peers/langgraph_bench.py); do
    "$venv/bin/python" bench/peers/langgraph_bench.py "$scenario" >>"$results/theirs"
    build/graph_bench --benchmark_filter="^peer_$scenario(/|$)" --benchmark_format=json >"$results/$scenario.json" 2>/dev/null
done
"$venv/bin/python" bench/peers/compare.py "$results"
