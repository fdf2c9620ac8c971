# Running commands, or printing them where DRY_RUN is set.
# shellcheck shell=bash

# quoted prints a command so that it can be pasted into a shell.
quoted() {
  local word line='' plain='^[A-Za-z0-9_./:=,@%+-]+$'
  for word; do
    [[ $word =~ $plain ]] || word="'${word//\'/\'\\\'\'}'"
    line+=" $word"
  done
  printf '%s' "${line# }"
}

# run prints a command and runs it.
run() {
  if [ -n "${DRY_RUN-}" ]; then
    printf '%s\n' "$(quoted "$@")"
    return
  fi
  printf '+ %s\n' "$(quoted "$@")" >&2
  "$@"
}

# unless CHECK... -- COMMAND... runs the command where the check fails.
unless() {
  local check=()
  while [ "$1" != -- ]; do
    check+=("$1")
    shift
  done
  shift
  if [ -n "${DRY_RUN-}" ]; then
    printf '%s >/dev/null 2>&1 || %s\n' "$(quoted "${check[@]}")" "$(quoted "$@")"
  elif ! "${check[@]}" >/dev/null 2>&1; then
    run "$@"
  fi
}
