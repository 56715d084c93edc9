#!/usr/bin/env bash
# Installs the Debian packages that building and running Plimsoll needs. Costs nothing when they are there.
set -euo pipefail

packages=(
    clang-19 lld-19 clang-tidy-19 clang-format-19 libclang-rt-19-dev llvm-19 ccache cmake ninja-build pkg-config python3 python3-pip
    libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev libcurl4-openssl-dev libyaml-cpp-dev libcli11-dev libspdlog-dev libfmt-dev
    libsqlite3-dev libcairo2-dev libgumbo-dev libprotozero-dev zlib1g-dev libzstd-dev libgtest-dev libgmock-dev
    libbenchmark-dev poppler-utils fonts-dejavu-core git unzip ca-certificates)
# A machine may carry a newer node of its own; Debian's is wanted only where there is none.
command -v npm >/dev/null || packages+=(npm)

missing=()
for package in "${packages[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ]; then
    sudo=()
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    sudo=(sudo)  # asks for the password where somebody sits at a terminal
else
    echo "Plimsoll needs these Debian packages; run this as root, then make again:" >&2
    echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
fi
echo "installing ${#missing[@]} Debian packages"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${sudo[@]}" apt-get update -q && "${sudo[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    exit 1
fi
