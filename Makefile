# Everything starts here; each target does its own set-up.
#   make run [SONG=path] [ARGS=…]  separate a song (without SONG: the bundled demo) into ./stems
#   make test                      build and run all tests
#   make build | bench | test-asan | install [PREFIX=/usr/local] | clean
PREFIX ?= /usr/local
BUILD = build/release

.PHONY: build run test test-asan bench install clean packages

packages:
	@tools/install_packages

build: packages
	@cmake --preset release --log-level=WARNING -DCMAKE_INSTALL_PREFIX=$(PREFIX)
	@cmake --build --preset release

test: build
	@ctest --preset release -j 2

test-asan: packages
	@cmake --preset asan --log-level=WARNING -DUNBRAID_BENCH=OFF
	@cmake --build --preset asan
	@ctest --preset asan -j 2

install: build
	@cmake --install $(BUILD)

clean:
	@rm -rf build
