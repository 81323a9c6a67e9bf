#!/usr/bin/env bash
# unbraid separate from the outside: what it writes, and that bad input gives one clear line, the right exit status and
# leaves nothing behind.
source "$(dirname "$0")/harness.sh"
demo=$repository/demo/mixture.flac
at_exit() { umount small 2>/dev/null; }
method=lowpass # the quickest

run() { # run arguments…: exit status in $status, output in the files stdout and stderr
  status=0
  "$program" separate -q -m $method "$@" >stdout 2>stderr </dev/null || status=$?
}

works() { # works arguments…
  run "$@"
  [ "$status" = 0 ] || fail "'$*' exits with $status"
}

refused() { # refused STATUS PATTERN argument…: nothing on standard output, and no output folder
  refuses "$1" "$2" separate -m $method -o out "${@:3}"
  [ ! -s stdout ] || fail "'$*' prints to standard output"
  [ ! -e out ] || fail "'$*' leaves $(find out)"
}

little_endian() { # little_endian bytes value
  local value=$2
  for _ in $(seq "$1"); do
    printf "\\x$(printf %02x $((value % 256)))"
    value=$((value / 256))
  done
}

wav() { # wav format channels bits data_bytes: a header; format 1 integer, 3 float
  local bytes=$(($2 * $3 / 8))
  printf RIFF
  little_endian 4 $((36 + $4))
  printf 'WAVEfmt '
  little_endian 4 16
  little_endian 2 "$1"
  little_endian 2 "$2"
  little_endian 4 44100
  little_endian 4 $((44100 * bytes))
  little_endian 2 $bytes
  little_endian 2 "$3"
  printf data
  little_endian 4 "$4"
}

tone() { # tone bytes: a loud 16-bit pattern
  head -c "$1" < <(yes '@@@AAAA')
}

# --- What it writes -----------------------------------------------------------------------------------------------
{ wav 1 2 16 400000; tone 400000; } >song.wav
works song.wav -o out
[ -s out/song/low.wav ] && [ -s out/song/high.wav ] && [ -s out/song/manifest.json ] || fail "stems are missing"
bytes=$(stat -c %s out/song/low.wav) # the samples and a header, which may hold more than that of the input
[ "$bytes" -ge 400044 ] && [ "$bytes" -lt 401000 ] || fail "a stem has another length or format than its input"
[ "$(ls -A out/song | wc -l)" = 3 ] || fail "there is more than the stems and the manifest"

run song.wav -o out
[ "$status" = 1 ] && grep -q 'exists already' stderr || fail "existing stems are not kept"
works song.wav -o out --resume
grep -q 'done already' stdout || fail "--resume does not skip what is done"
works song.wav -o out --overwrite
cp out/song/low.wav low.wav
run out/song/low.wav -o out/song/.. --overwrite # into out/low: another folder
[ "$status" = 0 ] || fail "a stem cannot be separated again"
cp low.wav out/low/low.wav
run out/low/low.wav -o out --overwrite
[ "$status" = 1 ] && grep -q 'would replace the recording' stderr || fail "the input would be overwritten"
cmp -s low.wav out/low/low.wav || fail "the input was overwritten"
rm -r out

works song.wav -o out --json --format flac --bit-depth 24 --two-stems low --derive 'half=0.5*mix'
grep -q '^{"schema":"unbraid.separate/1","inputs":\[{"input":"song.wav","output":"out/song","method":"lowpass",' stdout ||
  fail "--json is no unbraid.separate/1"
for field in duration_s wall_s realtime_factor peak_memory_bytes residual_db rms_db peak_db energy_share; do
  grep -q "\"$field\":" stdout || fail "--json lacks $field"
done
[ "$(wc -l <stdout)" = 1 ] || fail "--json prints more than a document"
[ "$(echo out/song/*.flac)" = "out/song/half.flac out/song/low.flac out/song/no_low.flac" ] || fail "wrong stems"
rm -r out

