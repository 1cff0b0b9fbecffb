# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Completion of sluicectl for bash: options, methods, their parameters, notifications. The program
# itself knows them all and needs no relay for that.

# The parameters of a method, as key=.
_sluicectl_keys() {
  "$1" --help "$2" 2>/dev/null | awk '
    /^parameters:/ {on = 1; next}
    /^[^ ]/ {on = 0}
    on && $1 !~ /^\(|\[/ {print $1 "="}'
}

_sluicectl() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} i words='' verb='' method=''
  COMPREPLY=()
  # Bash takes = and : for ends of words.
  [[ $prev != = && $cur != = ]] || return
  case $prev in
    --socket)
      mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      return
      ;;
    --interval | --count) return ;;
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --socket | --interval | --count) i=$((i + 1)) ;;
      -*) ;;
      watch | listen) verb=${COMP_WORDS[i]} ;;
      *.*) [ -n "$method" ] || method=${COMP_WORDS[i]} ;;
    esac
  done
  if [[ $cur == -* ]]; then
    words='--socket --json --interval --count --methods --events --version --help'
  elif [ "$verb" = listen ]; then
    words=$("$1" --events 2>/dev/null)
  elif [ -n "$method" ]; then
    words=$(_sluicectl_keys "$1" "$method")
    compopt -o nospace 2>/dev/null
  else
    words=$("$1" --methods 2>/dev/null)
    [ -n "$verb" ] || words="watch listen $words"
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _sluicectl sluicectl
