#!/usr/bin/env bash
# unbraid oracle on a synthetic dataset: documents, saved stems, pictures, resuming, the notebook's numbers, mistakes.
source "$(dirname "$0")/harness.sh"
needs_soundfont

"$program" synth --compose 2 --seed 2 --length 3 --rate 8000 -q -o songs
track=songs/Track00001

# One track as text; the sections of the notebook.
"$program" oracle $track >text.txt
for line in 'window  *512 samples (64.0 ms), Hann' 'stems loaded' 'correlation 1.000000000000' '^mean' 'What this means'; do
  grep -q "$line" text.txt || fail "the text lacks '$line': $(cat text.txt)"
done
grep -qi 'upper bounds' text.txt && fail "the notebook's false claim is repeated"

# A dataset with every file; the same numbers with any number of threads.
"$program" oracle songs --masks ibm,irm,psm -o one --threads 1 -q --json >one.json
"$program" oracle songs --masks ibm,irm,psm -o three --threads 3 -q --save --plots --json >three.json
cmp one.json three.json || fail "results depend on the number of threads"
cmp one.json one/oracle.json || fail "the file is not the document on standard output"
python3 - <<'END' || fail "the JSON document"
import json
d = json.load(open("one.json"))
assert d["schema"] == "unbraid.oracle/1", d["schema"]
for t in d["tracks"]:
    assert t["samples"] == 24000 and t["correlation"] > 0.999, t
    for mask in ("ibm", "irm", "psm"):
        scores = t["si_sdr"][mask]["stems"]
        assert all(name.startswith("S0") and "_" in name for name in scores), scores
        assert abs(t["si_sdr"][mask]["mean"] - sum(scores.values()) / len(scores)) < 1e-9
    assert t["si_sdr"]["psm"]["mean"] > t["si_sdr"]["irm"]["mean"]
assert set(d["aggregate"]) == {"ibm", "irm", "psm"}
END
[ "$(head -1 one/oracle.csv | tr -d '\r')" = track,mask,stem,si_sdr_db ] || fail "the CSV header"
grep -q '<svg' one/oracle.html || fail "no box plot"
[ -n "$(find three -path '*/psm/S00_*.wav')" ] || fail "no saved stem"
[ "$(head -c 4 three/Track00001/plots/mix.png | tail -c 3)" = PNG ] || fail "no picture"

# Resuming takes finished tracks over, and only those made with the same options.
"$program" oracle songs --masks ibm,irm,psm -o one --resume --json >again.json 2>notes.txt
grep -q '2 tracks were done already' notes.txt || fail "nothing was taken over: $(cat notes.txt)"
cmp one.json again.json || fail "a resumed run says something else"
"$program" oracle songs --masks ibm,irm,psm -o one --resume --save -q >/dev/null
[ -n "$(find one -path '*/psm/S00_*.wav')" ] || fail "--save writes nothing where a run without it was finished"
"$program" oracle songs --masks ibm -o one --resume --json 2>notes.txt >/dev/null
grep -q 'done already' notes.txt && fail "another mask's results were taken over"

# The notebook's numbers, where the reference is at hand.
if [ -f "$fixtures/masks/seed000_pipeline.json" ]; then
  for name in Track00001 Track00002; do
    "$program" oracle "$fixtures/slakh" --track $name --compat seed --json -q >trim.json
    "$program" oracle "$fixtures/slakh/$name" --compat seed --trim 0 --json -q >whole.json
    python3 - "$fixtures" $name <<'END' || fail "--compat seed on $name"
import json, sys
runs = json.load(open(sys.argv[1] + "/masks/seed000_pipeline.json"))["runs"]
for file, trim in (("trim.json", "10"), ("whole.json", "None")):
    run, got = runs[f"{sys.argv[2]}|trim={trim}"], json.load(open(file))["tracks"][0]
    assert abs(got["correlation"] - run["correlation_stems_vs_mix"]) < 1e-12
    assert set(got["si_sdr"]) == set(run["si_sdr"])
    for mask, scores in run["si_sdr"].items():
        for stem, score in scores.items():
            mine = got["si_sdr"][mask]["mean"] if stem == "mean" else got["si_sdr"][mask]["stems"][stem]
            assert abs(mine - score) < 1e-6, (mask, stem, mine, score)
END
  done
  # As the notebook, --fewest --compat seed takes the second of the sorted tracks; without, the first.
  "$program" oracle "$fixtures/slakh" --fewest --compat seed --json -q | has '"track": "Track00002"' || fail "--fewest --compat seed"
  "$program" oracle "$fixtures/slakh" --fewest --json -q | has '"track": "Track00001"' || fail "--fewest"
fi

# Other audio under the names of tracks that are done is done again; a stem that is lost is said.
cp -r songs edited
"$program" oracle edited --masks ibm -o edited-out -q >/dev/null
rm edited/Track00001/stems/S01.wav
touch edited/Track00002/mix.wav
"$program" oracle edited --masks ibm -o edited-out --resume >text.txt 2>notes.txt
has 'done already' notes.txt && fail "scores of other audio were taken over"
has '^unbraid: warning: Track00001: S01 is listed but' notes.txt || fail "a lost stem is not said: $(cat notes.txt)"
has '^Track00001: S01 skipped: ' text.txt || fail "the text does not list the skipped stem: $(cat text.txt)"
"$program" benchmark edited -m oracle:irm --metrics sdr --rank-by sdr -q >/dev/null 2>notes.txt
has '^unbraid: warning: Track00001: S01 is listed but' notes.txt || fail "benchmark does not say what is lost: $(cat notes.txt)"

# A damaged track does not stop the others.
cp -r songs broken
echo 'stems: [' >broken/Track00001/metadata.yaml
refuses 1 '1 of 2 tracks failed, Track00001 first: .*metadata.yaml: line' oracle broken --masks ibm -q
grep -q '^Track00002' stdout || fail "the sound track is missing"
rm -r broken/Track00002/stems
refuses 1 'Track00002: no stem can be loaded' oracle broken/Track00002 -q

refuses 1 'gone: no such file or folder' oracle gone
refuses 2 'best: no such mask; there are ibm' oracle songs --masks best
refuses 2 'wiener0: the power of a ratio mask is positive$' oracle songs --masks wiener0
refuses 2 'best: .*psa, cirm, mwf' oracle songs --masks best
refuses 2 'irm: is asked for twice' oracle songs --masks irm,ibm,irm
refuses 2 'need a folder: add -o DIR' oracle songs --save
refuses 2 'hop: the hop divides the window' oracle songs --window 512 --hop 300
for trim in -1 nan inf; do
  refuses 2 'trim: must lie between 0 .the whole track. and 1e6 s$' oracle songs --trim=$trim
done
refuses 2 'hop: Value 0 not in range 1 to 524288' oracle songs --hop 0
refuses 1 'train: no such split: this dataset has none$' oracle songs/Track00001 --split train
refuses 2 'window: the hop is a quarter of the window' oracle songs --window 1002
refuses 2 '' oracle songs --compat notebook
refuses 2 '' oracle songs --random --fewest
refuses 1 'nobody: no such track' oracle songs --track nobody
echo "oracle: fine"
