#!/usr/bin/env bash
# unbraid train: killed with SIGKILL at any moment and resumed, the curve is that of a run that was never stopped; wrong
# use gives one line; the model separates.
source "$(dirname "$0")/harness.sh"
needs_torch
needs_soundfont

# Two composed pieces, 8 s at 8 kHz, as Slakh-like tracks: drums, bass and the rest.
"$program" synth --compose 2 --seed 3 --rate 8000 -o songs -q
cat >tiny.yaml <<'YAML'
architecture: scnet
seed: 2
audio: {sample_rate: 8000, num_channels: 1, chunk_size: 4096}
model: {sources: [Drums, Bass], audio_channels: 1, dims: [2, 4, 8], nfft: 256, hop_size: 64, win_size: 256, normalized: true,
        band_SR: [0.25, 0.35, 0.4], band_stride: [1, 2, 4], band_kernel: [3, 4, 4], conv_depths: [1, 1, 1], compress: 2,
        conv_kernel: 3, num_dplayer: 2, expand: 1}
training: {instruments: [Drums, Bass], steps: 30, batch: 2, checkpoint_steps: 4, average_decay: 0.9}
inference: {num_overlap: 2}
data:
  sources: {path: songs, submix: four_stems}
  mixtures: {stems: [Drums, Bass], coherent: 0.5, event: {source_time: [uniform, 0, 99], snr: [uniform, -3, 3]}}
validation: {sources: {path: songs, submix: four_stems}, length_s: 2, every_steps: 10}
optimizer: {name: adam, learning_rate: 0.003}
YAML

"$program" train tiny.yaml -o straight -q --threads 1 || fail "training failed"
[ "$(wc -l <straight/log.csv)" -eq 31 ] || fail "not one line per step"

refuses 2 'start_s: no track to validate on lasts longer than 300 s' train tiny.yaml -o beyond --set validation.start_s=300

# Killed three times, each time somewhat later.
for lines in 4 12 23; do
  "$program" train tiny.yaml -o killed --resume -q --threads 1 2>/dev/null &
  pid=$!
  while kill -0 $pid 2>/dev/null; do
    [ -f killed/log.csv ] && [ "$(wc -l <killed/log.csv)" -ge "$lines" ] && break
    sleep 0.02
  done
  kill -9 $pid 2>/dev/null || true
  wait $pid 2>/dev/null || true
done
"$program" train tiny.yaml -o killed --resume -q --threads 1 || fail "resuming failed"
cut -d, -f1-4 straight/log.csv >straight.csv
cut -d, -f1-4 killed/log.csv >killed.csv
cmp straight.csv killed.csv || fail "the curve after kill -9 is another one"
cmp straight/validation.csv killed/validation.csv || fail "the validation after kill -9 is another one"

# Standard C interrupts save the state.
env --default-signal=INT "$program" train tiny.yaml -o stopped -q --threads 1 --set training.checkpoint_steps=1000 --set training.steps=5000 2>stderr &
pid=$!
while [ ! -f stopped/log.csv ] || [ "$(find stopped -name 'events*' -size +4k | wc -l)" -eq 0 ]; do
  kill -0 $pid 2>/dev/null || fail "ended by itself"
  sleep 0.05
done
kill -INT $pid
status=0
wait $pid || status=$?
[ "$status" -eq 1 ] || fail "status $status after an interrupt"
has 'resume continues' stderr || fail "does not say how to go on"
[ -s stopped/state.safetensors ] || fail "the state was not saved"

# Two processes with a batch of 2 are one with a batch of 4, but for the order of the sums.
if ldd "$(dirname "$program")/../lib/libunbraid_nn.so" | has libgloo; then
  "$program" train tiny.yaml -o one -q --threads 1 --set training.batch=4 --set training.steps=12
  export MASTER_ADDR=127.0.0.1 MASTER_PORT=$((20000 + RANDOM % 20000)) WORLD_SIZE=2
  RANK=1 "$program" train tiny.yaml -o two -q --threads 1 --set training.steps=12 &
  RANK=0 "$program" train tiny.yaml -o two -q --threads 1 --set training.steps=12 || fail "process 0 failed"
  wait $! || fail "process 1 failed"
  unset MASTER_ADDR MASTER_PORT WORLD_SIZE
  paste -d, one/log.csv two/log.csv | awk -F, 'NR > 1 { d = $2 - $8; if (d < 0) d = -d; if (d > 1e-5) bad++ }
    END { exit NR != 13 || bad }' || fail "two processes are not one with twice the batch: $(paste one/log.csv two/log.csv | tail -2)"
fi

refuses 2 '' train tiny.yaml -o straight
refuses 2 'training.*bach' train tiny.yaml -o other --set training.bach=3
[ ! -e other ] || fail "wrong use left a folder"

"$program" train tiny.yaml --dry-run --json >plan.json
has '"schema":"unbraid.train_plan/1"' plan.json || fail "no plan"
"$program" train tiny.yaml -o as_json --json --set training.steps=2 >done.json
has '"steps":2' done.json || fail "no summary: $(cat done.json)"

has '<svg' straight/report.html || fail "no report"
song=$(find songs -name 'mix.*' | sort | head -1)
"$program" separate "$song" -m straight/best.safetensors -o stems -q || fail "the model does not separate"
find stems -name 'Bass.*' | has . || fail "no stem"
echo "train: fine"
