#!/usr/bin/env bash
# Peak memory must depend neither on the length of a track nor on the number of tracks.
#   bench/pipeline_memory.sh [build/release/bin/unbraid [METHOD…]]
# For every chunked method given (classic4 when none is): 5 minutes against
# 2 hours of stereo, and the 25th against the last of 100 short files in one run (the heap of a process that reuses its
# memory takes some files to settle). Fails beyond 10 %.
set -euo pipefail
unbraid=$(realpath "${1:-build/release/bin/unbraid}")
shift || true
methods=("${@:-classic4}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

little_endian() { # little_endian bytes value
  local value=$2
  for _ in $(seq "$1"); do
    printf "\\x$(printf %02x $((value % 256)))"
    value=$((value / 256))
  done
}

silence() { # silence file seconds: 16-bit stereo at 44.1 kHz that takes no room on the disk
  local bytes=$(($2 * 44100 * 4))
  {
    printf RIFF && little_endian 4 $((36 + bytes)) && printf 'WAVEfmt ' && little_endian 4 16
    little_endian 2 1 && little_endian 2 2 && little_endian 4 44100 && little_endian 4 $((44100 * 4))
    little_endian 2 4 && little_endian 2 16 && printf data && little_endian 4 $bytes
  } >"$1"
  truncate -s $((44 + bytes)) "$1"
}

peaks() { # peaks arguments…: the peak of the process after every input, in bytes
  "$unbraid" separate -q --json --format flac --overwrite -o "$folder/out" "$@" >"$folder/json"
  grep -o '"peak_memory_bytes":[0-9]*' "$folder/json" | cut -d: -f2
}

compare() { # compare label a b
  awk -v what="$1" -v a="$2" -v b="$3" 'BEGIN {
    printf "%s: %.1f MB, then %.1f MB (%+.1f %%)\n", what, a / 1e6, b / 1e6, 100 * (b / a - 1)
    exit b > 1.1 * a }' || { echo "FAILED: more than 10 %"; exit 1; }
}

silence "$folder/minutes.wav" 300
silence "$folder/hours.wav" 7200
mkdir "$folder/many"
for i in $(seq -w 100); do silence "$folder/many/$i.wav" 10; done
for method in "${methods[@]}"; do
  compare "$method, 5 minutes and 2 hours" "$(peaks -m "$method" "$folder/minutes.wav")" \
    "$(peaks -m "$method" "$folder/hours.wav")"
  "$unbraid" separate -q --plan -m "$method" "$folder/hours.wav"
  many=$(peaks -m "$method" "$folder/many")
  compare "$method, the 25th and the last of 100 files" "$(sed -n 25p <<<"$many")" "$(tail -n 1 <<<"$many")"
done
