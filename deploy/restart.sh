#!/usr/bin/env bash
# Makes functions read the newest versions of their secrets, without a build: deploy/restart.sh NAME...|all
# DRY_RUN=1 prints the commands.
set -euo pipefail
unset CDPATH
cd "$(dirname "$0")/.."
. deploy/command.sh
. deploy/settings.sh
names=$(selected "$@")

# Instances read secrets when they start. A changed label makes a new revision, and so new instances.
now=$(date -u +%Y%m%d-%H%M%S)
restart() {
  run gcloud run services update "$1" --project="$GOOGLE_CLOUD_PROJECT" --region="$REGION" --update-labels="restarted=$now"
}
# shellcheck disable=SC2086 # a list of names
together restart $names
