#!/usr/bin/env bash
# Sets up a Google Cloud project for the functions: deploy/setup.sh [client_secret.json]
# Can be run again at any time: what exists is kept. DRY_RUN=1 prints the commands.
set -euo pipefail
unset CDPATH

client=${1-} OAUTH_CLIENT_JSON=''
if [ $# -gt 1 ]; then
  echo 'usage: deploy/setup.sh [FILE], the client_secret.json of a client of the type "Web application"' >&2
  exit 2
fi
if [ -n "$client" ]; then
  OAUTH_CLIENT_JSON=$(cat "$client")
  client=$(cd "$(dirname "$client")" && pwd)/$(basename "$client")
fi
cd "$(dirname "$0")/.."
. deploy/command.sh
export OAUTH_CLIENT_JSON # settings.sh has it checked
. deploy/settings.sh
unset OAUTH_CLIENT_JSON
project=--project=$GOOGLE_CLOUD_PROJECT
database=--database=$FIRESTORE_DATABASE

origin=$(sed -E 's|^(https?://[^/]+).*|\1|' <<<"$BASE_URL")
console=https://console.cloud.google.com/auth
cat >&2 <<END
Your OAuth client (type "Web application", $console/clients?project=$GOOGLE_CLOUD_PROJECT) needs
  the redirect URI       $BASE_URL/oauth2callback
  the JavaScript origin  $origin
END

# shellcheck disable=SC2046 # a list of names
run gcloud services enable cloudfunctions.googleapis.com run.googleapis.com cloudbuild.googleapis.com \
  artifactregistry.googleapis.com secretmanager.googleapis.com firestore.googleapis.com \
  cloudscheduler.googleapis.com iam.googleapis.com cloudresourcemanager.googleapis.com monitoring.googleapis.com \
  $([ -z "$TASK_QUEUE" ] || echo cloudtasks.googleapis.com) \
  $(awk '$6 != "-" && $6 != "cloudresourcemanager.googleapis.com" { print $6 }' <<<"$FUNCTIONS" | sort -u) "$project"

for account in "$FUNCTIONS_ACCOUNT" "$SCHEDULER_ACCOUNT" "$BUILD_ACCOUNT"; do
  unless gcloud iam service-accounts describe "$account" "$project" -- \
    gcloud iam service-accounts create "${account%@*}" "$project"
done

describe=(gcloud firestore databases describe "$database" "$project" '--format=value(type,locationId)')
unless "${describe[@]}" -- gcloud firestore databases create "$database" "$project" \
  --location="$FIRESTORE_LOCATION" --type=firestore-native --delete-protection --format=none
if [ -z "${DRY_RUN-}" ]; then
  attempt "$not_yet|NOT_FOUND" "${describe[@]}" || { echo "$said" >&2 && exit 1; }
  read -r type location <<<"$said"
  case $type in
    FIRESTORE_NATIVE) ;;
    *)
      echo "The database $FIRESTORE_DATABASE is of the type $type, and the functions need Firestore's native mode." >&2
      echo 'A project can have several: set FIRESTORE_DATABASE to a new name, such as tokens, and run this again.' >&2
      exit 1
      ;;
  esac
  [ "$location" = "$FIRESTORE_LOCATION" ] ||
    echo "Mind: the database is in $location, the functions are in $REGION. Every request goes there and back." >&2
fi

# Firestore removes the marks of used sign-ins at the time in their field expires. Fields by which nothing is searched get
# no index: an index of times that keep rising bounds a collection to 500 writes a second.
run gcloud firestore fields ttls update expires --collection-group="${COLLECTION_PREFIX}flows" \
  "$database" "$project" --enable-ttl --async --format=none
for field in flows/expires grants/expiry grants/created grants/consented grants/sessions grants/apart; do
  patiently gcloud firestore indexes fields update "${field#*/}" --collection-group="$COLLECTION_PREFIX${field%/*}" \
    "$database" "$project" --disable-indexes --async --format=none
done

# first_version SECRET COMMAND... makes a secret, whose first version is what the command prints. A secret that exists is
# not changed: another keyset would cost everything that is stored.
first_version() {
  local secret=$1 value
  local check=(gcloud secrets describe "$secret" "$project")
  local create=(gcloud secrets create "$secret" "$project" --replication-policy=automatic --data-file=-)
  shift
  if [ -n "${DRY_RUN-}" ]; then
    printf '%s >/dev/null 2>&1 || %s | %s\n' "$(quoted "${check[@]}")" "$(quoted "$@")" "$(quoted "${create[@]}")"
    return
  fi
  if absent "${check[@]}"; then
    value=$("$@")
    printf '%s\n' "$value" | run "${create[@]}"
  elif absent gcloud secrets versions describe latest --secret="$secret" "$project"; then
    echo "The secret $secret has no version. If it was never used, delete it and run this again:" >&2
    echo "  gcloud secrets delete $secret $project" >&2
    exit 1
  else
    echo "The secret $secret is kept as it is." >&2
  fi
}
first_version "$KEYSET_SECRET" go run ./deploy/keyset new
[ -z "$client" ] || first_version "$CLIENT_SECRET" cat "$client"