works song.wav -o out --plan
grep -q 'blocks of' stdout && [ ! -e out ] || fail "--plan does not say what it would do, or does it"
works song.wav -o out --plan --json
grep -q '"schema":"unbraid.plan/1"' stdout || fail "--plan --json is no document"

mkdir -p 'album/disc 1'
cp song.wav 'album/disc 1/日本 🎵.wav'
cp song.wav album/one.wav
echo rubbish >album/._one.wav
works album -o out
[ -s 'out/disc 1/日本 🎵/low.wav' ] && [ -s out/one/low.wav ] || fail "a folder's tracks are missing"
[ "$(find out -name manifest.json | wc -l)" = 2 ] || fail "not two tracks of a folder"
rm -r out

"$program" separate -q -m $method - -o out <song.wav >/dev/null || fail "standard input"
[ -s out/stdin/low.wav ] || fail "standard input gives no stems"
"$program" separate -q -m $method - -o out --resume <"$demo" >stdout 2>stderr &&
  fail "--resume takes one standard input for another"
has 'exists already' stderr || fail "--resume on standard input does not say what is in the way"
"$program" separate -q -m $method song.wav --stems low -o - 2>/dev/null >piped.wav || fail "standard output"
cmp -s piped.wav out/stdin/low.wav || fail "standard output differs from the file"
rm -r out

{ wav 3 1 32 4; printf '\0\0\0\x3f'; } >one.wav
works one.wav -o out
[ "$(stat -c %s out/one/low.wav)" = "$(stat -c %s out/one/high.wav)" ] || fail "one sample"
rm -r out

works "$demo" -o out --format mp3 --stems low
cp out/mixture/low.mp3 song.mp3
works song.mp3 -o out
[ -s out/song/low.mp3 ] || fail "MP3 to MP3"
rm -r out

printf '\0\0\x40\x40' >three # 3.0
{ wav 3 1 32 4; cat three; } >loud.wav
status=0
"$program" separate -m $method loud.wav --param "$("$program" models info $method | awk '/^cutoff/ {print $1; exit}')=20000" \
  -o out --bit-depth 16 >/dev/null 2>stderr || status=$?
[ "$status" = 0 ] && grep -q 'samples\? clipped' stderr || fail "clipped samples are not reported"
rm -r out

# --- Bad input ------------------------------------------------------------------------------------------------------
refused 1 "missing.wav: no such file" missing.wav
mkdir empty
refused 1 "no audio files" empty
: >nothing.wav
refused 1 "nothing.wav" nothing.wav
echo "this is text" >text.wav
refused 1 "text.wav" text.wav
head -c 60000 "$demo" >cut.flac
refused 1 "cut.flac" cut.flac
head -c 60000 song.mp3 >cut.mp3
refused 1 "cut.mp3" cut.mp3
head -c 100000 song.wav >cut.wav
refused 1 "cut.wav" cut.wav
{ wav 3 1 32 8; printf '\0\0\0\0\0\0\xc0\x7f'; } >nan.wav
refused 1 "nan.wav: sample 1 of channel 1 is not a finite number" nan.wav
{ wav 3 1 32 8; printf '\0\0\0\0\0\0\x80\x7f'; } >infinite.wav
refused 1 "infinite.wav: sample 1 of channel 1 is not a finite number" infinite.wav
wav 1 2 16 0 >no_frames.wav
refused 1 "no_frames.wav" no_frames.wav
{ wav 1 0 16 4; printf 'abcd'; } >no_channels.wav
refused 1 "no_channels.wav" no_channels.wav

