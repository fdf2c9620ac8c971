# Functions that run commands, or print them where DRY_RUN is set. Scripts source this file.
# shellcheck shell=bash

# gcloud has to print what it finds, however the user has configured it: silence would be taken for absence.
export CLOUDSDK_CORE_USER_OUTPUT_ENABLED=true CLOUDSDK_CORE_VERBOSITY=warning CLOUDSDK_CORE_DISABLE_PROMPTS=true

# quoted COMMAND... prints a command so that it can be pasted into a shell.
quoted() {
  local word line='' plain='^[A-Za-z0-9_./:=,@%+-]+$' quote=\' escaped="'\\''"
  for word; do
    [[ $word =~ $plain ]] || word="'${word//$quote/$escaped}'"
    line+=" $word"
  done
  printf '%s' "${line# }"
}

# run COMMAND... prints a command and runs it.
run() {
  if [ -n "${DRY_RUN-}" ]; then
    printf '%s\n' "$(quoted "$@")"
    return
  fi
  printf '+ %s\n' "$(quoted "$@")" >&2
  "$@"
}

# attempt PATTERN COMMAND... runs a command, and repeats it for about a minute and a half while it fails with a message
# that matches the pattern: what was just made at Google takes a while to be known everywhere. $said then holds what the
# command printed last.
attempt() {
  local pattern=$1 n
  shift
  for n in 1 2 3 4 5 6 7; do
    if said=$("$@" 2>&1); then return 0; fi
    if [ "$n" = 7 ] || ! grep -qE "$pattern" <<<"$said"; then return 1; fi
    echo "Google does not know everything yet: once more in ${PAUSE:=15} s" >&2
    sleep "$PAUSE"
  done
}
# What gcloud says of an API that was just switched on.
not_yet='SERVICE_DISABLED|has not been used in project|API has not been enabled'

# patiently COMMAND... is run for a command that may need what was made a moment ago: it is repeated as by attempt.
patiently() {
  if [ -n "${DRY_RUN-}" ]; then
    run "$@"
    return
  fi
  printf '+ %s\n' "$(quoted "$@")" >&2
  local said
  if attempt "$not_yet|does not exist|NOT_FOUND|not found|ABORTED|concurrent" "$@"; then
    printf '%s\n' "$said" >&2
    return
  fi
  printf '%s\n' "$said" >&2
  return 1
}

# absent CHECK... succeeds if the command CHECK fails because there is no such thing. If CHECK fails for another reason,
# the script ends with what it printed.
absent() {
  local said
  if attempt "$not_yet" "$@"; then return 1; fi
  if grep -qE 'NOT_FOUND|status=\[404\]|HTTPError 404' <<<"$said"; then return 0; fi
  printf '%s\n' "$said" >&2
  exit 1
}

# unless CHECK... -- COMMAND... runs COMMAND if CHECK finds nothing: see absent.
unless() {
  local check=()
  while [ "$1" != -- ]; do
    check+=("$1")
    shift
  done
  shift
  if [ -n "${DRY_RUN-}" ]; then
    printf '%s >/dev/null 2>&1 || %s\n' "$(quoted "${check[@]}")" "$(quoted "$@")"
  elif absent "${check[@]}"; then
    patiently "$@"
  fi
}

# together COMMAND NAME... runs COMMAND NAME for all names at once. It fails if one fails, and prints what to repeat.
together() {
  local command=$1 name i=0 pids=() log well='' failed=''
  shift
  if [ -n "${DRY_RUN-}" ]; then
    for name; do "$command" "$name"; done
    return
  fi
  log=$(mktemp -d)
  for name; do
    (set -e; "$command" "$name") >"$log/$name" 2>&1 </dev/null &
    pids[i]=$!
    i=$((i + 1))
  done
  i=0
  for name; do
    if wait "${pids[i]}"; then well+=" $name"; else failed+=" $name"; fi
    sed "s/^/$name: /" "$log/$name" >&2
    i=$((i + 1))
  done
  rm -r "$log"
  [ -z "$well" ] || echo "done:$well" >&2
  [ -z "$failed" ] || {
    echo "FAILED:$failed. Repeat with: $0${ACTION:+ $ACTION}$failed" >&2
    return 1
  }
}
