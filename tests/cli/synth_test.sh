#!/usr/bin/env bash
# unbraid synth: a dataset from MIDI and from composed pieces; wrong input gives one line and the right status.
set -euo pipefail
program=$(realpath "$1")
[ -f /usr/share/sounds/sf2/FluidR3_GM.sf2 ] || { echo "no FluidR3_GM.sf2 (apt install fluid-soundfont-gm)"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

fail() {
  echo "FAILED: $1"
  exit 1
}

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
"$program" synth midi -o mixed --length 1 --rate 8000 >out.txt 2>err.txt
grep -q '^skipped cut.mid: is cut short' err.txt || fail "no reason for the cut file: $(cat err.txt)"
grep -q '^skipped text.mid: .*MThd' err.txt || fail "no reason for the text file: $(cat err.txt)"
[ -f mixed/Track00002/mix.wav ] || fail "the playable piece is missing"

refuses() { # refuses STATUS "part of the message" arguments…
  local status=$1 message=$2 got=0
  shift 2
  "$program" synth "$@" >out.txt 2>err.txt || got=$?
  [ "$got" = "$status" ] || fail "'$*' ends with $got, not $status: $(cat err.txt)"
  grep -qF -- "$message" err.txt || fail "'$*' says '$(cat err.txt)', not '$message'"
  [ "$(grep -vc '^skipped' err.txt)" = 1 ] || fail "'$*' says more than one line: $(cat err.txt)"
  [ ! -s out.txt ] || fail "'$*' prints on standard output"
}
refuses 2 "give MIDI files or folders" -o x
refuses 2 "give MIDI files or folders" midi --compose 2 -o x
refuses 2 "output" midi
refuses 1 "nowhere.mid: no such file" nowhere.mid -o x
mkdir empty
refuses 1 "empty: holds no .mid" empty -o x
refuses 1 "nowhere.sf2: no such SoundFont" midi -o x --soundfont nowhere.sf2
refuses 1 "text.mid: is not a SoundFont" midi -o x --soundfont midi/text.mid
refuses 1 "none of the pieces could be played" midi/cut.mid -o x
refuses 2 "sample rate: must lie between" midi -o x --rate 100
refuses 2 "channels: must be 1 or 2" midi -o x --channels 5
refuses 2 "bit-depth" midi -o x --bit-depth 12
refuses 2 "splits" midi -o x --splits 1,2
refuses 2 "splits" midi -o x --splits 1,-2,3
refuses 2 "FLAC holds no floating-point" midi -o x --format flac --bit-depth 32f
[ ! -e x ] || fail "a refused command left files behind: $(find x)"
"$program" synth midi/sub/good.mid -o again --length 3 --rate 8000 --overwrite --quiet || fail "--overwrite refuses"
refuses 1 "a track is here already" midi/sub/good.mid -o again --length 3
