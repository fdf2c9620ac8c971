#!/usr/bin/env bash
# Watches the functions: an uptime check and three alerts, as the files in deploy/monitoring say.
# deploy/monitor.sh CHANNEL, the name of a notification channel: projects/PROJECT/notificationChannels/NUMBER
# Can be run again at any time, also with another channel: nothing is made twice. DRY_RUN=1 prints the commands.
set -euo pipefail
unset CDPATH
cd "$(dirname "$0")/.."

channel=${1-}
case $channel in
  projects/*/notificationChannels/*) shift ;;
  *)
    echo 'usage: deploy/monitor.sh projects/PROJECT/notificationChannels/NUMBER' >&2
    echo 'gcloud beta monitoring channels list --format="value(name,displayName)" lists them.' >&2
    exit 2
    ;;
esac
. deploy/command.sh
. deploy/settings.sh
project=--project=$GOOGLE_CLOUD_PROJECT

metric=oauth-functions-job-ended
if [ -n "${DRY_RUN-}" ] || absent gcloud logging metrics describe "$metric" "$project"; then verb=create; else verb=update; fi
patiently gcloud logging metrics $verb "$metric" "$project" --config-from-file=deploy/monitoring/job-ended.metric.yaml

# The callback without a sign-in answers 400 and reads nothing.
address=${BASE_URL#https://}
host=${address%%/*} path=/oauth2callback
[ "$host" = "$address" ] || path=/${address#*/}$path
title='OAuth functions answer'
check=(--path="$path" --status-codes=400 --period=5 --timeout=10)
found=''
[ -n "${DRY_RUN-}" ] || found=$(gcloud monitoring uptime list-configs "$project" --filter="displayName=\"$title\"" --format='value(name)')
if [ -z "$found" ]; then
  patiently gcloud monitoring uptime create "$title" "$project" --resource-type=uptime-url \
    --resource-labels=host="$host",project_id="$GOOGLE_CLOUD_PROJECT" --protocol=https "${check[@]}"
else
  patiently gcloud monitoring uptime update "$found" "$project" "${check[@]/--status-codes/--set-status-codes}"
fi

for file in deploy/monitoring/*.policy.yaml; do
  title=$(sed -n "s/^displayName: '\(.*\)'$/\1/p" "$file")
  found=''
  [ -n "${DRY_RUN-}" ] || found=$(gcloud alpha monitoring policies list "$project" --filter="displayName=\"$title\"" --format='value(name)')
  if [ -z "$found" ]; then
    patiently gcloud alpha monitoring policies create "$project" --policy-from-file="$file" --notification-channels="$channel"
  else
    patiently gcloud alpha monitoring policies update "$found" "$project" --policy-from-file="$file" --set-notification-channels="$channel"
  fi
done
