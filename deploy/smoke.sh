#!/usr/bin/env bash
# Asks every function for the answer that a visitor without a session gets: deploy/smoke.sh NAME...|all
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# = 0 ]; then
  echo 'usage: deploy/smoke.sh NAME...|all' >&2
  exit 2
fi
. deploy/settings.sh

failed=0
lines=$(selected "$@")
while read -r name _ _ _ _ _ _ visitor _; do
  status=$(curl --silent --output /dev/null --max-time 60 --header 'Accept: text/html' \
    --write-out '%{http_code}' "$BASE_URL/$name") || true # then the status is 000
  if [ "$status" = "$visitor" ]; then
    echo "ok    $BASE_URL/$name $status"
  else
    echo "FAIL  $BASE_URL/$name $status, want $visitor"
    failed=1
  fi
done <<<"$lines"
exit "$failed"
