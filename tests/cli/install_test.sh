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
# The model that comes with it is whole, and is what separates when nobody says how.
if [ -e "$(dirname "$program")/../lib/libunbraid_nn.so" ]; then
  prefix/bin/unbraid models verify default -q >/dev/null || fail "the installed default model is not sound"
  prefix/bin/unbraid separate "$demo" -o stems_default -q --json | has '"method":"default"' || fail "default is not what separates"
  prefix/bin/unbraid evaluate -r "$repository/demo" -e stems_default/mixture --metrics sdr -q >scores || fail "its stems get no scores"
  awk '$1 == "vocals" && $2 > 5 { good = 1 } END { exit !good }' scores || fail "its vocals are no vocals: $(cat scores)"
fi
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
cat >app.c <<'END'
#include <stdio.h>
#include <unbraid/unbraid.h>

int main(int count, char** arguments) {
  unbraid_context* context = NULL;
  unbraid_method* method = NULL;
  if (count != 3 || unbraid_context_open(1, &context) != UNBRAID_OK || unbraid_method_open("lowpass", &method) != UNBRAID_OK ||
      unbraid_separate_file(context, method, arguments[1], arguments[2], NULL) != UNBRAID_OK) {
    fprintf(stderr, "%s\n", unbraid_last_error());
    return 1;
  }
  unbraid_method_close(method);
  unbraid_context_close(context);
  return 0;
}
END
pc=$(find prefix -name unbraid.pc -printf '%h')
export PKG_CONFIG_PATH=$pc
LD_LIBRARY_PATH=$(pkg-config --variable=libdir unbraid)
export LD_LIBRARY_PATH
# shellcheck disable=SC2046
c++ app.cpp -o app $(pkg-config --cflags --libs unbraid) || fail "an application does not compile"
./app || fail "an application does not run"
# shellcheck disable=SC2046
cc -std=c99 -pedantic -Wall -Wextra -Werror app.c -o app_c $(pkg-config --cflags unbraid | sed 's/-std=c++20//') $(pkg-config --libs unbraid) ||
  fail "an application in C does not compile"
./app_c "$demo" from_c || fail "an application in C does not run"
prefix/bin/unbraid separate "$demo" -m lowpass -o cpp -q >/dev/null
cmp from_c/low.flac cpp/mixture/low.flac || fail "C and the program give different stems"
echo "install: fine"
