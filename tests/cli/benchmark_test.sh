#!/usr/bin/env bash
# unbraid benchmark on a synthetic dataset: the document, the files, resuming, methods with parameters, mistakes.
source "$(dirname "$0")/harness.sh"
needs_soundfont

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

# Two files of one name are two methods; a name that is repeated is one.
mkdir a b
echo 'ensemble: {members: [{model: hpss}]}' >a/recipe.yaml
echo 'ensemble: {members: [{model: lowpass}]}' >b/recipe.yaml
"$program" benchmark songs -m a/recipe.yaml,b/recipe.yaml,a/recipe.yaml --tracks 1 --metrics sdr --rank-by sdr -q >text.txt
[ "$(grep -c '^recipe.yaml' text.txt)" = 1 ] && [ "$(grep -c '^b/recipe.yaml' text.txt)" = 1 ] || fail "not two methods: $(cat text.txt)"

refuses 2 'no such method' benchmark songs -m nonsense
refuses 2 'did you mean hpss' benchmark songs -m lowpass,hpps
refuses 2 'unknown mask|no such mask|mask' benchmark songs -m oracle:magic
refuses 2 'is not measured' benchmark songs -m lowpass --metrics sdr --rank-by si_sdr -o unranked
[ ! -e unranked ] || fail "it separated before it said that nothing ranks the methods"
refuses 2 'was not measured' benchmark songs -m lowpass --metrics si_sdr --rank-by si_sdr_seed
refuses 2 'resuming needs' benchmark songs -m lowpass --resume
refuses 1 'no such' benchmark nowhere -m lowpass
echo ok
