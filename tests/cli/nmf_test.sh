#!/usr/bin/env bash
# unbraid train nmf, the methods that need a file, and --post: from a synthetic dataset to stems.
source "$(dirname "$0")/harness.sh"
needs_soundfont

files() { (cd "$1" && ls) | grep -v manifest | tr '\n' ' '; }

"$program" synth --compose 2 --seed 2 --length 4 --rate 16000 -q -o songs
track=songs/Track00001
mix=$(ls $track/mix.*)

"$program" train nmf songs -o dictionary.safetensors --stems Drums,Bass --components 8 --iterations 20 -q --json >learnt.json
grep -q '"schema":"unbraid.train_nmf/1"' learnt.json || fail "no schema: $(cat learnt.json)"
"$program" train nmf songs -o again.safetensors --stems Drums,Bass --components 8 --iterations 20 -q --threads 1 >text.txt
cmp dictionary.safetensors again.safetensors || fail "a dictionary depends on the number of threads"
grep -q 'Drums, Bass, from 2 tracks' text.txt || fail "it says $(cat text.txt)"
refuses 1 'exists already' train nmf songs -o again.safetensors
refuses 1 'is heard in none' train nmf songs -o other.safetensors --stems Bagpipe
refuses 2 'required' train nmf songs

"$program" separate "$mix" -m nmf_supervised --param dictionary=dictionary.safetensors --param free_components=4 \
  --param iterations=5 --format wav -o supervised -q
[ "$(files supervised/mix)" = "Bass.wav Drums.wav rest.wav " ] || fail "supervised stems are $(files supervised/mix)"
refuses 2 'dictionary: must be given' separate "$mix" -q -m nmf_supervised -o none
refuses 1 'not a checkpoint' separate "$mix" -q -m nmf_supervised --param dictionary="$mix" -o none

"$program" separate "$mix" -m nmf_score --param score=$track/all_src.mid --param iterations=3 --format wav -o score -q
[ -f score/mix/Drums.wav ] && [ -f score/mix/Bass.wav ] || fail "score stems are $(files score/mix)"
"$program" benchmark songs -m 'nmf_score:score=songs/{track}/all_src.mid:iterations=3' --metrics si_sdr --rank-by si_sdr \
  -q --json >bench.json
grep -q '"Drums"' bench.json || fail "the benchmark has no score of the drums: $(cat bench.json)"

for stage in wiener_em griffin_lim; do
  "$program" separate "$mix" -m hpss --post $stage --format wav -o $stage -q
  [ "$(files $stage/mix)" = "harmonic.wav percussive.wav " ] || fail "$stage: $(files $stage/mix)"
  grep -q "hpss+$stage" $stage/mix/manifest.json || fail "the manifest does not name the stage"
done
refuses 2 'not in' separate "$mix" --post magic -o none
echo ok
