#!/usr/bin/env bash
# unbraid evaluate, compare and inspect from the outside: documents and files, awkward signals, mistakes.
source "$(dirname "$0")/harness.sh"

works() { # works arguments…
  "$program" "$@" >stdout 2>stderr || fail "'$*' exits with $?"
}

# Two stems of noise, 5 s, and what can be wrong with estimates of them.
python3 - <<'END'
import os, random, struct, wave

def stem(folder, name, rate, channels):
    os.makedirs(folder, exist_ok=True)
    with wave.open(f"{folder}/{name}.wav", "wb") as f:
        f.setnchannels(len(channels)), f.setsampwidth(2), f.setframerate(rate)
        f.writeframes(b"".join(struct.pack("<h", round(32767 * c[i])) for i in range(len(channels[0])) for c in channels))

random.seed(3)
noise = lambda n: [random.uniform(-0.3, 0.3) for _ in range(n)]
n, rate = 40000, 8000
vocals, drums = [noise(n), noise(n)], [noise(n), noise(n)]
mixed = lambda a, b: [[x + 0.1 * y for x, y in zip(p, q)] for p, q in zip(a, b)]
silence = [[0.0] * n] * 2
for folder, stems in {
    "true": {"vocals": vocals, "drums": drums},
    "close": {"vocals": mixed(vocals, drums), "drums": mixed(drums, vocals)},
    "far": {"vocals": mixed(drums, vocals), "drums": mixed(vocals, drums)},
    "half silent": {"vocals": vocals, "drums": silence},
    "mono": {"vocals": vocals[:1], "drums": drums[:1]},
    "cut": {"vocals": [c[:30000] for c in vocals], "drums": [c[:30000] for c in drums]},
    "other names": {"vocals": vocals, "bass": drums},
    "short": {"vocals": [c[:2400] for c in mixed(vocals, drums)], "drums": [c[:2400] for c in drums]},
    "short true": {"vocals": [c[:2400] for c in vocals], "drums": [c[:2400] for c in drums]},
    "one": {"vocals": [[0.5]], "drums": [[0.25]]},
    "none": {"vocals": [[]], "drums": [[]]},
    "empty": {"vocals": vocals, "drums": [[], []]},
}.items():
    for name, channels in stems.items():
        stem(folder, name, rate, channels)
for name in ("vocals", "drums"):
    stem("faster", name, 16000, vocals)
for split, estimate in (("test", mixed(vocals, drums)), ("valid", mixed(drums, vocals))):  # one name, near and far
    stem(f"splits/{split}/song", "vocals", rate, vocals)
    stem(f"split estimates/{split}/song", "vocals", rate, estimate)
for song, song_rate in (("a", rate), ("b", 16000), ("c", rate)):
    stem(f"songs/{song}", "vocals", rate, vocals)
    if song != "c":
        stem(f"song estimates/{song}", "vocals", song_rate, mixed(vocals, drums))
END

# --- evaluate -------------------------------------------------------------------------------------------------------
works evaluate -r true -e close -o one --metrics bsseval_v4,si_sdr --accompaniment --json
cmp -s stdout one/evaluate.json || fail "the file is not the document on standard output"
for file in scores.csv summary.md report.html museval/test/true.json; do
  [ -s "one/$file" ] || fail "no $file"
done
python3 - <<'END' || fail "the JSON documents"
import json, math
d = json.load(open("one/evaluate.json"))
assert d["schema"] == "unbraid.evaluate/1" and d["conformance"] >= 1
(track,) = d["tracks"]
targets = {t["name"]: t["metrics"] for t in track["targets"]}
assert set(targets) == {"vocals", "drums", "accompaniment"}, targets
for name in ("vocals", "drums"):  # the other stem at -20 dB, equally loud
    assert abs(targets[name]["si_sdr"] - 20) < 0.3 and abs(targets[name]["bsseval_v4"]["SDR"] - 20) < 0.3, targets
    assert abs(d["aggregate"][name]["si_sdr"]["median"] - targets[name]["si_sdr"]) < 1e-12
museval = json.load(open("one/museval/test/true.json"))
frames = {t["name"]: t["frames"] for t in museval["targets"]}
assert [f["time"] for f in frames["drums"]] == [0.0, 1.0, 2.0, 3.0, 4.0] and set(frames["drums"][0]["metrics"]) == {"SDR", "SIR", "SAR", "ISR"}
END
conformance=$(python3 -c 'import json; print(json.load(open("one/evaluate.json"))["conformance"])')
has "\"unbraid.evaluate/1\", \"conformance\": $conformance," "$repository/docs/json.md" || fail "docs/json.md shows another conformance"
head -1 one/scores.csv | has '^track,target,metric,value' || fail "the CSV header"

