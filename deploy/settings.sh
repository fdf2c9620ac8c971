# The settings of the deployment. The scripts beside this file source it, in the checkout's top folder.
# shellcheck shell=bash disable=SC2034

# Each of these can be set in the environment.
: "${GOOGLE_CLOUD_PROJECT:?set it to the id of your Google Cloud project}"
: "${REGION:=europe-west1}"
: "${ALL_IN_ONE:=}" # 1: one function, app, serves all the others under their paths
case " $* ${NAMES-} " in *' app '*) ALL_IN_ONE=1 ;; esac

# The id of a project that belongs to a domain is DOMAIN:PROJECT. In host names and email addresses it is PROJECT.DOMAIN.
case $GOOGLE_CLOUD_PROJECT in
  *:*) PROJECT_NAME=${GOOGLE_CLOUD_PROJECT#*:}.${GOOGLE_CLOUD_PROJECT%%:*} ;;
  *) PROJECT_NAME=$GOOGLE_CLOUD_PROJECT ;;
esac
PLATFORM_URL=https://$REGION-$PROJECT_NAME.cloudfunctions.net${ALL_IN_ONE:+/app}

: "${BASE_URL:=$PLATFORM_URL}"
: "${FIRESTORE_DATABASE:=(default)}"
: "${FIRESTORE_LOCATION:=$REGION}"
: "${COLLECTION_PREFIX:=}"
: "${SESSION_COOKIE:=}"
: "${OAUTH_SCOPES:=}"
: "${AUTH_ISSUER:=}"
: "${AUTH_AUDIENCE:=}"
: "${FRONT_ENDS:=}"
: "${ALLOWED_DOMAINS:=}"
: "${TIME_ZONE:=Etc/UTC}" # of the jobs' schedules; TIME_ZONE_dailyevent and SCHEDULE_dailyevent are that job's own
: "${TASK_QUEUE:=}"       # the id of a Cloud Tasks queue that jobs are spread over; none: one process does a run
: "${INGRESS:=all}"       # internal-and-gclb: a load balancer is the only way in
: "${PUBLIC:=allUsers}"   # no-invoker-check: where an organization forbids allUsers

# For each function. Its memory and timeout are in its own file.
: "${CPU:=1}"
: "${CONCURRENCY:=80}"
: "${MAX_INSTANCES:=10}"
RUNTIME=go126

# The service accounts as which the functions run, jobs are started, and builds run.
FUNCTIONS_ACCOUNT=oauth-functions@$PROJECT_NAME.iam.gserviceaccount.com
SCHEDULER_ACCOUNT=oauth-scheduler@$PROJECT_NAME.iam.gserviceaccount.com
BUILD_ACCOUNT=oauth-builder@$PROJECT_NAME.iam.gserviceaccount.com

# Secrets: the environment variable of the functions, and the name in Secret Manager.
CLIENT_SECRET=oauth-client
KEYSET_SECRET=token-keyset
SECRETS=OAUTH_CLIENT_JSON=$CLIENT_SECRET:latest,TOKEN_KEYSET=$KEYSET_SECRET:latest

# The environment of every function, without what is empty, and what is added for functions that run jobs.
ENVIRONMENT='BASE_URL GOOGLE_CLOUD_PROJECT FIRESTORE_DATABASE COLLECTION_PREFIX SESSION_COOKIE OAUTH_SCOPES AUTH_ISSUER AUTH_AUDIENCE FRONT_ENDS ALLOWED_DOMAINS'
JOB_ENVIRONMENT='SCHEDULER_ACCOUNT TASK_QUEUE'

case $TASK_QUEUE in
  '' | projects/*) ;;
  *) TASK_QUEUE=projects/$GOOGLE_CLOUD_PROJECT/locations/$REGION/queues/$TASK_QUEUE ;;
esac

# The folder in which functions are laid out.
: "${STAGES:=deploy/.stage}"

# deploy/functions checks the settings as the functions do. It sets BASE_URL as they spell it, and FUNCTIONS, with a line
# for each function: name, kind, memory, timeout, visitor, API, pages, schedule.
# shellcheck disable=SC2086,SC2163 # lists of names
export $ENVIRONMENT $JOB_ENVIRONMENT
if [ -n "${STAGED-}" ]; then
  READ_SETTINGS=$(cat "$STAGES/settings") || exit 1
else
  READ_SETTINGS=$(go run ./deploy/functions) || exit 1
fi
eval "$READ_SETTINGS"

# each KIND prints the lines of FUNCTIONS of that kind.
each() { awk -v kind="$1" '$2 == kind' <<<"$FUNCTIONS"; }

# named NAME prints the line of a function.
named() { awk -v name="$1" '$1 == name' <<<"$FUNCTIONS"; }

# selected [NAME...] prints the names of the functions to deploy for these names; "all" stands for every function. Without
# arguments, the names are those in NAMES.
selected() {
  local name
  # shellcheck disable=SC2086 # a list of names
  [ $# != 0 ] || { set -f && set -- ${NAMES-}; }
  if [ $# = 0 ]; then
    echo "usage: $0 ${ACTION_USAGE-}NAME...|all|app" >&2
    return 2
  fi
  for name; do
    case $name in
      all | app) if [ -n "$ALL_IN_ONE" ]; then echo app; else awk '$2 != "all" { print $1 }' <<<"$FUNCTIONS"; fi ;;
      *)
        if [ -n "$ALL_IN_ONE" ] || [ -z "$(named "$name")" ]; then
          echo "no function \"$name\"${ALL_IN_ONE:+ beside app}; there are: $(awk '{ print $1 }' <<<"$FUNCTIONS" | xargs)" >&2
          return 1
        fi
        echo "$name"
        ;;
    esac
  done
}
