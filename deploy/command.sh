# Running commands, or printing them where DRY_RUN is set.
# shellcheck shell=bash

# gcloud has to say what it finds, whatever it was configured to: silence would be taken for absence.
export CLOUDSDK_CORE_USER_OUTPUT_ENABLED=true CLOUDSDK_CORE_VERBOSITY=warning CLOUDSDK_CORE_DISABLE_PROMPTS=true

# quoted prints a command so that it can be pasted into a shell.
quoted() {
  local word line='' plain='^[A-Za-z0-9_./:=,@%+-]+$' quote=\' escaped="'\\''"
  for word; do
    [[ $word =~ $plain ]] || word="'${word//$quote/$escaped}'"
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

# attempt PATTERN COMMAND... runs a command, again where it fails with a message of that pattern, for about a minute
# and a half: Google needs a while to make known what was just made. What it printed is in $said.
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
not_yet='SERVICE_DISABLED|has not been used in project|API has not been enabled'

# patiently COMMAND... runs a command that may need what was made a moment ago.
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

# absent CHECK... succeeds where the check says that there is no such thing. Where it fails for another reason, the
# script ends with what it said.
absent() {
  local said
  if attempt "$not_yet" "$@"; then return 1; fi
  if grep -qE 'NOT_FOUND|status=\[404\]|HTTPError 404' <<<"$said"; then return 0; fi
  printf '%s\n' "$said" >&2
  exit 1
}

# unless CHECK... -- COMMAND... runs the command where the check finds nothing.
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

# together COMMAND NAME... runs COMMAND NAME for all names at once. It fails where one failed, and says which to repeat.
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
