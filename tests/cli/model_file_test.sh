#!/usr/bin/env bash
# unbraid models import, info, verify, export, and separating with what they write; --param and --condition of models.
source "$(dirname "$0")/harness.sh"
needs_fixtures models/openunmix
needs_torch
models=$(realpath "$fixtures/models")
song=$(realpath "$fixtures/audio/real_mix.flac")

# same A B: the same folders of sound.
same() {
  for file in "$1"/*.flac; do
    cmp -s "$file" "$2/$(basename "$file")" || fail "$file differs from that of $2"
  done
}

for name in openunmix nussl_mask_inference/best.model.pth deepconvsep_keras/pretrained_weights_experiment1.h5; do
  own=$(dirname "$name/x" | tr '/' '_').safetensors
  "$program" models import "$models/$name" -o "$own" --licence MIT --description "für Tests" -q
  "$program" models verify "$own" >verified || fail "$own is not sound"
  has sound verified || fail "verify says nothing"
  "$program" models info "$own" --json >info.json
  has '"licence":"MIT"' info.json || fail "the card lost its licence: $(cat info.json)"
  "$program" separate "$song" -m "$models/$name" -o published -q --overwrite
  "$program" separate "$song" -m "$own" -o own -q --overwrite 2>stderr || fail "$own cannot separate"
  same published/real_mix own/real_mix
  rm -r published own
done

# A file that was moved, and is alone in its folder, is enough.
mkdir "größer"
mv openunmix.safetensors "größer/modèle.safetensors"
"$program" separate "$song" -m "größer/modèle.safetensors" --param niter=0 --param residual=true -o out -q
[ -s out/real_mix/residual.flac ] || fail "no residual: $(ls out/real_mix)"
refuses 2 'niter' separate "$song" -m "größer/modèle.safetensors" --param niter=-1 -o none
refuses 2 'condition' separate "$song" -m "größer/modèle.safetensors" --condition vocals -o none
refuses 2 'there already' models import "$models/openunmix" -o "größer/modèle.safetensors"
refuses 1 'o such file' models verify nothing.safetensors

# Families that need a configuration carry it in our file; exported again, they have it beside them.
"$program" models import "$models/bs_roformer/model.ckpt" --config "$models/bs_roformer/config.yaml" -o bs.safetensors -q
"$program" models export bs.safetensors -o exported -q
refuses 2 'needs its configuration' models verify exported/model.safetensors
"$program" models verify exported/model.safetensors --config exported/config.yaml -q || fail "the exported model is not sound"
"$program" models import bs.safetensors -o half.safetensors --precision fp16 -q
[ "$(stat -c %s half.safetensors)" -lt "$(($(stat -c %s bs.safetensors) * 3 / 4))" ] || fail "half precision saves nothing"

# Families whose tensors alone do not tell them, or whose files hold their configuration, come back as well.
for own in deepconvsep_keras_pretrained_weights_experiment1.h5.safetensors nussl_mask_inference_best.model.pth.safetensors; do
  "$program" models export "$own" -o "exported $own" -q
  "$program" separate "$song" -m "$own" -o own -q
  "$program" separate "$song" -m "exported $own/model.safetensors" --config "exported $own/config.yaml" -o back -q
  same own/real_mix back/real_mix
  rm -r own back
done

# Damage is one line.
head -c 5000 bs.safetensors >cut.safetensors
refuses 1 'cut.safetensors' models verify cut.safetensors
refuses 1 'cut.safetensors' separate "$song" -m cut.safetensors -o none
[ ! -e none ] || fail "something was written"
echo "model files: fine"
