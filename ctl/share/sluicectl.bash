# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Completion of sluicectl for bash: options, methods, and the names of what an option takes.

_sluicectl() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} word
  local methods options='--socket --json --help --version'
  methods=$(sluicectl --methods 2>/dev/null)
  COMPREPLY=()
  case $prev in
    --socket)
      mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      return
      ;;
  esac
  if [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
    return
  fi
  # One method a call: after it come its parameters, key=value.
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word != *.* || $word == */* ]] || return
  done
  mapfile -t COMPREPLY < <(compgen -W "watch $methods" -- "$cur")
}
complete -F _sluicectl sluicectl
