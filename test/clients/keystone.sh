#!/bin/bash
# Starts Debian's Keystone on Debian's PostgreSQL, and the built server with COFFER_KEYSTONE_URL, and drives both with
# the `openstack` command.
#
#   npm run build && npm run test:keystone
#
# Needs keystone, python3-psycopg2, postgresql, python3-openstackclient, python3-barbicanclient, curl and openssl.
# Takes two minutes, of which most are waited for what is believed for one. Nothing that it starts outlives it. Closes with 'N passed, N failed'; non-zero when one failed.
set -euo pipefail
cd "$(dirname "$0")/../.."

place=$(mktemp -d)
chmod 755 "$place"
cluster=$place/cluster pgctl='' keystone='' server=''
asRoot() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
asPostgres() { (cd / && if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else sudo -u postgres "$@"; fi); }
stop() { # PID
  [ -n "$1" ] || return 0
  kill -TERM "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}
finish() {
  local status=$?
  trap - EXIT INT TERM
  stop "$server"
  stop "$keystone"
  if [ -n "$pgctl" ]; then asPostgres "$pgctl" -D "$cluster" -m immediate stop >/dev/null 2>&1 || true; fi
  if [ "$status" != 0 ]; then
    for log in "$place"/*.log; do
      echo "--- the last lines of $(basename "$log")" >&2
      tail -n 25 "$log" >&2
    done
  fi
  asRoot rm -rf "$place"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

freePort() {
  node -e "const s = require('node:net').createServer().listen(0, '127.0.0.1', () => { console.log(s.address().port); s.close(); })"
}
waitFor() { # LABEL URL
  for _ in $(seq 300); do
    if curl -s --noproxy '*' -o /dev/null --max-time 2 "$2"; then return 0; fi
    sleep 0.2
  done
  echo "$1 does not answer" >&2
  return 1
}
secret() { openssl rand -hex 16; }

# --- PostgreSQL
programs=$(dirname "$(ls -1 /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)")
databasePort=$(freePort) databasePassword=$(secret)
printf '%s\n' "$databasePassword" >"$place/word"
asRoot install -d -o postgres -m 700 "$cluster" "$place/socket"
asRoot install -o postgres -m 600 "$place/word" "$place/socket/word"
asPostgres "$programs/initdb" -D "$cluster" -U keystone -E UTF8 --locale=C.UTF-8 -A scram-sha-256 --no-sync \
  --pwfile="$place/socket/word" >"$place/initdb.log"
pgctl=$programs/pg_ctl
asPostgres "$pgctl" -D "$cluster" -w -l "$cluster/log" start -o "-c listen_addresses=127.0.0.1 -c port=$databasePort \
  -c unix_socket_directories=$place/socket -c fsync=off" >/dev/null

# --- Keystone
keystonePort=$(freePort) adminPassword=$(secret)
auth=http://127.0.0.1:$keystonePort/v3
mkdir -m 700 "$place/fernet" "$place/credential"
(umask 077 && cat >"$place/keystone.conf" <<CONF
[DEFAULT]
use_stderr = true
[database]
connection = postgresql+psycopg2://keystone:$databasePassword@127.0.0.1:$databasePort/postgres
[token]
provider = fernet
[fernet_tokens]
key_repository = $place/fernet
[credential]
key_repository = $place/credential
CONF
)
manage() { /usr/bin/keystone-manage --config-file "$place/keystone.conf" "$@" >>"$place/keystone-manage.log" 2>&1; }
manage db_sync
manage fernet_setup --keystone-user "$(id -un)" --keystone-group "$(id -gn)"
manage credential_setup --keystone-user "$(id -un)" --keystone-group "$(id -gn)"
OS_BOOTSTRAP_PASSWORD=$adminPassword manage bootstrap --bootstrap-public-url "$auth" --bootstrap-region-id RegionOne
startKeystone() {
  /usr/bin/python3 /usr/bin/keystone-wsgi-public --host 127.0.0.1 --port "$keystonePort" -- \
    --config-file "$place/keystone.conf" >>"$place/keystone.log" 2>&1 &
  keystone=$!
  waitFor Keystone "$auth"
}
startKeystone

# --- who is there
export PYTHONDONTWRITEBYTECODE=1 NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
os() { # USER PASSWORD PROJECT ARGUMENTS...
  local user=$1 password=$2 project=$3; shift 3
  env OS_AUTH_URL="$auth" OS_USERNAME="$user" OS_PASSWORD="$password" OS_PROJECT_NAME="$project" OS_REGION_NAME=RegionOne \
    OS_USER_DOMAIN_NAME=Default OS_PROJECT_DOMAIN_NAME=Default OS_IDENTITY_API_VERSION=3 /usr/bin/openstack "$@"
}
admin() { os admin "$adminPassword" admin "$@"; }
coffer=$(freePort) servicePassword=$(secret) web=$(secret) other=$(secret)
base=http://127.0.0.1:$coffer
# Several commands of one process: the client takes a second to start.
admin >"$place/setup.log" 2>&1 <<SETUP
project create service
project create shop
project create elsewhere
role create service
role create creator
user create coffer --password $servicePassword
role add --user coffer --project service service
user create web --password $web
role add --user web --project shop creator
user create other --password $other
role add --user other --project elsewhere creator
service create key-manager --name barbican
endpoint create key-manager public $base --region RegionOne
SETUP

# --- Coffer
(umask 077 && printf '%s\n' "$servicePassword" >"$place/service-password")
export COFFER_LISTEN=127.0.0.1:$coffer COFFER_DATA_DIR=$place/data COFFER_KEYRING_FILE=$place/keys
export COFFER_KEYSTONE_URL=http://127.0.0.1:$keystonePort COFFER_KEYSTONE_USER=coffer
export COFFER_KEYSTONE_PASSWORD_FILE=$place/service-password
node dist/coffer.js serve >"$place/coffer.log" 2>&1 &
server=$!
waitFor Coffer "$base/health/ready"

# --- what is promised
passed=0 failed=0
equal() { # LABEL GOT WANTED
  if [ "$2" = "$3" ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAIL  $1: got '$2', wanted '$3'"; fi
}
# The status of a list with a token; 503 only with the time to come back.
status() { # TOKEN [METHOD]
  curl -s --noproxy '*' -o /dev/null -D "$place/head" -w '%{http_code}' -X "${2:-GET}" "$base/v1/secrets" -H "X-Auth-Token: $1"
}
tokenOf() { os "$@" token issue -f value -c id; }

href=$(os web "$web" shop secret store --name greeting --payload 'of the shop' -f value -c 'Secret href')
equal 'fetched' "$(os web "$web" shop secret get "$href" --payload -f value -c Payload)" 'of the shop'
equal 'listed' "$(os web "$web" shop secret list -f value -c Name)" greeting
equal 'of another project' "$(os other "$other" elsewhere secret get "$href" --payload 2>&1 | grep -c 'of the shop')" 0
kept=$(tokenOf web "$web" shop) early=$(tokenOf web "$web" shop) late=$(tokenOf web "$web" shop)
equal 'a token' "$(status "$kept")" 200
equal 'a wrong one' "$(status "${kept%??????}AAAAAA")" 401
equal 'no token' "$(status '')" 401
equal 'who to ask' "$(curl -s --noproxy '*' -D - -o /dev/null "$base/v1/secrets" | tr -d '\r' | sed -n 's/^www-authenticate: //ip')" \
  "Keystone uri=\"http://127.0.0.1:$keystonePort\""
equal 'no identity here' "$(curl -s --noproxy '*' -o /dev/null -w '%{http_code}' "$base/identity/v3")" 404
equal 'a token without a project' "$(status "$(env -u OS_PROJECT_NAME OS_AUTH_URL="$auth" OS_USERNAME=web OS_PASSWORD="$web" \
  OS_USER_DOMAIN_NAME=Default OS_IDENTITY_API_VERSION=3 /usr/bin/openstack token issue -f value -c id)")" 401
equal 'a role that may nothing' "$(status "$(tokenOf coffer "$servicePassword" service)")" 403

printf '[{"service": "key-manager", "method": "GET", "path": "/v1/secrets"}]' >"$place/rules.json"
os web "$web" shop application credential create narrow --secret narrow-word --access-rules "$place/rules.json" \
  -f value -c id >"$place/credential-id"
narrow=$(env OS_AUTH_URL="$auth" OS_AUTH_TYPE=v3applicationcredential OS_IDENTITY_API_VERSION=3 \
  OS_APPLICATION_CREDENTIAL_ID="$(cat "$place/credential-id")" OS_APPLICATION_CREDENTIAL_SECRET=narrow-word \
  /usr/bin/openstack token issue -f value -c id)
equal 'access rules: allowed' "$(status "$narrow")" 200
equal 'access rules: refused' "$(status "$narrow" POST)" 403

equal 'before it is revoked' "$(status "$early")" 200
revokedAt=$SECONDS
os web "$web" shop token revoke "$early"
os web "$web" shop token revoke "$late"
equal 'revoked, and not believed before' "$(status "$late")" 401

# The service user's own tokens end with its password; the file is read again, the server goes on.
servicePassword=$(secret)
admin user set coffer --password "$servicePassword"
equal 'while the file has the old one' "$(status "$(tokenOf other "$other" elsewhere)")" 503
equal 'with the time to come back' "$(tr -d '\r' <"$place/head" | sed -n 's/^retry-after: //ip')" 5
printf '%s\n' "$servicePassword" >"$place/service-password"
sleep 2.1
equal 'logged in anew' "$(status "$(tokenOf other "$other" elsewhere)")" 200

fresh=$(tokenOf web "$web" shop) believed=$(tokenOf web "$web" shop)
equal 'asked about just now' "$(status "$believed")" 200
stop "$keystone"
equal 'Keystone gone: believed' "$(status "$believed")" 200
equal 'Keystone gone: others' "$(status "$fresh")" 503
startKeystone
equal 'Keystone back' "$(status "$fresh")" 200

admin user set web --disable
while [ $((SECONDS - revokedAt)) -lt 61 ]; do sleep 1; done
equal 'revoked, a minute later' "$(status "$early")" 401
while [ "$(status "$fresh")" = 200 ] && [ $((SECONDS - revokedAt)) -lt 130 ]; do sleep 1; done
equal 'of a disabled user, a minute later' "$(status "$fresh")" 401
for word in "$servicePassword" "$web" "$adminPassword" "$kept"; do
  equal 'nothing secret in the log' "$(grep -cF "$word" "$place/coffer.log")" 0
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
