#!/usr/bin/env bash
# Lays out functions and the checked settings, so that deploy.sh can run where there is no Go: deploy/stage.sh NAME...|all
set -euo pipefail
unset CDPATH
cd "$(dirname "$0")/.."
. deploy/command.sh
. deploy/settings.sh
names=$(selected "$@")

stage() {
  go run ./deploy/stage "$1" "$STAGES/$1" >"$STAGES/$1.report"
  cat "$STAGES/$1.report"
}
mkdir -p "$STAGES"
printf '%s\n' "$READ_SETTINGS" >"$STAGES/settings"
# shellcheck disable=SC2086 # a list of names
DRY_RUN='' together stage $names
