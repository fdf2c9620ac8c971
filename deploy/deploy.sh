#!/usr/bin/env bash
# Deploys functions: deploy/deploy.sh NAME...|all
# DRY_RUN=1 prints the commands. STAGED=1 takes what is in deploy/.stage already.
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/command.sh

if [ $# = 0 ]; then
  echo 'usage: deploy/deploy.sh NAME...|all' >&2
  exit 2
fi
. deploy/settings.sh

# environment NAME... prints NAME=value,... of the variables that are not empty.
environment() {
  local name pairs=''
  for name; do
    [ -z "${!name}" ] || pairs+=,$name=${!name//,/ } # a comma can be in OAUTH_SCOPES only, where a space is the same
  done
  printf '%s' "${pairs#,}"
}

lines=$(selected "$@")
while read -r name access memory cpu concurrency timeout instances _ extra; do
  stage=deploy/.stage/$name
  [ -n "${STAGED-}" ] || run go run ./deploy/stage "$name" "$stage"
  case $access in
    public) invoker=--allow-unauthenticated ;;
    private) invoker=--no-allow-unauthenticated ;;
  esac
  # shellcheck disable=SC2086 # lists of names
  variables=$(environment $ENVIRONMENT ${extra#-})
  run gcloud functions deploy "$name" \
    --project="$GOOGLE_CLOUD_PROJECT" --region="$REGION" --gen2 --runtime="$RUNTIME" \
    --entry-point="$name" --source="$stage" --trigger-http "$invoker" \
    --memory="$memory" --cpu="$cpu" --concurrency="$concurrency" --timeout="$timeout" --max-instances="$instances" \
    --service-account="$FUNCTIONS_ACCOUNT" \
    --build-service-account="projects/$GOOGLE_CLOUD_PROJECT/serviceAccounts/$BUILD_ACCOUNT" \
    --set-secrets="$SECRETS" --set-env-vars="$variables" </dev/null
done <<<"$lines"
