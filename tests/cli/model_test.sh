#!/usr/bin/env bash
# unbraid separate -m WEIGHTS and models parity: a published checkpoint through the program; wrong input gives one line.
source "$(dirname "$0")/harness.sh"
needs_fixtures models/mdx23c
needs_torch
model=$(realpath "$fixtures/models/mdx23c")
song=$(realpath "$fixtures/audio/real_mix.flac")

"$program" models parity "$model" --json >parity.json || fail "the model differs from its reference"
has '"schema":"unbraid.parity/1"' parity.json || fail "no parity document"
refuses 1 'differs from its reference' models parity "$model" --tolerance 0
refuses 1 'no such folder' models parity nowhere
refuses 2 'needs its configuration' separate "$song" -m "$model/model.ckpt" -o out
refuses 1 'no such file' separate "$song" -m none.ckpt -o out
refuses 1 'not a recipe' separate "$song" -m "$model/config.yaml" --config "$model/config.yaml" -o out
refuses 1 'downscale' separate "$song" -m "$model/model.ckpt" --config "$model/../mdx23c_groupnorm/config.yaml" -o out
refuses 2 'goes with weights' separate "$song" -m hpss --config "$model/config.yaml" -o out
printf 'model: !!python/object/apply:os.system ["true"]\n' >evil.yaml
refuses 1 'would run code' separate "$song" -m "$model/model.ckpt" --config evil.yaml -o out

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
refuses 2 'unknown parameter|no parameter' separate "$song" -m "$demucs/model-29814b9b.th" --param segmnt=1 -o out
refuses 2 'at most 1 s' separate "$song" -m "$demucs/model-29814b9b.th" --param segment=2 -o out
cp "$demucs/fixture_ht.yaml" bag.yaml
head -c 1000 "$demucs/model-29814b9b.th" >model-29814b9b.th
refuses 1 'its name says' separate "$song" -m ./bag.yaml -o out

"$program" separate "$song" -m "$model/model.ckpt" --config "$model/config.yaml" --json -q -o out >out.json
for stem in drums bass other vocals; do
  [ -s "out/real_mix/$stem.flac" ] || fail "no $stem.flac: $(ls out/real_mix)"
done
has '"frames":308700' out.json || fail "another length than the input's"
has '"model": *"sha256:' out/real_mix/manifest.json || fail "the manifest does not name the weights"
echo "models: fine"
