# The front door: `make` builds, `make demo` is the main job, `make test` the tests, `make check` everything.
# Each sets up what it needs on a bare Debian 12 (packages by apt, build, local model); a second run starts in seconds.
.DEFAULT_GOAL := build
.PHONY: build setup models demo test check format-check tidy layers asan tsan fuzz bench clean help

JOBS ?= $(shell nproc)

help:            ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

setup:
	@tools/setup.sh

build: setup     ## build/plimsoll and the tests
	@cmake --preset release >/dev/null
	@cmake --build build -j $(JOBS)

models: setup    ## the local model server and its two models, into .models/ (163 MB)
	@tools/models/setup.sh .models

demo: build models  ## ingest, profile, load and size the example research agent; writes demo-out/report.html
	@tools/demo.sh demo-out

test: build models  ## every test; needs no network
	@cd build && PLIMSOLL_REQUIRE_MODELS=1 ctest --output-on-failure --no-tests=error -j $(JOBS)

check: test format-check tidy asan tsan  ## test (which lints the pages) + format + clang-tidy + sanitizers

format-check: setup
	@git ls-files '*.cpp' '*.h' | grep -v '^tools/models/' | xargs clang-format-19 --dry-run -Werror

tidy: build
	@tools/tidy.py build $(JOBS)

asan tsan: models
	@cmake --preset $@ >/dev/null
	@cmake --build build-$@ -j $(JOBS)
	@cd build-$@ && LSAN_OPTIONS=suppressions=$(CURDIR)/tests/lsan.supp:print_suppressions=0 TSAN_OPTIONS=suppressions=$(CURDIR)/tests/tsan.supp \
	    PLIMSOLL_REQUIRE_MODELS=1 ctest --output-on-failure --no-tests=error -j $(JOBS)

FUZZ_SECONDS ?= 60
fuzz: setup      ## every fuzz target for FUZZ_SECONDS
	@cmake --preset fuzz >/dev/null
	@cmake --build build-fuzz -j $(JOBS)
	@for f in build-fuzz/*_fuzz; do echo "$$f"; $$f -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048 -verbosity=0 || exit 1; done

bench: setup     ## benchmarks; results belong into docs/benchmarks.md
	@cmake --preset release -DPLIMSOLL_BENCH=ON >/dev/null
	@cmake --build build -j $(JOBS)
	@bench/run.sh

clean:
	@rm -rf build build-*
