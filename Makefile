# Everything starts here; each target does its own set-up.
#   make run [SONG=path] [ARGS=…]  separate a song (without SONG: the bundled demo, with its scores) into ./stems
#   make test                      build and run all tests
#   make test-asan                 the same under AddressSanitizer and UndefinedBehaviorSanitizer
#   make bench                     build and run the benchmarks
#   make install [PREFIX=…] [DESTDIR=…]
#   make check-headers             every public header compiles by itself
#   make tidy                      clang-tidy on every source
#   make build | format | check-format | clean
PREFIX ?= /usr/local
BUILD = build/release
UNBRAID = $(BUILD)/bin/unbraid
export SONG

.PHONY: build program run test test-asan bench install check-headers tidy format check-format clean packages

build: packages $(BUILD)/build.ninja
	@cmake --build --preset release

program: packages $(BUILD)/build.ninja
	@cmake --build --preset release --target unbraid_program

packages:
	@tools/install_packages

# Configured once; from then on the build itself notices changed CMake files.
build/%/build.ninja: | packages
	@cmake --preset $* --log-level=WARNING

run: program
ifeq ($(SONG),)
	@$(UNBRAID) separate demo/mixture.flac -o stems --overwrite $(ARGS)
	@echo "The stems are in stems/mixture. How close they come to the true ones in demo, in dB:"
	@$(UNBRAID) evaluate --reference demo --estimate stems/mixture
else
	@$(UNBRAID) separate "$$SONG" -o stems --resume $(ARGS)
endif

test: build
	@ctest --preset release -j 2

test-asan: packages build/asan/build.ninja
	@cmake --build --preset asan
	@ctest --preset asan -j 2

bench: build
	@for program in $(BUILD)/bin/bench_*; do echo "== $$program"; $$program || exit 1; done
	@for script in $(wildcard bench/compare_*); do echo "$$script runs a reference program beside ours; it says what it needs"; done

install: build
	@cmake --install $(BUILD) --prefix "$(PREFIX)"

check-headers: packages $(BUILD)/build.ninja
	@cmake --build --preset release --target check_headers

tidy:
	@tools/install_packages clang-tidy
	@cmake --preset tidy --log-level=WARNING
	@cmake --build --preset tidy

SOURCES = git ls-files '*.cpp' '*.hpp' '*.h'
format check-format:
	@tools/install_packages clang-format
	@$(SOURCES) | xargs clang-format $(if $(filter format,$@),-i,--dry-run -Werror)

clean:
	@rm -rf build
