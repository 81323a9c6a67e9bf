# What every command-line test starts with: strict mode, the program, an empty folder to be in, and checks that say what
# went wrong.
#
#   source "$(dirname "$0")/harness.sh"
#   needs_soundfont
#   "$program" synth --compose 1 -o songs -q
#   refuses 2 'no such mask' oracle songs --masks best
#
# A test is called with the path of the program. Exit status 77 means skipped, and the last line says why.
set -euo pipefail
program=$(realpath "$1")
repository=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
fixtures=$(realpath -m "${UNBRAID_FIXTURES:-${UNBRAID_FIXTURES_DEFAULT:-none}}")
folder=$(mktemp -d)
at_exit() { :; } # a test that leaves more behind than the folder says here how to clean it up
trap 'at_exit || true; rm -rf "$folder"' EXIT
cd "$folder"

fail() {
  echo "FAILED: $1"
  [ ! -s stderr ] || sed 's/^/  stderr: /' stderr
  exit 1
}

skip() {
  echo "skipped: $1"
  exit 77
}

needs_soundfont() {
  [ -f /usr/share/sounds/sf2/FluidR3_GM.sf2 ] || skip "no FluidR3_GM.sf2 (apt install fluid-soundfont-gm)"
}

needs_torch() {
  compgen -G "$(dirname "$program")/../lib/libunbraid_nn.so" >/dev/null || skip "built without libtorch"
}

needs_fixtures() { # needs_fixtures FOLDER
  [ -d "$fixtures/$1" ] || skip "no $fixtures/$1 (set UNBRAID_FIXTURES)"
}

# grep that reads to the end: one that stops early can break the pipe, and pipefail would call that a failure.
has() { grep "$@" | cat >/dev/null; }

# refuses STATUS PATTERN argument…: that exit status and one line on standard error that matches the extended regular
# expression. The files stdout and stderr keep what the program said.
refuses() {
  local expected=$1 pattern=$2 status=0
  shift 2
  "$program" "$@" -q >stdout 2>stderr </dev/null || status=$?
  [ "$status" = "$expected" ] || fail "'$*' ends with $status, not $expected"
  [ "$(wc -l <stderr)" = 1 ] || fail "'$*' does not say one line"
  has -E -- "$pattern" stderr || fail "'$*' does not say '$pattern'"
}
