#!/usr/bin/env bash
# unbraid benchmark on a synthetic dataset: the document, the files, resuming, methods with parameters, mistakes.
set -euo pipefail

# grep that reads to the end: one that stops early can break the pipe, and pipefail would call that a failure.
has() { grep "$@" | cat >/dev/null; }
program=$(realpath "$1")
[ -f /usr/share/sounds/sf2/FluidR3_GM.sf2 ] || { echo "no FluidR3_GM.sf2 (apt install fluid-soundfont-gm)"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

fail() {
  echo "FAILED: $1"
  exit 1
}
refuses() { # refuses STATUS PATTERN argument…
  local status=0 expected=$1 pattern=$2
  shift 2
  "$program" "$@" >out.txt 2>err.txt || status=$?
  [ "$status" = "$expected" ] || fail "'$*' ends with $status, not $expected: $(cat err.txt)"
  [ "$(wc -l <err.txt)" = 1 ] || fail "'$*' does not say one line: $(cat err.txt)"
  grep -qE "$pattern" err.txt || fail "'$*' says '$(cat err.txt)'"
}

"$program" synth --compose 2 --seed 2 --length 3 --rate 8000 -q -o songs

"$program" benchmark songs -m hpss,hpss:margin_harmonic=2,lowpass,subband,duet,oracle:irm --metrics si_sdr --rank-by si_sdr \
  -o bench -q --json >bench.json
cmp bench.json bench/benchmark.json || fail "the file is not the document on standard output"
grep -q '"schema": "unbraid.benchmark/1"' bench.json || fail "no schema"
for name in '"mix"' '"oracle:irm"' '"hpss:margin_harmonic=2"' '"Drums"' '"Bass"' '"realtime_factor"'; do
  grep -q "$name" bench.json || fail "the document lacks $name"
done
grep -q 'needs two channels' bench.json || fail "nothing says why duet failed on mono"
for file in report.html benchmark.csv benchmark.md; do [ -s "bench/$file" ] || fail "no $file"; done
grep -q 'Quoted, not measured' bench/report.html || fail "quoted numbers are not marked"

# Resuming computes nothing again and gives the same document; numbers do not depend on threads.
"$program" benchmark songs -m hpss,hpss:margin_harmonic=2,lowpass,subband,duet,oracle:irm --metrics si_sdr --rank-by si_sdr \
  -o bench --resume --threads 1 --json >again.json 2>notes.txt
cmp bench.json again.json || fail "a resumed run differs"
has '12 results taken over' notes.txt || fail "nothing was taken over: $(cat notes.txt)"

"$program" benchmark songs -m lowpass --tracks 1 --metrics sdr --rank-by sdr -q >text.txt
grep -q '^lowpass' text.txt || fail "no table: $(cat text.txt)"

refuses 1 'no such method' benchmark songs -m nonsense
refuses 2 'unknown mask|no such mask|mask' benchmark songs -m oracle:magic
refuses 2 'was not measured' benchmark songs -m lowpass --metrics sdr --rank-by si_sdr
refuses 2 'resuming needs' benchmark songs -m lowpass --resume
refuses 1 'no such' benchmark nowhere -m lowpass
echo ok
