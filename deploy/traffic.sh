#!/usr/bin/env bash
# Gives a function's traffic to the revision before the one that serves, or to the latest one again:
# deploy/traffic.sh back|latest NAME...|all
# DRY_RUN=1 prints the commands of latest.
set -euo pipefail
unset CDPATH
cd "$(dirname "$0")/.."
. deploy/command.sh
ACTION=${1-} ACTION_USAGE='back|latest '
case $ACTION in
  back | latest) shift ;;
  *)
    echo "usage: $0 ${ACTION_USAGE}NAME...|all" >&2
    exit 2
    ;;
esac
. deploy/settings.sh
names=$(selected "$@")
place=(--project="$GOOGLE_CLOUD_PROJECT" --region="$REGION")

latest() { run gcloud run services update-traffic "$1" "${place[@]}" --to-latest; }

back() {
  local serving revisions before
  serving=$(gcloud run services describe "$1" "${place[@]}" --format='value(status.traffic[0].revisionName)')
  revisions=$(gcloud run revisions list --service="$1" "${place[@]}" --sort-by=~metadata.creationTimestamp \
    --filter='status.conditions[0].status=True' --format='value(metadata.name)')
  before=$(awk -v serving="$serving" 'found { print; exit } $1 == serving { found = 1 }' <<<"$revisions")
  if [ -z "$before" ]; then
    echo "no revision before $serving"
    return 1
  fi
  run gcloud run services update-traffic "$1" "${place[@]}" --to-revisions="$before=100"
}
# shellcheck disable=SC2086 # a list of names
together "$ACTION" $names
