#!/bin/bash
# Exchanges a JWT of an issuer for a token, as keystoneauth's v3oidcaccesstoken and OAuth clients do it.
#
#   federation_smoke.sh BASE_URL
#
# BASE_URL: http://host:port of a server, whose settings (COFFER_DATA_DIR and the like) are in the environment; it has
# a project demo. Needs openssl, node, curl and jq. Closes with 'N passed, N failed'.
set -uo pipefail
base=$1
passed=0 failed=0
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
export PYTHONDONTWRITEBYTECODE=1

equal() { # LABEL GOT WANTED
  if [ "$2" = "$3" ]; then passed=$((passed + 1)); else
    failed=$((failed + 1)); echo "FAIL  $1: got '$2', wanted '$3' $(tail -c 300 "$tmp/err" 2>/dev/null)"; fi
}
fails() { # LABEL TEXT COMMAND...
  local label=$1 text=$2; shift 2
  if "$@" >"$tmp/out" 2>"$tmp/err"; then failed=$((failed + 1)); echo "FAIL  $label: it did not fail"
  elif grep -qi "$text" "$tmp/err"; then passed=$((passed + 1)); else
    failed=$((failed + 1)); echo "FAIL  $label: $(tail -c 300 "$tmp/err")"; fi
}

# What a cluster or a forge would do: a key, its set, and a JWT for one subject.
node -e "
  const { generateKeyPairSync } = require('node:crypto');
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const { writeFileSync } = require('node:fs');
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256', use: 'sig' };
  writeFileSync('$tmp/jwks.json', JSON.stringify({ keys: [jwk] }));
  writeFileSync('$tmp/key.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
"
jwt() { # SUBJECT
  node -e "
    const { createSign } = require('node:crypto');
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: 'https://cluster.example.org', aud: 'coffer', sub: '$1', iat: now, exp: now + 300 };
    const input = part({ alg: 'RS256', typ: 'JWT', kid: 'one' }) + '.' + part(claims);
    const key = require('node:fs').readFileSync('$tmp/key.pem');
    console.log(input + '.' + createSign('sha256').update(input).sign(key, 'base64url'));
  "
}
os() { # JWT ARGUMENTS...
  local token=$1; shift
  env -u OS_USERNAME -u OS_PASSWORD OS_AUTH_TYPE=v3oidcaccesstoken OS_AUTH_URL="$base/identity/v3" \
    OS_IDENTITY_PROVIDER=clients-k8s OS_PROTOCOL=openid OS_ACCESS_TOKEN="$token" OS_PROJECT_NAME=demo \
    OS_PROJECT_DOMAIN_NAME=Default OS_IDENTITY_API_VERSION=3 /usr/bin/openstack "$@"
}

subject=system:serviceaccount:shop:web
npx coffer issuer create clients-k8s --issuer https://cluster.example.org --jwks "$tmp/jwks.json" --audience coffer \
  --claims "sub=$subject" --project demo --role creator >"$tmp/issuer" 2>"$tmp/err"
equal 'issuer create' "$(jq -r .name "$tmp/issuer")" clients-k8s
good=$(jwt $subject) foreign=$(jwt system:serviceaccount:shop:db)

href=$(os "$good" secret store --name federated --payload 'of a workload' -f value -c 'Secret href' 2>"$tmp/err")
equal 'stored by v3oidcaccesstoken' "$(os "$good" secret get "$href" --payload -f value -c Payload 2>"$tmp/err")" 'of a workload'
equal 'its user' "$(os "$good" token issue -f value -c user_id 2>"$tmp/err")" "$(jq -r .user "$tmp/issuer")"
fails 'another subject' 'requires authentication' os "$foreign" secret list

exchange() { # JWT
  curl -s --noproxy '*' "$base/identity/oauth2/token" -d grant_type=urn:ietf:params:oauth:grant-type:token-exchange \
    -d subject_token_type=urn:ietf:params:oauth:token-type:jwt -d "subject_token=$1"
}
bearer=$(exchange "$good" | jq -r .access_token)
equal 'read by an exchanged token' "$(curl -s --noproxy '*' "$href/payload" -H "Authorization: Bearer $bearer" -H 'Accept: text/plain')" 'of a workload'
equal 'another subject' "$(exchange "$foreign" | jq -r .error)" invalid_request

npx coffer issuer set clients-k8s --disable >/dev/null
fails 'a disabled issuer' 'requires authentication' os "$good" secret list
for _ in $(seq 60); do
  status=$(curl -s --noproxy '*' -o /dev/null -w '%{http_code}' "$href" -H "Authorization: Bearer $bearer")
  [ "$status" = 401 ] && break; sleep 0.1
done
equal 'its tokens, 6 s later' "$status" 401
npx coffer issuer delete clients-k8s --yes
equal 'issuer delete' "$(npx coffer issuer list -o json | jq length)" 0
echo "$passed passed, $failed failed"
[ $failed = 0 ]
