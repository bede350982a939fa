#!/bin/bash
# Drives application credentials with the `openstack` command and keystoneauth, and the hand-over to an application.
#
#   application_credentials.sh BASE_URL
#
# BASE_URL: http://host:port of a server, whose settings (COFFER_DATA_DIR and the like) are in the environment; it has a
# user demo with the password demo in a project demo. Closes with 'N passed, N failed', non-zero when one failed.
set -uo pipefail
base=$1
passed=0 failed=0 name=appcred-$$-$RANDOM
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
export PYTHONDONTWRITEBYTECODE=1
person=(OS_AUTH_URL="$base/identity/v3" OS_USERNAME=demo OS_PASSWORD=demo OS_PROJECT_NAME=demo
  OS_USER_DOMAIN_NAME=Default OS_PROJECT_DOMAIN_NAME=Default OS_IDENTITY_API_VERSION=3)

os() { env "${person[@]}" /usr/bin/openstack "$@" 2>"$tmp/err"; }
as_app() { env OS_AUTH_TYPE=v3applicationcredential OS_AUTH_URL="$base/identity/v3" "${credential[@]}" "$@" 2>"$tmp/err"; }
equal() { # LABEL GOT WANTED
  if [ "$2" = "$3" ]; then passed=$((passed + 1)); else
    failed=$((failed + 1)); echo "FAIL  $1: got '$2', wanted '$3' $(tail -c 300 "$tmp/err")"; fi
}
runs() { # LABEL COMMAND...
  local label=$1; shift
  if "$@" >"$tmp/out"; then passed=$((passed + 1)); else
    failed=$((failed + 1)); echo "FAIL  $label: $(tail -c 300 "$tmp/err")"; fi
}
fails() { # LABEL TEXT COMMAND...
  local label=$1 text=$2; shift 2
  if "$@" >"$tmp/out"; then failed=$((failed + 1)); echo "FAIL  $label: it did not fail"
  elif grep -qi "$text" "$tmp/err"; then passed=$((passed + 1)); else
    failed=$((failed + 1)); echo "FAIL  $label: $(tail -c 300 "$tmp/err")"; fi
}

# What the command can do with them.
made=$(os application credential create "$name" --description 'for a test' --role creator \
  --expiration 2099-01-31T12:00:00 -f json)
id=$(jq -r .id <<<"$made") secret=$(jq -r .secret <<<"$made")
equal 'create: the id' "${#id}" 32
equal 'create: the secret' "$(grep -Ec '^cofa_[A-Za-z0-9_-]{49}$' <<<"$secret")" 1
equal 'create: the role' "$(jq -r .roles <<<"$made")" creator
equal 'show by name' "$(os application credential show "$name" -f value -c id)" "$id"
equal 'show: when it ends' "$(os application credential show "$id" -f value -c expires_at)" 2099-01-31T12:00:00.000000
equal 'list' "$(os application credential list -f json | jq -r ".[] | select(.ID == \"$id\") | .Name")" "$name"
fails 'create again' 'already' os application credential create "$name"
fails 'create with a role that the user has not' 'unassigned role' os application credential create "$name-2" --role audit
fails 'create with a secret that is short' 'at least 32' os application credential create "$name-2" --secret short
own=$(openssl rand -hex 20)
equal 'create with a secret' "$(os application credential create "$name-own" --secret "$own" -f value -c secret)" "$own"

# Logging in, by the id and by the name.
credential=(OS_APPLICATION_CREDENTIAL_ID="$id" OS_APPLICATION_CREDENTIAL_SECRET="$secret")
runs 'token by the id' as_app /usr/bin/openstack token issue -f value -c id
runs 'a secret stored' as_app /usr/bin/openstack secret store -n "$name" -p hello
runs 'and listed' as_app /usr/bin/openstack secret list
fails 'no credential by a credential' 'HTTP 403' as_app /usr/bin/openstack application credential create "$name-child"
credential=(OS_APPLICATION_CREDENTIAL_NAME="$name-own" OS_APPLICATION_CREDENTIAL_SECRET="$own" OS_USERNAME=demo
  OS_USER_DOMAIN_NAME=Default)
