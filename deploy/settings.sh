# The settings of the deployment, for setup.sh, deploy.sh and smoke.sh.
# shellcheck shell=bash disable=SC2034

# Each of these can be set in the environment.
: "${GOOGLE_CLOUD_PROJECT:?set it to the id of your Google Cloud project}"
: "${REGION:=europe-west1}"
: "${BASE_URL:=https://$REGION-$GOOGLE_CLOUD_PROJECT.cloudfunctions.net}"
: "${FIRESTORE_DATABASE:=(default)}"
: "${FIRESTORE_LOCATION:=$REGION}"
: "${COLLECTION_PREFIX:=}"
: "${SESSION_COOKIE:=}"
: "${OAUTH_SCOPES:=}"
: "${SCHEDULE:=0 18 * * *}" # when dailyevent runs, in TIME_ZONE
: "${TIME_ZONE:=Etc/UTC}"   # also the one of the events that dailyevent makes

# Who the functions are, who starts the job, and who builds.
FUNCTIONS_ACCOUNT=oauth-functions@$GOOGLE_CLOUD_PROJECT.iam.gserviceaccount.com
SCHEDULER_ACCOUNT=oauth-scheduler@$GOOGLE_CLOUD_PROJECT.iam.gserviceaccount.com
BUILD_ACCOUNT=oauth-builder@$GOOGLE_CLOUD_PROJECT.iam.gserviceaccount.com

# Secrets: the environment variable of the functions, and the name in Secret Manager.
CLIENT_SECRET=oauth-client
KEYSET_SECRET=token-keyset
SECRETS=OAUTH_CLIENT_JSON=$CLIENT_SECRET:latest,TOKEN_KEYSET=$KEYSET_SECRET:latest

RUNTIME=go126

# What every function finds in its environment, unless empty. A function adds what its last column names.
ENVIRONMENT='BASE_URL GOOGLE_CLOUD_PROJECT FIRESTORE_DATABASE COLLECTION_PREFIX SESSION_COOKIE OAUTH_SCOPES'

# visitor: the status that a browser without a session gets.
# dailyevent's run ends by itself within 160 s, an upload of createfile within 10 minutes.
FUNCTIONS='
# name          access   memory  cpu  concurrency  timeout  instances  visitor  environment
oauth2init      public   256Mi   1    80           60s      10         302      -
oauth2callback  public   256Mi   1    80           60s      10         400      -
listlabels      public   256Mi   1    80           60s      10         302      -
createfile      public   512Mi   1    80           600s     10         302      -
createevent     public   256Mi   1    80           60s      10         302      -
listprojects    public   256Mi   1    80           60s      10         302      -
account         public   256Mi   1    80           60s      10         302      -
dailyevent      public   256Mi   1    80           180s     10         302      SCHEDULER_ACCOUNT
'

# selected prints the lines of FUNCTIONS that the arguments name; "all" names every one.
selected() {
  local name
  for name; do
    awk -v name="$name" '/^[a-z]/ && (name == "all" || name == $1) { print; found = 1 } END { exit !found }' <<<"$FUNCTIONS" || {
      echo "no function \"$name\" in deploy/settings.sh" >&2
      return 1
    }
  done
}