# accessor SECRET lets the functions read a secret.
accessor() {
  patiently gcloud secrets add-iam-policy-binding "$1" "$project" --format=none \
    --member="serviceAccount:$FUNCTIONS_ACCOUNT" --role=roles/secretmanager.secretAccessor
}
accessor "$KEYSET_SECRET"
[ -z "$client" ] || accessor "$CLIENT_SECRET"
patiently gcloud projects add-iam-policy-binding "$GOOGLE_CLOUD_PROJECT" --format=none \
  --member="serviceAccount:$FUNCTIONS_ACCOUNT" --role=roles/datastore.user \
  --condition="title=own-database,expression=resource.name == \"projects/$GOOGLE_CLOUD_PROJECT/databases/$FIRESTORE_DATABASE\""
patiently gcloud projects add-iam-policy-binding "$GOOGLE_CLOUD_PROJECT" --format=none --condition=None \
  --member="serviceAccount:$BUILD_ACCOUNT" --role=roles/cloudbuild.builds.builder

# The queue hands out no more pages of users a second than the smallest quota of a job's API allows. The functions add the
# tasks, which are sent as the scheduler's account.
if [ -n "$TASK_QUEUE" ]; then
  queue=${TASK_QUEUE##*/} location=--location=$(cut -d / -f 4 <<<"$TASK_QUEUE")
  pages=$(each job | awk '$7 != "-" { print $7 }' | sort -n | head -n 1)
  [ -z "$pages" ] || echo "The queue $queue hands out at most $pages pages of users a second: that is the APIs' quota." >&2
  # 60 pages that hang in one instance of 256 MiB take about 200.
  limits=(--max-dispatches-per-second="${pages:-500}" --max-concurrent-dispatches=60
    --max-attempts=100 --max-retry-duration=86400s --min-backoff=10s --max-backoff=600s)
  unless gcloud tasks queues describe "$queue" "$location" "$project" -- \
    gcloud tasks queues create "$queue" "$location" "$project" "${limits[@]}"
  patiently gcloud tasks queues update "$queue" "$location" "$project" "${limits[@]}"
  patiently gcloud tasks queues add-iam-policy-binding "$queue" "$location" "$project" --format=none \
    --member="serviceAccount:$FUNCTIONS_ACCOUNT" --role=roles/cloudtasks.enqueuer
  patiently gcloud iam service-accounts add-iam-policy-binding "$SCHEDULER_ACCOUNT" "$project" --format=none \
    --member="serviceAccount:$FUNCTIONS_ACCOUNT" --role=roles/iam.serviceAccountUser
fi

# address NAME prints the URL at which the scheduler calls a job, or nothing if it is not known before the first deploy.
# Whatever BASE_URL is, it is on the function's own host: Firebase Hosting ends a request after 60 s. The scheduler's
# account needs no role, since a job is public and checks the token itself.
address() {
  local name=$1 path=''
  if [ "$INGRESS" = all ]; then
    printf '%s/%s\n' "$PLATFORM_URL" "$name"
    return
  fi
  [ -z "$ALL_IN_ONE" ] || { name=app path=/$1; }
  if [ -n "${DRY_RUN-}" ]; then
    echo "https://$name-1234567890.$REGION.run.app$path"
  elif ! absent gcloud functions describe "$name" --v2 --region="$REGION" "$project"; then
    echo "$(gcloud functions describe "$name" --v2 --region="$REGION" "$project" '--format=value(serviceConfig.uri)')$path"
  fi
}
later='' # jobs whose address is not known yet
while read -r name _ _ timeout _ _ _ schedule; do
  schedule_name=SCHEDULE_$name zone_name=TIME_ZONE_$name
  schedule=${!schedule_name:-$schedule} zone=${!zone_name:-$TIME_ZONE}
  address=$(address "$name")
  if [ -z "$address" ]; then
    later+=" $name"
    continue
  fi
  job=("$name" "$project" --location="$REGION" --schedule="$schedule" --time-zone="$zone"
    --uri="$address" --http-method=POST --message-body="{\"time_zone\":\"$zone\",\"address\":\"$address\"}"
    --oidc-service-account-email="$SCHEDULER_ACCOUNT" --oidc-token-audience="$BASE_URL/$name"
    --attempt-deadline="${timeout}s" --max-retry-attempts=5 --min-backoff=10s --max-backoff=600s)
  unless gcloud scheduler jobs describe "$name" --location="$REGION" "$project" -- \
    gcloud scheduler jobs create http "${job[@]}" --format=none --headers=Content-Type=application/json
  patiently gcloud scheduler jobs update http "${job[@]}" --format=none --update-headers=Content-Type=application/json
done < <(each job)

step=0
left() {
  step=$((step + 1))
  printf '  %s. %s\n' "$step" "$1" >&2
}
echo 'Left to do:' >&2
if [ -z "$client" ]; then
  left "Where the project has no client yet, make one with the redirect URI and the origin named above. The console
     offers its client_secret.json then, and never again. Then: deploy/setup.sh client_secret.json"
else
  left "See that your client has the redirect URI and the origin named above: $console/clients?project=$GOOGLE_CLOUD_PROJECT"
fi
left "Give the consent screen a name and an address for support: $console/branding?project=$GOOGLE_CLOUD_PROJECT"
left "Name the scopes that your functions ask for: $console/scopes?project=$GOOGLE_CLOUD_PROJECT"
left "Add yourself as a test user: $console/audience?project=$GOOGLE_CLOUD_PROJECT
     In Testing, Google ends each grant after 7 days; publish the app to end that."
left 'deploy/deploy.sh all'
[ -z "$later" ] || left "deploy/setup.sh once more: the scheduler calls$later at an address that Google gives with the first deploy"
