#!/usr/bin/env bash
# unbraid synth: a dataset from MIDI and from composed pieces; wrong input gives one line and the right status.
source "$(dirname "$0")/harness.sh"
needs_soundfont

# Composed pieces become tracks in split folders; the same seed gives the same bytes with any number of threads.
"$program" synth --compose 4 --seed 3 --length 3 --rate 8000 --splits 2,1,1 --threads 1 -o one >/dev/null
"$program" synth --compose 4 --seed 3 --length 3 --rate 8000 --splits 2,1,1 --threads 3 -o three --quiet
diff -r one three || fail "the dataset depends on the number of threads"
[ "$(ls one)" = "$(printf 'test\ntrain\nvalidation')" ] || fail "splits are '$(ls one)'"
[ "$(find one -name metadata.yaml | wc -l)" = 4 ] || fail "not every piece became a track"
[ -z "$(find one -name '*.tmp*' -o -name '.*' -type f)" ] || fail "temporary files were left behind"

# What was made can be played again: its own all_src.mid gives the same stems.
track=$(dirname "$(find one -name metadata.yaml | sort | head -1)")
"$program" synth "$track/all_src.mid" -o again --length 3 --rate 8000 --quiet
diff -r "$track/stems" again/Track00001/stems || fail "a track's own MIDI gives other stems"

# --json is one document and nothing else.
"$program" synth --compose 1 --length 1 --rate 8000 --format flac --channels 2 --bit-depth 24 -o flac --json >report.json
grep -q '"schema": "unbraid.synth/1"' report.json || fail "no schema in the JSON document"
[ -f flac/Track00001/mix.flac ] || fail "no FLAC mix"

# A folder: what cannot be played is skipped with the reason, the rest is made.
mkdir -p midi/sub
cp "$track/all_src.mid" midi/sub/good.mid
head -c 100 "$track/all_src.mid" >midi/cut.mid
echo "no music" >midi/text.mid
"$program" synth midi -o mixed --length 1 --rate 8000 >stdout 2>stderr
grep -q '^skipped cut.mid: is cut short' stderr || fail "no reason for the cut file"
grep -q '^skipped text.mid: .*MThd' stderr || fail "no reason for the text file"
[ -f mixed/Track00002/mix.wav ] || fail "the playable piece is missing"

mkdir latin
cp "$track/all_src.mid" $'latin/caf\xe9.mid'
"$program" synth latin -o latin-out --length 1 --rate 8000 --json >stdout || fail "a name in Latin-1 is an end"
python3 -c 'import json; json.load(open("stdout"))' || fail "no document for a name in Latin-1"

refuses 2 "give MIDI files or folders" synth -o x
refuses 2 "give MIDI files or folders" synth midi --compose 2 -o x
refuses 2 "output" synth midi
refuses 1 "nowhere.mid: no such file" synth nowhere.mid -o x
mkdir empty
refuses 1 "empty: holds no .mid" synth empty -o x
refuses 1 "nowhere.sf2: no such SoundFont" synth midi -o x --soundfont nowhere.sf2
refuses 1 "text.mid: is not a SoundFont" synth midi -o x --soundfont midi/text.mid
refuses 1 "none of the pieces could be played" synth midi/cut.mid -o x
refuses 2 "sample rate: must lie between" synth midi -o x --rate 100
refuses 2 "channels: must be 1 or 2" synth midi -o x --channels 5
refuses 2 "bit-depth" synth midi -o x --bit-depth 12
refuses 2 "splits" synth midi -o x --splits 1,2
refuses 2 "splits" synth midi -o x --splits 1,-2,3
refuses 2 "FLAC holds no floating-point" synth midi -o x --format flac --bit-depth 32f
[ ! -e x ] || fail "a refused command left files behind: $(find x)"
"$program" synth midi/sub/good.mid -o again --length 3 --rate 8000 --overwrite --quiet || fail "--overwrite refuses"
refuses 1 "a track is here already" synth midi/sub/good.mid -o again --length 3
