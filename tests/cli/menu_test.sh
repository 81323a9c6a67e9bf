#!/usr/bin/env bash
# unbraid menu: what it asks becomes a command, which is shown and run; the end of the input ends it.
source "$(dirname "$0")/harness.sh"

"$program" menu </dev/null >out || fail "the end of the input is no error"
has 'separate a file' out || fail "no list"

printf '9\n1\nno such song.wav\nhpss\n\nq\n' | "$program" menu >out 2>err || fail "status $?"
has -F "\$ unbraid separate 'no such song.wav' -m hpss -o stems" out || fail "the command is not shown: $(cat out)"
has 'no such song.wav' err || fail "the command did not run"
has 'ended with status' out || fail "the status is not shown"
has 'a number from 1 to' out || fail "a wrong number is taken"

usual=$("$program" models --json | grep -o '"name":"[^"]*"[^{}]*"default":true' | cut -d'"' -f4)
printf '1\nsong.wav\n' | "$program" menu >out 2>err || fail "status $?"
has -F "method or model [$usual]: " out || fail "the menu does not offer $usual: $(cat out)"
printf '2\n' | "$program" menu >out 2>err || fail "status $?"
has 'configuration: ' out || fail "a configuration that is not here is offered: $(cat out)"

"$program" </dev/null >out || fail "without a verb and a terminal"
has 'Usage' out || fail "no help without a terminal"
echo "menu: fine"
