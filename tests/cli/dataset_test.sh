#!/usr/bin/env bash
# unbraid dataset: listings and verification of a synthetic dataset, then of a damaged one; one clear line per mistake.
source "$(dirname "$0")/harness.sh"
needs_soundfont

value() { # value KEYS < JSON
  python3 -c 'import json, sys
value = json.load(sys.stdin)
for key in sys.argv[1].split("."): value = value[int(key) if key.isdigit() else key]
print(value)' "$1"
}

"$program" synth --compose 3 --seed 1 --length 2 --rate 8000 --splits 2,0,1 -q -o songs

# ls and info
[ "$("$program" dataset ls songs | grep -c '^Track')" = 3 ] || fail "ls does not show three tracks"
"$program" dataset ls songs | has '3 tracks, 0.00 h, format slakh' || fail "no last line of ls"
"$program" dataset ls songs --split test --json >ls.json
[ "$(value schema <ls.json)" = unbraid.dataset/1 ] || fail "no schema"
[ "$(value tracks.0.split <ls.json)" = test ] || fail "--split does not select"
[ "$(value tracks.0.sample_rate <ls.json)" = 8000.0 ] || fail "no sample rate"
name=$(value tracks.0.track <ls.json)
"$program" dataset info songs | has '^train' || fail "info does not count the splits"
"$program" dataset info songs --track "$name" | has 'uuid: ' || fail "info of a track lacks its metadata"
"$program" dataset info "songs/test/$name" | has '^S00 ' || fail "a track's own folder is not read"

cp -r "songs/test/$name" faint
sed -i 's/integrated_loudness: .*/integrated_loudness: 1e-310/' faint/metadata.yaml
"$program" dataset info faint | has ' 0\.0 ' || fail "a loudness of next to nothing is not shown"

# pick
first=$("$program" dataset pick songs --random --seed 4 --json | value tracks.0.track)
[ "$first" = "$("$program" dataset pick songs --random --seed 4 --json | value tracks.0.track)" ] || fail "a seed does not pick the same track"
"$program" dataset pick songs --fewest --json >pick.json
fewest=$("$program" dataset ls songs --json | python3 -c 'import json, sys
print(min((len(t["stems"]), i, t["track"]) for i, t in enumerate(json.load(sys.stdin)["tracks"]))[2])')
[ "$(value tracks.0.track <pick.json)" = "$fewest" ] || fail "--fewest picks $(value tracks.0.track <pick.json), not $fewest"

# verify: sound, then damaged
"$program" dataset verify songs >verify.txt || fail "a fresh dataset does not verify: $(cat verify.txt)"
grep -q '1.000000000000' verify.txt || fail "no correlation with twelve digits"
cp -r songs broken
train=$(ls -d broken/train/* | head -1)
rm "$train/stems/S01.wav"
touch "$train/stems/._S00.wav"
cp "$train/stems/S00.wav" "$(ls -d broken/test/*)/mix.wav"
refuses 1 '^unbraid: broken: 2 of 3 tracks have problems$' dataset verify broken
grep -q 'S01 is listed but there is no stems/S01.wav' stdout || fail "the missing stem is not named: $(cat stdout)"
grep -q 'do not sum to the mixture' stdout || fail "the wrong mix is not noticed"
grep -q '1 files that macOS left' stdout || fail "the macOS file is not noticed"
refuses 1 'have problems' dataset verify broken --json
[ "$(value ok <stdout)" = False ] || fail "JSON calls a broken dataset ok"
value tracks.0.problems <stdout >/dev/null || fail "no problems in the JSON document"

# Silence on one side only.
mkdir -p silent
cp -r "songs/test/$name" silent/song
python3 - silent/song/mix.wav <<'END'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
samples = data.index(b"data") + 8
data[samples:] = bytes(len(data) - samples)
open(sys.argv[1], "wb").write(data)
END
refuses 1 '1 of 1 tracks have problems' dataset verify silent
has '∞ dB *PROBLEM' stdout && has 'the mixture is silent, the sum of the stems is not' stdout || fail "a silent mixture passes: $(cat stdout)"

# A split file that leaves nothing.
"$program" dataset ls songs --json | python3 -c 'import json, sys
json.dump({t["track"]: {"action": "omit"} for t in json.load(sys.stdin)["tracks"]}, open("none.json", "w"))'
refuses 1 '^unbraid: none.json: leaves no track of songs$' dataset pick songs --split-file none.json --random
refuses 1 '^unbraid: none.json: leaves no track of songs$' oracle songs --split-file none.json --random

# Mixed rates, zero-length stems, odd names.
mkdir -p 'odd/Ünï "quoted", song'
"$program" synth --compose 1 --length 1 --rate 16000 -q -o fast
cp songs/train/*/stems/S00.wav 'odd/Ünï "quoted", song/a b.wav' 2>/dev/null || cp "$train/stems/S00.wav" 'odd/Ünï "quoted", song/a b.wav'
cp fast/Track00001/stems/S00.wav 'odd/Ünï "quoted", song/ドラム.wav'
head -c 44 fast/Track00001/stems/S00.wav >'odd/Ünï "quoted", song/empty.wav'
refuses 1 '1 of 1 tracks have problems' dataset verify odd
grep -q 'Hz' stdout || fail "mixed rates are not noticed: $(cat stdout)"
"$program" dataset ls odd | has 'Ünï "quoted", song' || fail "an odd name is not shown"

# What is no dataset, and damaged metadata.
mkdir -p nothing/inside damaged/Track00001
echo text >nothing/inside/readme.txt
printf 'UUID: x\nstems:\n  S00:\n    program_num: many\n' >damaged/Track00001/metadata.yaml
refuses 1 '^unbraid: nothing: not a dataset: ' dataset ls nothing
refuses 1 '^unbraid: gone: no such file or folder$' dataset ls gone
refuses 1 'metadata.yaml: line 4: program_num has the wrong type$' dataset info damaged
refuses 1 'nobody: no such track' dataset info songs --track nobody
refuses 1 'valid: no such split; there are: test, train' dataset ls songs --split valid
refuses 2 'either --random or --fewest' dataset pick songs
refuses 2 '' dataset ls songs --format slack
refuses 2 '' dataset
printf 'track,vocals\nonly\n' >bad.csv
refuses 1 'bad.csv: line 2: 1 cells where the header has 2' dataset ls bad.csv
echo "dataset: fine"
