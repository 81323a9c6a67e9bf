#!/usr/bin/env bash
# unbraid mix: mixtures by a recipe; any item alone, in any order, with any number of threads; wrong input gives one line.
source "$(dirname "$0")/harness.sh"
needs_soundfont

"$program" synth --compose 3 --length 4 --rate 8000 -o songs --quiet
cat >recipe.yaml <<'YAML'
sources: {path: songs, submix: four_stems}
stems: [Bass, Drums, residuals]
seed: 4
count: 6
duration_s: 2
sample_rate: 8000
event:
  source_time: [uniform, 0, 7]
  snr: [uniform, -5, 5]
  pitch_shift: [uniform, -2, 2]
  time_stretch: [uniform, 0.8, 1.2]
  effects: [{reverb: {probability: 0.5}}, eq]
YAML
"$program" mix recipe.yaml -o all --threads 1 >stdout
grep -qx 'all: 6 mixtures of 2 s' stdout || fail "prints '$(cat stdout)'"
"$program" mix recipe.yaml -o parallel --threads 3 --quiet
diff -r all parallel || fail "mixtures depend on the number of threads"
"$program" mix recipe.yaml -o some --items 5,2-3 --quiet
for item in 000002 000003 000005; do diff -r "all/$item" "some/$item" || fail "item $item differs when made alone"; done
[ "$(ls some)" = "$(printf '000002\n000003\n000005\nmanifest.json')" ] || fail "--items made '$(ls some)'"
[ "$(ls all/000000)" = "$(printf 'Bass.wav\nDrums.wav\nmixture.jams\nmixture.wav\nresiduals.wav')" ] ||
  fail "an item holds '$(ls all/000000)'"
grep -q '"namespace": "scaper"' all/000000/mixture.jams || fail "no annotation"
"$program" mix recipe.yaml -o flac --items 0 --format flac --bit-depth 16 --json >report.json
grep -q '"schema": "unbraid.mix/1"' report.json || fail "no JSON document"
[ -f flac/000000/mixture.flac ] || fail "no FLAC mixture"

# Interrupted runs go on; another recipe is refused.
rm -r all/000004
"$program" mix recipe.yaml -o all --quiet
diff -r all parallel || fail "a continued run differs"

change() { # change SED-EXPRESSION: the recipe with one mistake
  sed "$1" recipe.yaml >wrong.yaml
  cmp -s recipe.yaml wrong.yaml && fail "'$1' changes nothing"
  return 0
}
refuses 2 "another recipe, seed or format" mix recipe.yaml -o all --seed 5
refuses 2 "no item 6" mix recipe.yaml -o x --items 6
refuses 2 "is not a list" mix recipe.yaml -o x --items 1,two
refuses 2 "is no range" mix recipe.yaml -o x --items 5-2
refuses 1 "no such recipe" mix nowhere.yaml -o x
refuses 2 "output" mix recipe.yaml
refuses 2 "FLAC holds no floating-point" mix recipe.yaml -o x --format flac
change 's/seed/sead/'
refuses 2 "wrong.yaml: line 3: a recipe has no 'sead'" mix wrong.yaml -o x
change 's/uniform, -5/unifrom, -5/'
refuses 2 "wrong.yaml: line 9: no distribution is called 'unifrom'" mix wrong.yaml -o x
change 's/Bass/Kazoo/'
refuses 1 "no track has a stem 'Kazoo'" mix wrong.yaml -o x
change 's/path: songs/path: nowhere/'
refuses 1 "nowhere" mix wrong.yaml -o x
change 's/stems:.*/stems: [/'
refuses 1 "is no YAML" mix wrong.yaml -o x
[ ! -e x ] || fail "a refused command left files behind: $(find x)"
