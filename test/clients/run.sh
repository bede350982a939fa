#!/bin/bash
# Starts the built server on an empty data directory and drives it with the clients of OpenStack.
#
#   npm run build && npm run test:clients
#
# Needs python3-barbicanclient, python3-openstackclient, curl, jq and openssl. Settings in the environment are kept, so
# COFFER_DATABASE_URL takes the server to another database, which must be empty. Non-zero when one check failed.
set -euo pipefail
cd "$(dirname "$0")/../.."

for file in /usr/bin/python3 /usr/bin/openstack "$(command -v jq || echo jq)" "$(command -v openssl || echo openssl)" \
  dist/coffer.js; do
  [ -e "$file" ] || { echo "$file is missing: see the head of $0" >&2; exit 69; }
done

place=$(mktemp -d)
chmod 755 "$place"
server=
finish() {
  local status=$?
  trap - EXIT INT TERM
  if [ -n "$server" ]; then
    kill -TERM "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  if [ "$status" != 0 ] && [ -f "$place/server.log" ]; then
    echo "--- the last lines of the server" >&2
    tail -n 40 "$place/server.log" >&2
  fi
  rm -rf "$place"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

port=$(node -e "const s = require('node:net').createServer().listen(0, '127.0.0.1', () => { console.log(s.address().port); s.close(); })")
base=http://127.0.0.1:$port
export COFFER_LISTEN=127.0.0.1:$port COFFER_DATA_DIR=$place/data COFFER_KEYRING_FILE=$place/keys
export PYTHONDONTWRITEBYTECODE=1 NO_PROXY=127.0.0.1 no_proxy=127.0.0.1

if [ -n "${COFFER_DATABASE_URL:-}" ]; then
  npx coffer keyring create
  npx coffer migrate
  npx coffer bootstrap
fi
node dist/coffer.js serve >"$place/server.log" 2>&1 &
server=$!

isReady() { node -e "fetch('$base/health/ready').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"; }
for _ in $(seq 300); do
  if isReady; then break; fi
  kill -0 "$server" 2>/dev/null || { echo 'the server ended before it was ready' >&2; exit 1; }
  sleep 0.2
done
isReady || { echo 'the server is not ready after a minute' >&2; exit 1; }

npx coffer project create demo
echo demo | npx coffer user create demo --project demo --role creator --role member --role admin
echo demo | npx coffer user create demo2 --project demo --role creator --role member

failed=0
echo '--- python-barbicanclient'
/usr/bin/python3 test/clients/barbicanclient_smoke.py --strict --auth-url "$base/identity/v3" || failed=1
echo '--- openstack'
bash test/clients/openstack_cli_smoke.sh "$base/identity/v3" || failed=1
echo '--- keystoneauth: v3oidcaccesstoken'
bash test/clients/federation_smoke.sh "$base" || failed=1
echo '--- openstack: identity'
bash test/clients/openstack_identity.sh "$place/data/admin-openrc" || failed=1
echo '--- openstack, keystoneauth: application credentials'
bash test/clients/application_credentials.sh "$base" || failed=1
if [ "$failed" = 0 ]; then echo 'clients: every check passed'; else echo 'clients: some checks FAILED' >&2; fi
exit "$failed"
