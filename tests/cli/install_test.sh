#!/usr/bin/env bash
# What `make install` puts down works where it lies: program, library, headers, manual page, completion.
source "$(dirname "$0")/harness.sh"
demo=$repository/demo/mixture.flac
build=$(dirname "$(dirname "$program")")

cmake --install "$build" --prefix "$folder/prefix" >/dev/null
"prefix/bin/unbraid" --version | has -E '^[0-9]+\.[0-9]+\.[0-9]+$' || fail "the installed program does not run"
ldd prefix/bin/unbraid | has "libunbraid.*$folder/prefix" || fail "the installed program loads another library"
# Compressed formats come from a plugin, which has to be found where it was installed.
prefix/bin/unbraid separate "$demo" -m lowpass --format m4a -o stems -q >/dev/null || fail "the installed program does not separate"
[ -s stems/mixture/low.m4a ] || fail "the installed program writes no stem"
for file in share/man/man1/unbraid.1 share/bash-completion/completions/unbraid share/zsh/site-functions/_unbraid \
  share/fish/vendor_completions.d/unbraid.fish; do
  [ -s "prefix/$file" ] || fail "$file is missing"
done

if ldd "$program" | has libasan; then
  echo "install: fine (not compiled against: this build needs the sanitizer's run-time library)"
  exit 0
fi
cat >app.cpp <<'END'
#include <unbraid/core/stems.hpp>
#include <unbraid/core/version.hpp>

int main() {
  unbraid::Stems stems({"vocals", "drums"}, 2, 100);
  return stems.at("drums").frames() == 100 && !unbraid::version().empty() ? 0 : 1;
}
END
pc=$(find prefix -name unbraid.pc -printf '%h')
# shellcheck disable=SC2046
c++ app.cpp -o app $(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs unbraid) || fail "an application does not compile"
LD_LIBRARY_PATH=$(PKG_CONFIG_PATH=$pc pkg-config --variable=libdir unbraid) ./app || fail "an application does not run"
echo "install: fine"
