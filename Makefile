# Every target bootstraps .venv by itself. `make demo` and `make test` are all a newcomer needs.

VENV := .venv
PY := $(VENV)/bin/python
SOURCES := pyproject.toml CMakeLists.txt $(wildcard engine/* planner/*)

# MLX's CPU backend spends much of a large batch in page faults; these glibc settings avoid most (docs/benchmarks.md).
export GLIBC_TUNABLES ?= glibc.malloc.hugetlb=1
export MALLOC_MMAP_MAX_ ?= 0
export MALLOC_TRIM_THRESHOLD_ ?= 17179869184
export MALLOC_TOP_PAD_ ?= 67108864
export MALLOC_ARENA_MAX ?= 1

.PHONY: demo test golden test-slow lint format bench docs clean stubs sanitize tsan cross clang fuzz

demo: $(VENV)/.built
	$(VENV)/bin/drmario demo

# A process per core; the tests of a file stay together, because many share what is costly to make.
test: $(VENV)/.built
	$(PY) -m pytest -m "not slow" -n auto --dist loadfile

# The parity tests on another set of recordings of the retail program (docs/golden.md).
RECORDINGS ?= tests/golden
golden: $(VENV)/.built
	$(PY) -m pytest tests/golden --recordings $(RECORDINGS)

test-slow: $(VENV)/.built
	$(PY) -m pytest -m slow

lint: $(VENV)/.built
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/clang-format --dry-run --Werror $(wildcard engine/*.h engine/*.cpp engine/*.c planner/*.h planner/*.cpp tests/*/*.h tests/*/*.cpp)
	$(PY) scripts/check_tree.py

format: $(VENV)/.built
	$(VENV)/bin/ruff check --fix-only .
	$(VENV)/bin/ruff format .
	$(VENV)/bin/clang-format -i $(wildcard engine/*.h engine/*.cpp engine/*.c planner/*.h planner/*.cpp tests/*/*.h tests/*/*.cpp)

bench: $(VENV)/.built
	$(VENV)/bin/drmario bench

# The pages of docs/ and an API reference from the docstrings, in build/docs; any warning is an error. Nothing in it may
# be fetched from elsewhere when it is read.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --quiet
	! grep -rnE '<(script|img|iframe)[^>]* src="https?:|<link[^>]* rel="(stylesheet|icon|preload)"[^>]*https?:' build/docs --include=*.html
	@echo "build/docs/index.html"

stubs: $(VENV)/.built
	$(PY) -m nanobind.stubgen -m mlx_drmario._core -o mlx_drmario/_core.pyi
	$(VENV)/bin/ruff format mlx_drmario/_core.pyi

# The C++ tests under AddressSanitizer and UndefinedBehaviorSanitizer: a button storm, the planner against its
# reference, decisions by the clock against frames.
sanitize: $(VENV)/.tools
	$(VENV)/bin/cmake -S . -B build/sanitize -G Ninja "-DCMAKE_MAKE_PROGRAM=$(CURDIR)/$(VENV)/bin/ninja" \
	    -DDRM_PYTHON=OFF -DDRM_TESTS=ON -DDRM_SANITIZE=address,undefined >/dev/null
	$(VENV)/bin/cmake --build build/sanitize
	build/sanitize/storm 1000000
	build/sanitize/passes 1000000 1
	build/sanitize/network 100 1
	build/sanitize/test_reach 40
	build/sanitize/warp 10000
	build/sanitize/warp_two 10000
	build/sanitize/test_script 200
	build/sanitize/search_moves 100000
	build/sanitize/run_rounds tests/planner/rounds.txt
	build/sanitize/run_rounds 5000

# Two and six threads on one Batch under ThreadSanitizer (docs/rules-parity.md names the lanes).
tsan: $(VENV)/.tools
	$(VENV)/bin/cmake -S . -B build/tsan -G Ninja "-DCMAKE_MAKE_PROGRAM=$(CURDIR)/$(VENV)/bin/ninja" \
	    -DDRM_PYTHON=OFF -DDRM_TESTS=ON -DDRM_SANITIZE=thread >/dev/null
	$(VENV)/bin/cmake --build build/tsan --target threads
	build/tsan/threads 2 4000
	build/tsan/threads 6 2000

# The C++ core for another processor (Debian: g++-aarch64-linux-gnu qemu-user), run under an emulator: the recordings'
# last digests, the perft counts and a button storm must equal this machine's, bit for bit.
CHECKS := build/checks.bin
CORE := $(VENV)/bin/cmake -G Ninja "-DCMAKE_MAKE_PROGRAM=$(CURDIR)/$(VENV)/bin/ninja" -S . -DDRM_PYTHON=OFF -DDRM_TESTS=ON
cross: $(VENV)/.built
	$(PY) scripts/export_checks.py $(CHECKS)
	$(CORE) -B build/native -DCMAKE_BUILD_TYPE=Release >/dev/null
	$(VENV)/bin/cmake --build build/native --target storm
	$(CORE) -B build/aarch64 -DCMAKE_BUILD_TYPE=Release -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
	    -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_EXE_LINKER_FLAGS=-static >/dev/null
	$(VENV)/bin/cmake --build build/aarch64
	qemu-aarch64 build/aarch64/replay $(CHECKS)
	test "$$(qemu-aarch64 build/aarch64/storm 300000)" = "$$(build/native/storm 300000)"
	qemu-aarch64 build/aarch64/passes 100000 1
	qemu-aarch64 build/aarch64/network 20 1
	qemu-aarch64 build/aarch64/test_reach 20
	qemu-aarch64 build/aarch64/test_script 100

# The same with clang and libc++ (Debian: clang libc++-dev libc++abi-dev), the nearest to Apple clang.
clang: $(VENV)/.built
	$(PY) scripts/export_checks.py $(CHECKS)
	$(CORE) -B build/clang -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ \
	    -DCMAKE_CXX_FLAGS=-stdlib=libc++ >/dev/null
	$(VENV)/bin/cmake --build build/clang
	build/clang/replay $(CHECKS)
	build/clang/network 100 1
	build/clang/test_reach 100
	build/clang/test_script 1000

# Coverage-guided fuzzing under ASan and UBSan (Debian: clang libclang-rt-14-dev), FUZZ_SECONDS each.
FUZZ_SECONDS ?= 600
fuzz: $(VENV)/.tools
	$(CORE) -B build/fuzz -DDRM_FUZZ=ON -DDRM_SANITIZE=address,undefined -DCMAKE_C_COMPILER=clang \
	    -DCMAKE_CXX_COMPILER=clang++ >/dev/null
	$(VENV)/bin/cmake --build build/fuzz --target fuzz_batch fuzz_reach fuzz_round
	mkdir -p build/corpus/batch build/corpus/reach build/corpus/round
	build/fuzz/fuzz_batch -max_total_time=$(FUZZ_SECONDS) -max_len=2048 -artifact_prefix=build/ build/corpus/batch
	build/fuzz/fuzz_reach -max_total_time=$(FUZZ_SECONDS) -max_len=32 -timeout=60 -artifact_prefix=build/ build/corpus/reach
	build/fuzz/fuzz_round -max_total_time=$(FUZZ_SECONDS) -max_len=128 -timeout=60 -artifact_prefix=build/ build/corpus/round

clean:
	rm -rf $(VENV) build

$(VENV)/.tools: pyproject.toml scripts/bootstrap.sh
	scripts/bootstrap.sh $(VENV) dev
	touch $@

$(VENV)/.docs: $(VENV)/.tools
	scripts/bootstrap.sh $(VENV) docs
	touch $@

# An editable install: Python edits are live, C++ edits rebuild incrementally in build/.
$(VENV)/.built: $(VENV)/.tools $(SOURCES)
	$(PY) -m pip --version >/dev/null 2>&1 && installer="$(PY) -m pip" || installer="uv pip"; \
	VIRTUAL_ENV="$(CURDIR)/$(VENV)" $$installer install --quiet --no-build-isolation --no-deps --editable .
	touch $@
