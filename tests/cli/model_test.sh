#!/usr/bin/env bash
# unbraid separate -m WEIGHTS and models parity: a published checkpoint through the program; wrong input gives one line.
set -euo pipefail
program=$(realpath "$1")
fixtures=${UNBRAID_FIXTURES:-${UNBRAID_FIXTURES_DEFAULT:-}}
[ -d "$fixtures/models/mdx23c" ] || { echo "no $fixtures/models/mdx23c (set UNBRAID_FIXTURES)"; exit 77; }
compgen -G "$(dirname "$program")/../lib/libunbraid_nn.so" >/dev/null || { echo "built without libtorch"; exit 77; }
model=$(realpath "$fixtures/models/mdx23c")
song=$(realpath "$fixtures/audio/real_mix.flac")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

fail() {
  echo "FAILED: $1"
  exit 1
}

# refused STATUS WORDS ARGUMENTS…: that status, one line with those words on stderr, nothing written.
refused() {
  local status=0
  "$program" "${@:3}" -q >stdout 2>stderr || status=$?
  [ "$status" -eq "$1" ] || fail "status $status instead of $1: ${*:3}"
  [ "$(wc -l <stderr)" -eq 1 ] || fail "not one line: $(cat stderr)"
  grep -- "$2" stderr >matched || fail "'$2' is not in: $(cat stderr)"
  [ ! -e out ] || fail "something was written: ${*:3}"
}

"$program" models parity "$model" --json >parity.json || fail "the model differs from its reference"
grep '"schema":"unbraid.parity/1"' parity.json >matched || fail "no parity document"
refused 1 'differs from its reference' models parity "$model" --tolerance 0
refused 1 'no such folder' models parity nowhere
refused 2 'needs its configuration' separate "$song" -m "$model/model.ckpt" -o out
refused 1 'no such file' separate "$song" -m none.ckpt -o out
refused 1 'not a recipe' separate "$song" -m "$model/config.yaml" --config "$model/config.yaml" -o out
refused 1 'downscale' separate "$song" -m "$model/model.ckpt" --config "$model/../mdx23c_groupnorm/config.yaml" -o out
refused 2 'goes with weights' separate "$song" -m hpss --config "$model/config.yaml" -o out
printf 'model: !!python/object/apply:os.system ["true"]\n' >evil.yaml
refused 1 'would run code' separate "$song" -m "$model/model.ckpt" --config evil.yaml -o out

# A demucs package carries its configuration; a bag and an ensemble are files beside it.
demucs=$model/../htdemucs
for file in "$demucs/model-29814b9b.th" "$demucs/fixture_ht.yaml"; do
  "$program" separate "$song" -m "$file" --stems vocals -q -o th || fail "$file"
  [ -s th/real_mix/vocals.flac ] && [ ! -e th/real_mix/drums.flac ] || fail "$file: $(ls th/real_mix)"
  sha256sum th/real_mix/vocals.flac | cut -d' ' -f1 >>sums
  rm -r th
done
[ "$(sort -u sums | wc -l)" -eq 1 ] || fail "a bag of one model is not that model"
printf 'ensemble: {combine: max, members: [{model: %s}, {model: hpss}]}\n' "$demucs/model-29814b9b.th" >ensemble.yaml
"$program" separate "$song" -m ensemble.yaml --stems vocals,harmonic -q -o ensemble || fail "an ensemble"
printf 'chain: [{model: %s, stems: [vocals]}, {model: hpss, input: mix - vocals}]\n' "$demucs/model-29814b9b.th" >chain.yaml
"$program" separate "$song" -m chain.yaml --tta -q -o chain || fail "a chain"
[ "$(ls chain/real_mix | sort | tr '\n' ' ')" = "harmonic.flac manifest.json percussive.flac vocals.flac " ] || fail "a chain gave $(ls chain/real_mix)"
refused 2 'unknown parameter\|no parameter' separate "$song" -m "$demucs/model-29814b9b.th" --param segmnt=1 -o out
refused 2 'at most 1 s' separate "$song" -m "$demucs/model-29814b9b.th" --param segment=2 -o out
cp "$demucs/fixture_ht.yaml" bag.yaml
head -c 1000 "$demucs/model-29814b9b.th" >model-29814b9b.th
refused 1 'its name says' separate "$song" -m ./bag.yaml -o out

"$program" separate "$song" -m "$model/model.ckpt" --config "$model/config.yaml" --json -q -o out >out.json
for stem in drums bass other vocals; do
  [ -s "out/real_mix/$stem.flac" ] || fail "no $stem.flac: $(ls out/real_mix)"
done
grep '"frames":308700' out.json >matched || fail "another length than the input's"
grep '"model": *"sha256:' out/real_mix/manifest.json >matched || fail "the manifest does not name the weights"
echo "models: fine"
