#!/usr/bin/env bash
# unbraid models pull, verify, rm, import and separate -m NAME, against a server on the loopback; Ctrl-C in the middle.
source "$(dirname "$0")/harness.sh"
needs_fixtures models/mdx23c
command -v python3 >/dev/null || skip "no python3 for the server"
needs_torch
model=$(realpath "$fixtures/models/mdx23c")
song=$(realpath "$fixtures/audio/real_mix.flac")
at_exit() { kill "$server" 2>/dev/null; }
export XDG_CACHE_HOME=$folder/cache XDG_CONFIG_HOME=$folder/config
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy
mkdir -p config/unbraid served
cp "$model/model.ckpt" "$model/config.yaml" served/

# Serves files by range; /slow/ sends a little and then waits.
cat >server.py <<'PYTHON'
import http.server, os, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        slow = self.path.startswith('/slow/')
        body = open('served/' + os.path.basename(self.path), 'rb').read()
        start = int(self.headers.get('Range', 'bytes=0-')[6:].split('-')[0])
        with open('requests', 'a') as log: log.write('%s %d\n' % (self.path, start))
        self.send_response(206 if start else 200)
        if start: self.send_header('Content-Range', 'bytes %d-%d/%d' % (start, len(body) - 1, len(body)))
        self.send_header('Content-Length', str(len(body) - start))
        self.end_headers()
        if slow and not start:
            self.wfile.write(body[:50000]); self.wfile.flush(); time.sleep(60)
        self.wfile.write(body[start:])
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
open('port.new', 'w').write(str(server.server_port)); os.rename('port.new', 'port')
server.serve_forever()
PYTHON
python3 server.py &
server=$!
for _ in $(seq 100); do [ -s port ] && break; sleep 0.1; done
url=http://127.0.0.1:$(cat port)

# entry NAME PATH HASH
entry() {
  printf '{"name": "%s", "family": "mdx23c", "authors": [], "stems": ["vocals", "bass", "drums", "other"], "paper": null,
    "scores": [], "licence": null, "commercial_use": null, "source": "here", "files": [
    {"role": "weights", "name": "model.ckpt", "urls": ["%s/%s/model.ckpt"], "sha256": "%s"},
    {"role": "config", "name": "config.yaml", "urls": ["%s/config.yaml"], "sha256": null}]}' "$1" "$url" "$2" "$3" "$url"
}
hash=$(sha256sum served/model.ckpt | cut -d' ' -f1)
printf '{"schema": "unbraid.catalogue/1", "models": [%s, %s, %s]}' "$(entry tiny fast "$hash")" "$(entry slow slow "$hash")" \
  "$(entry wrong fast 0000000000000000000000000000000000000000000000000000000000000000)" >config/unbraid/mine.json

store=cache/unbraid/models
"$program" separate "$song" -m tiny -q -o out 2>stderr && fail "a model that is not there was used"
has 'models pull tiny' stderr || fail "no advice"
"$program" models pull tiny -q >/dev/null || fail "pull"
[ -s $store/tiny/model.ckpt ] || fail "no weights in $store"
"$program" models ls --installed | has tiny || fail "ls --installed does not show it"
"$program" models ls --family mdx23c --json >ls.json
has '"name":"tiny"' ls.json || fail "ls --family does not show it"
has '"licence":null' ls.json || fail "no licence field"
"$program" models ls --stem drums --sort quality >ls.txt
has htdemucs ls.txt || fail "the catalogue's own models are missing"
"$program" models info tiny | has 'licence: not stated' || fail "info does not say what is not stated"
"$program" separate "$song" -m tiny -q -o out || fail "separate with a pulled model"
[ -s out/real_mix/drums.flac ] || fail "no drums"

"$program" models verify >/dev/null || fail "verify of good files"
printf x >>$store/tiny/model.ckpt
"$program" models verify tiny >verify.txt 2>stderr && fail "a changed file was called good"
has 'has changed' verify.txt || fail "verify does not say what is wrong: $(cat verify.txt)"
[ -e $store/tiny/model.ckpt.corrupt ] || fail "the changed file was not set aside"
"$program" models pull tiny -q >/dev/null && "$program" models verify tiny >/dev/null || fail "pull did not repair it"

"$program" models pull wrong -q 2>stderr && fail "wrong bytes were accepted"
has 'SHA-256' stderr || fail "no word of the hash"
[ ! -e $store/wrong/model.ckpt ] || fail "wrong bytes got the name"

env --default-signal=INT "$program" models pull slow -q 2>stderr &
pull=$!
for _ in $(seq 100); do [ "$(stat -c %s $store/slow/model.ckpt.part 2>/dev/null || echo 0)" -ge 1000 ] && break; sleep 0.1; done
kill -INT $pull
status=0
wait $pull || status=$?
[ "$status" -eq 1 ] || fail "status $status after Ctrl-C"
[ "$(ls $store/slow)" = model.ckpt.part ] || fail "left behind: $(ls $store/slow)"
"$program" models pull slow -q >/dev/null || fail "the part was not taken up"
has -E '^/slow/model.ckpt [1-9]' requests || fail "it was not resumed by range: $(cat requests)"

