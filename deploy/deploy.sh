#!/usr/bin/env bash
# Deploys the functions whose code or settings changed: deploy/deploy.sh NAME...|all|app
# DRY_RUN=1 prints the commands. FORCE=1 also deploys what did not change. STAGED=1 deploys what stage.sh laid out before.
set -euo pipefail
unset CDPATH
cd "$(dirname "$0")/.."
. deploy/command.sh
. deploy/settings.sh
names=$(selected "$@")
[ -n "${STAGED-}" ] || deploy/stage.sh "$@" >&2

# environment NAME... prints the variables that are not empty, as NAME=value,NAME=value.
environment() {
  local name pairs=''
  for name; do
    [ -z "${!name}" ] || pairs+=,$name=${!name//,/ } # only OAUTH_SCOPES can hold a comma, and a space means the same there
  done
  printf '%s' "${pairs#,}"
}

# What is deployed: name, version, state, whether the latest revision has all the traffic.
deployed=''
if [ -z "${DRY_RUN-}${FORCE-}" ]; then
  deployed=$(gcloud functions list --v2 --project="$GOOGLE_CLOUD_PROJECT" --regions="$REGION" \
    --format='value(name.basename(), labels.version, state, serviceConfig.allTrafficOnLatestRevision)')
fi

deploy() {
  local name=$1 kind memory timeout command version place=(--project="$GOOGLE_CLOUD_PROJECT" --region="$REGION")
  read -r _ kind memory timeout _ < <(named "$name")
  local variables=$ENVIRONMENT
  case $kind in
    job | all) variables+=" $JOB_ENVIRONMENT" ;;
  esac
  # shellcheck disable=SC2086 # a list of names
  command=(gcloud functions deploy "$name"
    "${place[@]}" --gen2 --runtime="$RUNTIME" --entry-point="$name" --trigger-http --ingress-settings="$INGRESS" --serve-all-traffic-latest-revision
    --memory="$memory" --cpu="$CPU" --concurrency="$CONCURRENCY" --timeout="${timeout}s" --max-instances="$MAX_INSTANCES"
    --service-account="$FUNCTIONS_ACCOUNT"
    --build-service-account="projects/$GOOGLE_CLOUD_PROJECT/serviceAccounts/$BUILD_ACCOUNT"
    --set-secrets="$SECRETS"
    --set-env-vars="$(environment $variables)")
  # The version names what is uploaded and the settings. It becomes a label, whose value has at most 63 characters.
  version=$(sed 's/.* //' "$STAGES/$name.report")-$(printf '%s\n' "${command[@]}" | cksum | cut -d ' ' -f 1)
  if grep -q "^$name	$version	ACTIVE	True" <<<"$deployed"; then
    echo "is deployed as it is here already; FORCE=1 deploys it again"
  else
    run "${command[@]}" --source="$STAGES/$name" --format=none --update-labels="version=$version"
  fi
  # This is done every time: an earlier run may have failed before it, and a deploy may undo it.
  case $PUBLIC in
    no-invoker-check) run gcloud run services update "$name" "${place[@]}" --no-invoker-iam-check ;;
    *)
      run gcloud run services add-iam-policy-binding "$name" "${place[@]}" --format=none --member=allUsers --role=roles/run.invoker || {
        echo 'It runs and nobody may call it. Where an organization forbids allUsers, set PUBLIC=no-invoker-check and repeat.'
        return 1
      }
      ;;
  esac
}
# shellcheck disable=SC2086 # a list of names
together deploy $names