refused 2 "nonsense: no such stem; there are low, high" song.wav --stems nonsense
refused 2 "nonsense" song.wav --two-stems nonsense
refused 2 "nonsense" song.wav --derive 'x=nonsense'
refused 2 "expected" song.wav --derive 'x=mix+'
refused 2 "nonsense" song.wav --param nonsense=1
refused 2 "name=value" song.wav --param nonsense
refused 2 "out of range" song.wav --param "$("$program" models info $method | awk '/^cutoff/ {print $1; exit}')=-5"
refused 2 "overlap" song.wav --overlap 1.5
refused 2 "overlap" song.wav --overlap nan
refused 2 "song.wav: a file of type wav has no bit rate" song.wav --bitrate 128
refused 2 "shifts" song.wav --shifts -1
refused 2 "format" song.wav --format exe
refused 2 "threads" song.wav --threads 1000000
refused 2 "flac cannot hold float32" song.wav --format flac --bit-depth 32f
# A list does not swallow what comes behind it.
works --stems low song.wav -o out --format mp3 --bitrate 64
[ "$(ls out/song | tr '\n' ' ')" = "low.mp3 manifest.json " ] || fail "--stems low: $(ls out/song)"
works --derive 'half=0.5*mix' song.wav -o out --overwrite
works --param "$("$program" models info $method | awk '/^cutoff/ {print $1; exit}')=200" song.wav -o out --overwrite
rm -r out
refused 2 "no bit depth" song.wav --format mp3 --bit-depth 16
refused 2 "did you mean hpss" song.wav -m hpps
refused 2 "precision" song.wav --precision fp8
refused 1 "CUDA" song.wav --device cuda
refused 2 "no such device" song.wav --device tpu
refused 2 "input" # none
refused 2 "nonsense" song.wav --nonsense
refused 1 "the 10 MB that it may take" song.wav --max-memory 10M
refused 1 "the 11 MB that it may take" song.wav --max-memory 10MiB
refused 2 "max-memory" song.wav --max-memory -5
refused 2 "max-memory" song.wav --max-memory 0
refused 2 "max-memory" song.wav --max-memory 2X
works song.wav -o out --max-memory 1.5GiB
rm -r out
refused 2 "max-memory" song.wav --max-memory lots

echo file >in_the_way
run song.wav -o in_the_way
[ "$status" = 1 ] && [ "$(wc -l <stderr)" = 1 ] || fail "an output that is a file"
[ "$(cat in_the_way)" = file ] || fail "a file in the way was changed"
if [ "$(id -u)" != 0 ]; then
  mkdir locked && chmod a-w locked
  run song.wav -o locked
  [ "$status" = 1 ] && [ "$(wc -l <stderr)" = 1 ] || fail "an output folder that cannot be written"
fi

mkdir small
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=300k none small 2>/dev/null; then
  run song.wav -o small/out
  [ "$status" = 1 ] && [ "$(wc -l <stderr)" = 1 ] || fail "a full disk exits with $status"
  [ -z "$(ls -A small)" ] || fail "a full disk keeps $(find small)"
else
  echo "not checked: a full disk (needs root and mount)"
fi

# One of several fails: the others are done, and it is named at the end.
run song.wav text.wav one.wav -o out
[ "$status" = 1 ] && [ -s out/song/low.wav ] && [ -s out/one/low.wav ] || fail "one failure stops the others"
tail -n 1 stderr | has '1 of 3 inputs failed: text.wav' || fail "the failure is not named at the end"
[ "$(ls out | wc -l)" = 2 ] || fail "the failed input leaves a folder"
rm -r out

# Ctrl-C.
wav 1 2 16 800000000 >long.wav
truncate -s 800000044 long.wav
env --default-signal=INT "$program" separate -q -m hpss long.wav -o out >stdout 2>stderr & # a script's jobs ignore it
job=$!
for _ in $(seq 100); do [ -e out/long ] && break || sleep 0.1; done
[ -e out/long ] || fail "nothing was begun"
kill -INT $job
status=0
wait $job || status=$?
[ "$status" = 1 ] && [ "$(wc -l <stderr)" = 1 ] && [ ! -e out ] || fail "Ctrl-C exits with $status and leaves $(find out)"