"$program" models import "$model/model.safetensors" --config "$model/config.yaml" --name mine -q >/dev/null || fail "import"
"$program" models info mine | grep 'family\|mdx23c' >matched || fail "info of an imported model"
"$program" models import "$model/model.safetensors" --config "$model/config.yaml" --name described -q --licence MIT --author Ada \
  --description "for tests" --source "my disk" --training "my songs" >/dev/null || fail "import with a card"
"$program" models info described >info.txt
for line in 'licence: MIT' 'authors: Ada' 'note: for tests' 'facts from: my disk' 'trained on: my songs'; do
  has -F "$line" info.txt || fail "the card lost '$line': $(cat info.txt)"
done
"$program" models info described --json | has '"files":\[{"role":"weights",' || fail "files[] without a role"
refuses 2 'precision: makes another file' models import "$model/model.safetensors" --config "$model/config.yaml" --name half --precision fp16
refuses 2 'overwrite: goes with -o' models import "$model/model.safetensors" --config "$model/config.yaml" --name mine --overwrite
refuses 2 'a method is called so' models import "$model/model.safetensors" --config "$model/config.yaml" --name hpss
"$program" models export described -o exported -q || fail "export of a model by name"
[ -s exported/model.safetensors ] || fail "nothing was exported"
# The name of an import is not pulled over, nor is its damage forgotten.
cp "$model/model.safetensors" other.safetensors
"$program" models rm tiny -q >/dev/null
"$program" models import other.safetensors --config "$model/config.yaml" --name tiny -q >/dev/null || fail "import under a name of the catalogue"
refuses 1 'there is another model of that name' models pull tiny
"$program" models rm tiny -q >/dev/null && "$program" models pull tiny -q >/dev/null || fail "pull after rm"
printf x >>$store/described/model.safetensors
for _ in 1 2 3; do
  "$program" models verify >verify.txt 2>stderr && fail "damage was forgotten"
  has 'described: model.safetensors: .*import it again' verify.txt || fail "verify gives no advice: $(cat verify.txt)"
done
refuses 2 'described: damaged: model.safetensors is missing; remove it' separate "$song" -m described -o none
refuses 2 'did you mean described' separate "$song" -m descibed -o none
"$program" models rm described -q >/dev/null || fail "rm of a damaged model"
"$program" models import "$model/model.safetensors" --config "$model/../scnet/config.yaml" -q 2>stderr && fail "a wrong configuration was imported"
# Models of several files: a folder of Open-Unmix, a bag of demucs with its package.
"$program" models import "$model/../openunmix/" --name targets -q >/dev/null || fail "import of a folder"
"$program" models import "$model/../htdemucs/fixture_ht.yaml" -q >/dev/null || fail "import of a bag"
[ "$(ls $store/fixture_ht | tr '\n' ' ')" = "fixture_ht.yaml installed.json model-29814b9b.th " ] || fail "of the bag: $(ls $store/fixture_ht)"
"$program" models verify targets fixture_ht >matched || fail "imported files are not good: $(cat matched)"
"$program" separate "$song" -m targets --param niter=0 --stems drums -o of_a_folder -q || fail "separate with an imported folder"
"$program" separate "$song" -m fixture_ht --stems drums -o of_a_bag -q || fail "separate with an imported bag"
[ -s of_a_folder/real_mix/drums.flac ] && [ -s of_a_bag/real_mix/drums.flac ] || fail "no drums"
# A recipe of a method and a package beside it.
mkdir recipe && cp "$model/../htdemucs/model-29814b9b.th" recipe/
printf 'ensemble:\n  members:\n    - model: model-29814b9b.th\n    - model: classic4\n' > recipe/both.yaml
"$program" models import recipe/both.yaml -q >/dev/null || fail "import of a recipe"
"$program" models info recipe/both.yaml | has 'both.yaml: recipe' || fail "info of a recipe"
"$program" models info recipe/both.yaml --json | has '"family":"recipe","stems":\["' || fail "info of a recipe as JSON"
"$program" models verify recipe/both.yaml | has sound || fail "verify of a recipe"
refuses 2 'is several models' models export both -o exported_both
[ "$(ls $store/both | tr '\n' ' ')" = "both.yaml installed.json model-29814b9b.th " ] || fail "of the recipe: $(ls $store/both)"
rm -r recipe && "$program" separate "$song" -m both --stems drums -o of_both -q || fail "separate with an imported recipe"
printf 'chain:\n  - model: %s\n' "$PWD/of_both/real_mix/drums.flac" > far.yaml
refuses 2 'lies elsewhere' models import far.yaml
"$program" models import "$model/../htdemucs/fixture_ht.yaml" -o bag.safetensors -q 2>stderr && fail "a bag was written as one model"
"$program" models rm targets fixture_ht -q >/dev/null || fail "rm of models of several files"

"$program" models rm mine tiny -q >/dev/null || fail "rm"
[ ! -e $store/mine ] && [ ! -e $store/tiny ] || fail "rm left something"
"$program" models rm tiny 2>stderr && fail "rm of nothing"

kill "$server"
wait "$server" 2>/dev/null || true
"$program" models pull tiny -q 2>stderr && fail "pull without a server"
has 'no connection' stderr || fail "no word of the connection"
[ "$(wc -l <stderr)" -eq 1 ] || fail "not one line"
echo "catalogue: fine"
