#!/usr/bin/env bash
# Runs schemathesis against the admin API: requests made from the OpenAPI document, good ones and
# bad ones, each answer held against the document.
#
#   scripts/api-fuzz.sh              starts target/release/slackwater
#   scripts/api-fuzz.sh URL TOKEN    tests the service at URL, with its operator token, instead
#
# It makes the tenant `api-fuzz` and tenants with random names: do not name a service that is
# needed. Takes a minute and a half at most, and sends the same each time: the seed is fixed. Exits
# 1 if any check fails; an answer of 500 or more is a failure, 503 included.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

NAME=api-fuzz.sh
# shellcheck source=scripts/server.sh
. scripts/server.sh

SECONDS_MAX=90
# Requests for each operation while fuzzing; the phases before it add some forty each.
EXAMPLES_MAX=20
SEED=20260301
# Not among the checks:
# - positive_data_acceptance: much that a schema allows is refused with reason, such as a cursor
#   that no page gave or settings that contradict each other;
# - use_after_free, ensure_resource_availability, object_level_authorization: they need links
#   between operations, which the document does not have;
# - missing_required_header: no operation has one.
CHECKS=not_a_server_error,status_code_conformance,content_type_conformance
CHECKS+=,response_headers_conformance,response_schema_conformance,negative_data_rejection
CHECKS+=,unsupported_method,allow_header_conformance,ignored_auth

schemathesis=$PWD/.venv/bin/schemathesis
for tool in "$python" "$schemathesis"; do
  [ -x "$tool" ] || fail "$tool is missing; scripts/test.sh --prepare installs it"
done

# call TOKEN METHOD PATH BODY: prints the answer.
call() {
  curl --silent --show-error --fail-with-body --max-time 30 -X "$2" "$url$3" -d "$4" \
    -H @<(printf 'Authorization: Bearer %s\n' "$1") -H 'Content-Type: application/json' ||
    fail "$2 $3 failed"
}

case $# in
0) start_server ;;
2) url=${1%/} operator=$2 ;;
*) fail "usage: api-fuzz.sh [URL TOKEN]" ;;
esac

# Something to find: a user in a group that gives a role, and their wave.
tenant=/admin/v1/tenants/api-fuzz
scim=$(call "$operator" POST /admin/v1/tenants '{"id": "api-fuzz"}' | field scim token)
user=$(call "$scim" POST /scim/v2/api-fuzz/Users '{"userName": "ada@example.com"}' | field id)
call "$scim" POST /scim/v2/api-fuzz/Groups \
  "{\"displayName\": \"Staff\", \"members\": [{\"value\": \"$user\"}]}" >/dev/null
wave=$(call "$operator" GET "$tenant/waves" '' | field items 0 id)

# A webhook whose name nothing has, and a client that logs in by OAuth.
webhook=$(call "$operator" POST "$tenant/webhooks" '{"url": "https://hooks.invalid/"}' | field id)
client=$(call "$operator" POST "$tenant/oauth-clients" '{}' | field id)

# Paths lead to what is there. Long polls do not wait. The tenant is not deleted, nor what the paths
# lead to.
(umask 077 && cat >"$work/schemathesis.toml" <<TOML)
headers = { Authorization = "Bearer $operator" }

[parameters]
"path.tenant" = "api-fuzz"
"path.account" = "$user"
"path.user" = "$user"
"path.wave" = "$wave"
"path.webhook" = "$webhook"
"path.client" = "$client"
"query.wait" = "0s"

[[operations]]
include-operation-id = "delete_tenants_tenant"
parameters = { "path.tenant" = "not-there" }

[[operations]]
include-operation-id = "delete_tenants_tenant_webhooks_webhook"
parameters = { "path.webhook" = "$user" }

[[operations]]
include-operation-id = "delete_tenants_tenant_oauth_clients_client"
parameters = { "path.client" = "$user" }
TOML

# It keeps a cache where it runs, which would make the next run another one.
(cd "$work" && exec timeout "$SECONDS_MAX" "$schemathesis" --config-file schemathesis.toml \
  run "$url/openapi.json" --include-path-regex '^/admin/v1/' --checks "$CHECKS" \
  --phases examples,coverage,fuzzing --max-examples "$EXAMPLES_MAX" \
  --request-timeout 20 --seed "$SEED" --generation-database none --no-color --no-shrink \
  --warnings off </dev/null) || fail "schemathesis ended with status $?"

# The service and the tenant that the requests were about are still there.
call "$operator" GET "$tenant" '' >/dev/null