# A stop while standard input is awaited, which never comes.
mkfifo pipe
exec 9<>pipe
"$program" separate -m $method - -o out <pipe >stdout 2>stderr &
job=$!
for _ in $(seq 100); do [ -s stderr ] && break || sleep 0.1; done # its first line: it is about to read
sleep 0.5
kill -TERM $job
for _ in $(seq 100); do kill -0 $job 2>/dev/null || break; sleep 0.1; done
kill -KILL $job 2>/dev/null && fail "a stop does not end the waiting for standard input"
status=0
wait $job || status=$?
[ "$status" = 1 ] && [ ! -e out ] || fail "a stop while standard input is awaited exits with $status"
tail -n 1 stderr | has 'cancelled' || fail "a stop while standard input is awaited is not called one"
exec 9>&-

# A signal that is ignored from the start, as by nohup, stays ignored.
exec 9<>pipe
(trap '' INT HUP TERM; exec "$program" separate -m $method - -o out <pipe >stdout 2>stderr 9>&-) &
job=$!
for _ in $(seq 100); do [ -s stderr ] && break || sleep 0.1; done
for signal in INT HUP TERM; do kill -$signal $job; done
sleep 0.5
jobs -rp | has "^$job$" || fail "an ignored signal ends the program: $(cat stderr)"
cat song.wav >pipe
exec 9>&-
wait $job || fail "an ignored signal ends the work: $(cat stderr)"
[ -s out/stdin/low.wav ] || fail "no stems after an ignored signal"
rm -r out

# A name that would lead out of the output folder, and no home.
cp song.wav ...wav
works ...wav -o out
[ -s out/...wav/low.wav ] && [ "$(ls -A out)" = ...wav ] || fail "a dotted name leads to $(find out)"
rm -r out ...wav
env -u HOME -u XDG_CACHE_HOME -u XDG_CONFIG_HOME "$program" separate -q -m $method song.wav -o out >stdout 2>stderr || fail "no home"
rm -r out
env -u HOME -u XDG_CACHE_HOME -u XDG_CONFIG_HOME "$program" models ls >stdout 2>stderr || fail "models ls without a home"

# Documents name what failed; one file that does not fit does not stop the others.
works song.wav -o flacs --format flac
cp flacs/song/low.flac fits_not.flac
run fits_not.flac song.wav text.wav -o out --bit-depth 32f --json
[ "$status" = 1 ] && [ -s out/song/low.wav ] || fail "a file that does not fit stops the others: status $status"
has '"failed":\[{"input":"fits_not.flac","error":"fits_not.flac: a file of type flac cannot hold float32"},{"input":"text.wav"' stdout ||
  fail "--json hides what failed: $(cat stdout)"
tail -n 1 stderr | has '2 of 3 inputs failed: fits_not.flac, text.wav' || fail "not both are named at the end"
rm -r out
run song.wav text.wav --plan --json
[ "$status" = 1 ] && has '"failed":\[{"input":"text.wav","error":"text.wav: ' stdout || fail "--plan --json hides what failed"
refuses 1 '^unbraid: text.wav: ' separate -m $method text.wav --plan
run fits_not.flac flacs/song/high.flac -o out --bit-depth 32f
[ "$status" = 2 ] || fail "wrong usage for all inputs exits with $status"

# An overwrite leaves nothing of the run before.
works song.wav -o out --two-stems low
works song.wav -o out --overwrite
[ "$(ls out/song | tr '\n' ' ')" = "high.wav low.wav manifest.json " ] || fail "--overwrite leaves $(ls out/song)"
rm -r out

# What the files do to stems that add up; rates that a type does not hold; faults of the input.
works song.wav -o out --consistent
has 'exactly, before rounding to 16 bits' stdout || has 'dB against the mixture' stdout || fail "16 bits are called exact"
rm -r out
works "$demo" -o out --format ogg --stems low
head -c $(($(stat -c %s out/mixture/low.ogg) * 3 / 4)) out/mixture/low.ogg >cut.ogg
rm -r out
works cut.ogg -o out
has 'warning: cut.ogg: may be cut short' stderr || fail "a cut Ogg file is separated without a word"
rm -r out
echo "all checks passed"
