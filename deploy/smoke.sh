#!/usr/bin/env bash
# Checks that functions answer as they should for somebody without a session: deploy/smoke.sh NAME...|all
# A function that was just deployed is given a minute, since it becomes public a little later.
set -euo pipefail
unset CDPATH
cd "$(dirname "$0")/.."
. deploy/command.sh
. deploy/settings.sh
names=$(selected "$@")
[ -z "$ALL_IN_ONE" ] || names=$(awk '$2 != "all" { print $1 }' <<<"$FUNCTIONS")

smoke() {
  local want status n
  read -r _ _ _ _ want _ < <(named "$1")
  for n in 1 2 3 4 5 6 7; do
    status=$(curl -q --silent --output /dev/null --max-time 60 --header 'Accept: text/html' \
      --write-out '%{http_code}' "$BASE_URL/$1") || true # then the status is 000
    if [ "$status" = "$want" ]; then
      echo "ok    $BASE_URL/$1 $status"
      return
    fi
    [ "$n" = 7 ] || sleep "${PAUSE:-10}"
  done
  echo "FAIL  $BASE_URL/$1 $status, want $want"
  return 1
}
# shellcheck disable=SC2086 # a list of names
DRY_RUN='' together smoke $names
