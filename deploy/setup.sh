#!/usr/bin/env bash
# Sets up a Google Cloud project for the functions: deploy/setup.sh client_secret.json
# Can be run again at any time: what exists is kept. DRY_RUN=1 prints the commands.
set -euo pipefail

client=${1-}
if [ ! -f "$client" ] || ! grep -q '"web"' "$client"; then
  echo 'usage: deploy/setup.sh FILE, the client_secret.json of a client of the type "Web application"' >&2
  exit 2
fi
client=$(cd "$(dirname "$client")" && pwd)/$(basename "$client")
cd "$(dirname "$0")/.."
. deploy/command.sh
. deploy/settings.sh
project=--project=$GOOGLE_CLOUD_PROJECT
database=--database=$FIRESTORE_DATABASE

run gcloud services enable cloudfunctions.googleapis.com run.googleapis.com cloudbuild.googleapis.com \
  artifactregistry.googleapis.com secretmanager.googleapis.com firestore.googleapis.com \
  cloudscheduler.googleapis.com iam.googleapis.com cloudresourcemanager.googleapis.com \
  gmail.googleapis.com drive.googleapis.com calendar-json.googleapis.com "$project"

for account in "$FUNCTIONS_ACCOUNT" "$SCHEDULER_ACCOUNT" "$BUILD_ACCOUNT"; do
  unless gcloud iam service-accounts describe "$account" "$project" -- \
    gcloud iam service-accounts create "${account%@*}" "$project"
done

# The marks of used sign-ins carry the time from which on nobody needs them.
unless gcloud firestore databases describe "$database" "$project" -- \
  gcloud firestore databases create "$database" "$project" --location="$FIRESTORE_LOCATION" --type=firestore-native
run gcloud firestore fields ttls update expires --collection-group="${COLLECTION_PREFIX}flows" \
  "$database" "$project" --enable-ttl --async

# first_version SECRET COMMAND... has the command write a secret's first version. A version that exists
# is never replaced: without its keyset, everything that is stored would be lost.
first_version() {
  local secret=$1 versions value
  shift
  unless gcloud secrets describe "$secret" "$project" -- \
    gcloud secrets create "$secret" "$project" --replication-policy=automatic
  local list=(gcloud secrets versions list "$secret" "$project" --limit=1 '--format=value(name)')
  local add=(gcloud secrets versions add "$secret" "$project" --data-file=-)
  if [ -n "${DRY_RUN-}" ]; then
    # shellcheck disable=SC2016 # for another shell
    printf 'v=$(%s) && [ -z "$v" ] && %s | %s\n' "$(quoted "${list[@]}")" "$(quoted "$@")" "$(quoted "${add[@]}")"
    return
  fi
  versions=$("${list[@]}")
  if [ -n "$versions" ]; then
    echo "The secret $secret is kept as it is." >&2
    return
  fi
  value=$("$@")
  printf '%s\n' "$value" | run "${add[@]}"
}
first_version "$CLIENT_SECRET" cat "$client"
first_version "$KEYSET_SECRET" go run ./deploy/keyset new

# The scheduler's account holds no role: dailyevent is public and checks the token itself.
for secret in "$CLIENT_SECRET" "$KEYSET_SECRET"; do
  run gcloud secrets add-iam-policy-binding "$secret" "$project" --format=none \
    --member="serviceAccount:$FUNCTIONS_ACCOUNT" --role=roles/secretmanager.secretAccessor
done
run gcloud projects add-iam-policy-binding "$GOOGLE_CLOUD_PROJECT" --format=none --condition=None \
  --member="serviceAccount:$FUNCTIONS_ACCOUNT" --role=roles/datastore.user
run gcloud projects add-iam-policy-binding "$GOOGLE_CLOUD_PROJECT" --format=none --condition=None \
  --member="serviceAccount:$BUILD_ACCOUNT" --role=roles/cloudbuild.builds.builder

# The job is called at the function's own host, whatever BASE_URL is: Firebase Hosting ends a request
# after 60 s. A run whose time is up answers 503, and the retry goes on from there.
job=(dailyevent "$project" --location="$REGION" --schedule="$SCHEDULE" --time-zone="$TIME_ZONE"
  --uri="https://$REGION-$GOOGLE_CLOUD_PROJECT.cloudfunctions.net/dailyevent" --http-method=POST --message-body="{\"time_zone\":\"$TIME_ZONE\"}"
  --oidc-service-account-email="$SCHEDULER_ACCOUNT" --oidc-token-audience="$BASE_URL/dailyevent"
  --attempt-deadline=180s --max-retry-attempts=5 --min-backoff=10s --max-backoff=600s)
unless gcloud scheduler jobs describe dailyevent --location="$REGION" "$project" -- \
  gcloud scheduler jobs create http "${job[@]}" --headers=Content-Type=application/json
run gcloud scheduler jobs update http "${job[@]}" --update-headers=Content-Type=application/json

origin=$(sed -E 's|^(https?://[^/]+).*|\1|' <<<"$BASE_URL")
console=https://console.cloud.google.com/auth
cat >&2 <<END

Left to do by hand, once:
  1. $console/clients?project=$GOOGLE_CLOUD_PROJECT
     In your client, register
       the redirect URI       $BASE_URL/oauth2callback
       the JavaScript origin  $origin
  2. $console/branding?project=$GOOGLE_CLOUD_PROJECT
     Give the consent screen a name and an address for support.
  3. $console/scopes?project=$GOOGLE_CLOUD_PROJECT
     Name the scopes that your functions ask for.
  4. $console/audience?project=$GOOGLE_CLOUD_PROJECT
     Add yourself as a test user. In Testing, Google ends each grant after 7 days; publish the app to end that.
Then: deploy/deploy.sh all
END