works evaluate -r true -e true --metrics bsseval_v4,si_sdr
[ "$(grep '^ *vocals' stdout | grep -o '∞' | wc -l)" -ge 2 ] || fail "a perfect estimate has no infinite scores"
works evaluate -r true -e "half silent"
has 'drums not applicable: the estimate is silent throughout' stderr || fail "silence is not named"
works evaluate -r "half silent" -e true --json -q
python3 - stdout <<'END' || fail "a silent reference has a score"
import json, sys
(track,) = json.load(open(sys.argv[1]))["tracks"]
drums = next(t for t in track["targets"] if t["name"] == "drums")
assert "silent" in drums["not_applicable"] and drums["metrics"]["bsseval_v4"]["SDR"] is None, drums
END
works evaluate -r true -e cut
has 'cut to 30000 frames' stderr || fail "the cut is not named"
works evaluate -r true -e "other names"
has 'no estimate of drums' stderr && has 'no reference for bass' stderr || fail "missing and extra stems are not named"
works evaluate -r "short true" -e short --metrics bsseval_v4,si_sdr # 0.3 s
grep '^ *vocals' stdout | has -E '(19|20)\.[0-9]{2}' || fail "0.3 s have no score"
works evaluate -r one -e one
works evaluate -r none -e none
has 'no samples' stderr || fail "empty files are not named"
refuses 1 'estimate drums has no samples' evaluate -r true -e empty
status=0
"$program" evaluate -r true -e close --metrics sdr --json >/dev/full 2>stderr || status=$?
[ "$status" = 1 ] && has 'No space left' stderr || fail "a full disk is success"

# Tracks of one name in two splits keep apart, in every file.
works evaluate -r splits -e "split estimates" --metrics bsseval_v4,sdr -o apart
for split in test valid; do [ -s "apart/museval/$split/song.json" ] || fail "no museval scores of $split"; done
python3 - <<'END' || fail "splits are mixed up"
import json
scores = {t["split"]: t["targets"][0]["metrics"]["sdr"] for t in json.load(open("apart/evaluate.json"))["tracks"]}
assert abs(scores["test"] - 20) < 0.3 and scores["valid"] < 0, scores
END
has '^test/song,vocals,sdr,' apart/scores.csv || fail "the CSV does not name the split"
mkdir flat
cp -r splits/test/song flat/song
cp -r splits/test/song flat/another
refuses 1 '^unbraid: song: several tracks have this name' evaluate -r splits -e flat --metrics sdr

# Tracks without scores are named in every file.
status=0
"$program" evaluate -r songs -e "song estimates" --metrics sdr -o lacking >stdout 2>stderr || status=$?
[ "$status" = 1 ] || fail "a track that cannot be scored is success"
python3 - <<'END' || fail "tracks without scores are not in the document"
import json
d = json.load(open("lacking/evaluate.json"))
assert "16000 Hz" in d["failed"]["b"] and d["missing_tracks"] == ["c"] and d["extra_tracks"] == [], d
END
for file in summary.md report.html; do
  has 'b: .*16000 Hz' "lacking/$file" && has 'c: no estimate' "lacking/$file" || fail "$file does not name the tracks without scores"
done

# Names in other encodings are replaced, not an end.
mkdir latin estimates
cp -r splits/test/song $'latin/caf\xe9'
cp -r splits/test/song $'estimates/caf\xe9'
works evaluate -r latin -e estimates --metrics sdr -o latin-out --json
[ -s latin-out/evaluate.json ] || fail "a name in Latin-1 leaves no document"

refuses 1 "estimate drums has 30000 frames" evaluate -r true -e cut --strict
refuses 1 "1 channel, reference drums has 2" evaluate -r true -e mono
refuses 1 "16000 Hz, reference drums at 8000 Hz" evaluate -r true -e faster
refuses 1 "nowhere" evaluate -r nowhere -e close
refuses 2 "loudness" evaluate -r true -e close --metrics loudness

# --- compare --------------------------------------------------------------------------------------------------------
works evaluate -r true -e far -o two --metrics bsseval_v4,si_sdr --accompaniment -q
works compare one two --json
python3 - stdout <<'END' || fail "the comparison"
import json, sys
d = json.load(open(sys.argv[1]))
assert d["schema"] == "unbraid.compare/1"
rows = {(c["target"], c["metric"]): c for c in d["comparisons"]}
# From +20 to −20 dB, give or take what 40000 random samples correlate by chance (0.005 against 0.1: 0.4 dB).
assert abs(rows["vocals", "si_sdr"]["mean_difference"] + 40) < 1.2, rows["vocals", "si_sdr"]
END
works compare one two
has 'drums *si_sdr *1 ' stdout || fail "the table"
refuses 1 "no results of an evaluation" compare one nowhere
mkdir old
sed "s/\"conformance\": $conformance/\"conformance\": 1/" one/evaluate.json >old/evaluate.json
refuses 1 "scores of conformance $conformance beside 1 in A" compare old two

# --- inspect --------------------------------------------------------------------------------------------------------
works inspect true
has 'bleed' stdout || fail "no bleed"
works inspect true --json
has '"schema": "unbraid.inspect/1"' stdout || fail "the document"
refuses 1 "1 fault found" inspect true/vocals.wav true/drums.wav --mix true/vocals.wav # the sum is not the mixture
refuses 2 "songs: holds 3 tracks; give the folder of one, such as a" inspect songs
refuses 1 "not stems of one track" inspect true/vocals.wav mono/drums.wav
refuses 1 "no such file" inspect missing.wav
