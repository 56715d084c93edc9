#!/usr/bin/env bash
# Load generators against the same server in one run: plimsoll load, aiperf and locust, and vllm-bench where $VLLM_BENCH names its program.
# Wants build/truth_server: cmake --preset release -DPLIMSOLL_BENCH=ON && ninja -C build truth_server plimsoll
# The peers come from PyPI into .cache/load_peers (virtual environments of their own, removed by deleting the folder).
set -euo pipefail
cd "$(dirname "$0")/.."

AIPERF=0.13.0
LOCUST=2.47.0
venvs=.cache/load_peers
[ -x build/truth_server ] || { echo "build/truth_server is missing; see the head of $0" >&2; exit 1; }

install() {
    "$venvs/$1/bin/python" -c "import importlib.metadata as m; assert m.version('$1') == '$2'" 2>/dev/null && return
    python3 -m venv "$venvs/$1"
    "$venvs/$1/bin/pip" install --quiet "$1==$2"
}
install aiperf "$AIPERF"
install locust "$LOCUST"
python3 bench/peers/load_peers.py build "$venvs" "$@"
