#!/usr/bin/env bash
# Completion and the manual page: what the shells are offered for a half-typed command.
source "$(dirname "$0")/harness.sh"
mkdir "$folder/bin"
ln -s "$program" "$folder/bin/unbraid"
PATH=$folder/bin:$PATH

# bash: call the function as readline would, with words cut at = and :.
for shell in bash zsh fish; do unbraid completion $shell >"$folder/$shell"; done
bash -n "$folder/bash" || fail "the bash script does not parse"
source "$folder/bash"
complete -p unbraid | has -- '-F _unbraid' || fail "bash does not know the completion function"

completes() { # completes "expected words" word…: the last word is the one being typed
  local expected=$1
  shift
  COMP_WORDS=("$@")
  COMP_CWORD=$(($# - 1))
  _unbraid 2>/dev/null || true  # compopt works only while readline completes
  local got="${COMPREPLY[*]-}"
  [ "$got" = "$expected" ] || fail "'$*' completes to '$got', not to '$expected'"
}
completes "completion" unbraid complet
completes "bash" unbraid completion ba
completes "bash fish zsh" unbraid completion ""
completes "--threads" unbraid --thr
completes "completion" unbraid --threads 2 complet
completes "" unbraid --threads ""
completes "--json" unbraid completion --j
completes "" unbraid man nothing
completes "classic4" unbraid separate -m class
export XDG_CACHE_HOME=$folder/cache
completes "umxl" unbraid separate -m umxl
completes "umxl" unbraid models pull umxl
completes "umxl" unbraid models info umxl
completes "" unbraid models rm umxl
mkdir -p cache/unbraid/models/mine_own
printf '{"schema": "unbraid.catalogue/1", "models": [{"name": "mine_own", "family": "scnet", "authors": [], "stems": ["vocals"], "scores": [],
  "files": [{"role": "weights", "name": "w.ckpt", "urls": []}]}]}' >cache/unbraid/models/mine_own/installed.json
touch cache/unbraid/models/mine_own/w.ckpt
completes "mine_own" unbraid models rm mine
completes "mine_own" unbraid separate -m mine
completes "mine_own" unbraid models export mine
completes "" unbraid models pull mine_
"$program" models ls --installed | has '^default ' && completes "default" unbraid separate -m def
completes "vocals,drums" unbraid separate song.wav --stems vocals,dr
completes "kernel_frames=" unbraid separate -m hpss --param kernel_f
completes "soft" unbraid separate -m hpss --param mask = s
completes "" unbraid separate -m lowpass --param kernel_f
completes "flac" unbraid separate --format = f
completes "--stems" unbraid separate song.wav --ste
completes "ls info pull rm import export verify parity" unbraid models ""
completes "" unbraid nonsense --nonsense=
[[ " $(unbraid complete -- "" | cut -f1 | tr '\n' ' ') " != *" complete "* ]] || fail "a hidden verb is offered"

# Every verb and option that the program declares is offered.
for verb in $(unbraid complete -- "" | grep -v '^:' | cut -f1); do
  for option in $(unbraid "$verb" --help | grep -oE '^  (-.,)?--[a-z-]+' | grep -oE -- '--[a-z-]+'); do
    unbraid complete -- "$verb" -- | cut -f1 | grep -x -- "$option" >/dev/null || fail "$verb $option is not offered"
  done
done

if command -v zsh >/dev/null; then
  # The functions of zsh's completion system, replaced by ones that print what they are given.
  offered=$(zsh -f -c "compdef() { :; }; _describe() { print -r -- \${(P)2}; }
    source $folder/zsh; words=(unbraid completion ''); CURRENT=3; _unbraid")
  [ "$offered" = "bash: fish: zsh:" ] || fail "zsh offers '$offered'"
fi
if command -v fish >/dev/null; then
  offered=$(HOME=$folder fish --private -c "source $folder/fish; complete -C 'unbraid completion '" | cut -f1 | tr '\n' ' ')
  [ "$offered" = "bash fish zsh " ] || fail "fish offers '$offered'"
fi

# Methods and their declared parameters are in the manual page.
unbraid man >"$folder/page"
grep -q '^.SS hpss' "$folder/page" || fail "the manual page lacks a method"

# The manual page names every verb and troff has nothing to complain about.
unbraid man >"$folder/unbraid.1"
for verb in $(unbraid complete -- "" | grep -v '^:' | cut -f1); do
  grep -q "^.SS.*unbraid $verb" "$folder/unbraid.1" || fail "the manual page lacks $verb"
done
if command -v groff >/dev/null; then
  warnings=$(groff -man -Tutf8 -ww -z "$folder/unbraid.1" 2>&1)
  [ -z "$warnings" ] || fail "groff: $warnings"
fi
if command -v mandoc >/dev/null; then
  mandoc -T lint -W error "$folder/unbraid.1" || fail "mandoc finds errors"
fi
echo "completion and manual page: fine"
