#!/usr/bin/env bash
# unbraid menu: what it asks becomes a command, which is shown and run; the end of the input ends it.
set -euo pipefail
program=$(realpath "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

fail() {
  echo "FAILED: $1"
  exit 1
}

"$program" menu </dev/null >out || fail "the end of the input is no error"
grep 'separate a file' out >matched || fail "no list"

printf '9\n1\nno such song.wav\nhpss\n\nq\n' | "$program" menu >out 2>err || fail "status $?"
grep -F "\$ unbraid separate 'no such song.wav' -m hpss -o stems" out >matched || fail "the command is not shown: $(cat out)"
grep 'no such song.wav' err >matched || fail "the command did not run"
grep 'ended with status' out >matched || fail "the status is not shown"
grep 'a number from 1 to' out >matched || fail "a wrong number is taken"

"$program" </dev/null >out || fail "without a verb and a terminal"
grep 'Usage' out >matched || fail "no help without a terminal"
echo "menu: fine"