runs 'token by the name' as_app /usr/bin/openstack token issue -f value -c id
credential=(OS_APPLICATION_CREDENTIAL_ID="$id" OS_APPLICATION_CREDENTIAL_SECRET="${secret}x")
fails 'a wrong secret' 'HTTP 401' as_app /usr/bin/openstack token issue

# Access rules.
cat >"$tmp/rules" <<'RULES'
[{"service": "key-manager", "method": "GET", "path": "/v1/**"}, {"service": "key-manager", "method": "GET", "path": "/v1"}]
RULES
made=$(os application credential create "$name-rules" --access-rules "$tmp/rules" --unrestricted -f json)
credential=(OS_APPLICATION_CREDENTIAL_ID="$(jq -r .id <<<"$made")"
  OS_APPLICATION_CREDENTIAL_SECRET="$(jq -r .secret <<<"$made")")
runs 'what the rules allow' as_app /usr/bin/openstack secret list
fails 'what they do not' 'access rules' as_app /usr/bin/openstack secret store -n x -p x
rule=$(os access rule list -f json | jq -r '[.[] | select(.Path == "/v1")][0].ID')
equal 'access rule show' "$(os access rule show "$rule" -f value -c path)" /v1
fails 'access rule delete, in use' 'in use' os access rule delete "$rule"
runs 'credential delete' os application credential delete "$name-rules"
runs 'access rule delete' os access rule delete "$rule"
equal 'access rule list' "$(os access rule list -f json | jq "[.[] | select(.ID == \"$rule\")] | length")" 0

# keystoneauth by itself.
/usr/bin/python3 - "$base/identity/v3" "$id" "$secret" >"$tmp/out" 2>"$tmp/err" <<'PYTHON'
import sys
from keystoneauth1 import exceptions, identity, session
auth_url, id, secret = sys.argv[1:]
plugin = identity.V3ApplicationCredential(auth_url, application_credential_id=id, application_credential_secret=secret)
s = session.Session(auth=plugin)
access = plugin.get_access(s)
assert access.application_credential_id == id, access.application_credential_id
assert s.get('/v1/secrets', endpoint_filter={'service_type': 'key-manager'}).status_code == 200
wrong = identity.V3ApplicationCredential(auth_url, application_credential_id=id, application_credential_secret='wrong')
try:
    session.Session(auth=wrong).get_token()
except exceptions.Unauthorized:
    pass
else:
    raise AssertionError('a wrong secret logged in')
PYTHON
equal 'keystoneauth' $? 0

for one in "$id" "$name-own"; do runs 'delete' os application credential delete "$one"; done
fails 'deleted' 'HTTP 401' env OS_AUTH_TYPE=v3applicationcredential OS_AUTH_URL="$base/identity/v3" \
  OS_APPLICATION_CREDENTIAL_ID="$id" OS_APPLICATION_CREDENTIAL_SECRET="$secret" /usr/bin/openstack token issue 2>"$tmp/err"

# The hand-over: one command here, one there; then the file is what every client takes.
home=$tmp/home; mkdir "$home"
code=$(npx coffer app create "$name" --project demo --role creator -o raw)
runs 'login --redeem' bash -c "printf %s '$code' | HOME=$home XDG_CONFIG_HOME= npx coffer login --redeem -o json"
file=$home/.config/coffer/credential
equal 'the file is private' "$(stat -c %a "$file")" 600
runs 'coffer by the file' env HOME="$home" XDG_CONFIG_HOME= npx coffer secret list
runs 'openstack by the file' bash -c "set -a; . '$file'; /usr/bin/openstack secret list"
fails 'redeemed again' 'revoked' bash -c "printf %s '$code' | HOME=$tmp npx coffer login --redeem --credential-file $tmp/again 2>'$tmp/err'"
fails 'revoked' 'HTTP 401' bash -c "set -a; . '$file'; /usr/bin/openstack secret list 2>'$tmp/err'"
runs 'app delete' npx coffer app delete "$name" --yes

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
