#!/bin/bash
# Drives identity management with the `openstack` command, as an operator does.
#
#   openstack_identity.sh OPENRC
#
# OPENRC holds the variables of an administrator. Closes with 'N passed, N failed', non-zero when one failed.
set -uo pipefail
. "$1"
export PYTHONDONTWRITEBYTECODE=1
passed=0 failed=0 name=osc-$$-$RANDOM
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT

os() { /usr/bin/openstack "$@" 2>"$tmp/err"; }
equal() { # LABEL GOT WANTED
  if [ "$2" = "$3" ]; then passed=$((passed + 1)); else
    failed=$((failed + 1)); echo "FAIL  $1: got '$2', wanted '$3' $(tail -c 300 "$tmp/err")"; fi
}
runs() { # LABEL COMMAND...
  local label=$1; shift
  if os "$@" >"$tmp/out"; then passed=$((passed + 1)); else
    failed=$((failed + 1)); echo "FAIL  $label: $(tail -c 300 "$tmp/err")"; fi
}
fails() { # LABEL TEXT COMMAND...
  local label=$1 text=$2; shift 2
  if os "$@" >"$tmp/out"; then
    failed=$((failed + 1)); echo "FAIL  $label: it did not fail"
  elif grep -qi "$text" "$tmp/err"; then passed=$((passed + 1)); else
    failed=$((failed + 1)); echo "FAIL  $label: $(tail -c 300 "$tmp/err")"; fi
}
field() { os "$@" -f json | jq -r "$query"; }

query=.id
equal 'domain show' "$(field domain show Default)" default
query='.[0].Name'
equal 'domain list' "$(field domain list)" Default
fails 'domain create' 'read-only' domain create other
fails 'domain delete' 'read-only' domain delete Default

query=.id
p=$(field project create "$name" --description 'for a test' --domain Default)
equal 'project create' "${#p}" 32
equal 'project show by name' "$(field project show "$name")" "$p"
fails 'project create again' 'already' project create "$name"
runs 'project set' project set "$name" --description changed --name "$name-2"
query=.description
equal 'project show' "$(field project show "$p")" changed
query="[.[] | select(.ID == \"$p\")][0].Name"
equal 'project list' "$(field project list --domain default)" "$name-2"
runs 'project set --tag' project set "$p" --tag blue --property colour=red
query='(.tags | join(",")) + " " + .colour'
equal 'tag and property' "$(field project show "$p")" 'blue red'
query='.[0].Name'
equal 'project list --tags' "$(field project list --tags blue)" "$name-2"
runs 'project set --clear-tags' project set "$p" --clear-tags
query='.tags | length'
equal 'no tag left' "$(field project show "$p")" 0
runs 'project disable' project set "$p" --disable
query=.enabled
equal 'disabled' "$(field project show "$p")" false
runs 'project enable' project set "$p" --enable
fails 'project show of none' 'No project' project show no-such-project

query=.id
u=$(field user create "$name" --password 'first word of this' --project "$p" --email a@example.org)
equal 'user create' "${#u}" 32
query=.default_project_id
equal 'user show' "$(field user show "$name")" "$p"
fails 'user create again' 'already' user create "$name"
fails 'a confusable name' 'looks like' user create $'\u0430dmin'
runs 'user set' user set "$name" --email b@example.org --description 'of a test'
query=.email
equal 'user set: email' "$(field user show "$u")" b@example.org
query="[.[] | select(.ID == \"$u\")][0].Name"
equal 'user list' "$(field user list)" "$name"
equal 'user list --long' "$(field user list --long)" "$name"

query='.[0].Name'
runs 'role add' role add --user "$u" --project "$p" member
runs 'role add again' role add --user "$u" --project "$p" member
runs 'role add on the domain' role add --user "$u" --domain default reader
runs 'role add on the system' role add --user "$u" --system all reader
query='[.[] | .Role] | sort | join(",")'
equal 'role assignment list' "$(field role assignment list --user "$u" --names)" member,reader,reader
query='.[0].Project'
equal 'role assignment list --names' "$(field role assignment list --user "$u" --project "$p" --names)" "$name-2@Default"
query='[.[] | .Role] | sort | join(",")'
equal 'effective roles' "$(field role assignment list --user "$u" --project "$p" --names --effective)" member,reader
equal 'by role' "$(field role assignment list --user "$u" --role member --names)" member
query="[.[] | select(.ID == \"$u\")][0].Name"
equal 'user list --project' "$(field user list --project "$p")" "$name"
query='.[0].Name'
equal 'project list --user' "$(field project list --user "$u")" "$name-2"

as() { # PASSWORD COMMAND...
  local word=$1; shift
  (unset OS_PROJECT_NAME OS_SYSTEM_SCOPE; OS_USERNAME=$name OS_PASSWORD=$word OS_PROJECT_ID=$p os "$@")
}
if as 'first word of this' token issue >/dev/null; then passed=$((passed + 1)); else
  failed=$((failed + 1)); echo "FAIL  token issue: $(tail -c 300 "$tmp/err")"; fi
if as 'first word of this' user password set --original-password 'first word of this' --password 'second word of this'; then
  passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAIL  user password set: $(tail -c 300 "$tmp/err")"; fi
if as 'first word of this' token issue >/dev/null; then
  failed=$((failed + 1)); echo 'FAIL  the old password still works'; else passed=$((passed + 1)); fi
if as 'second word of this' user list >/dev/null; then
  failed=$((failed + 1)); echo 'FAIL  a member lists users'
elif grep -q 'identity:list_users' "$tmp/err"; then passed=$((passed + 1)); else
  failed=$((failed + 1)); echo "FAIL  a member lists users: $(tail -c 300 "$tmp/err")"; fi
runs 'user set --password' user set "$name" --password 'third word of this'
if as 'third word of this' catalog list >/dev/null; then passed=$((passed + 1)); else
  failed=$((failed + 1)); echo "FAIL  catalog list of a member: $(tail -c 300 "$tmp/err")"; fi

token=$(as 'third word of this' token issue -f value -c id)
answers() { curl -s -o /dev/null -w '%{http_code}' -H "X-Auth-Token: $token" "$OS_AUTH_URL/auth/projects"; }
equal 'a token' "$(answers)" 200
if as 'third word of this' token revoke "$token"; then passed=$((passed + 1)); else
  failed=$((failed + 1)); echo "FAIL  token revoke: $(tail -c 300 "$tmp/err")"; fi
equal 'a revoked token' "$(answers)" 401
system() { (unset OS_PROJECT_NAME OS_PROJECT_ID OS_PROJECT_DOMAIN_NAME; OS_SYSTEM_SCOPE=all os "$@"); }
token=$(system token issue -f value -c id)
equal 'a token for the system' "$(answers)" 200
equal 'project list by it' "$(system project show "$p" -f value -c name)" "$name-2"

query=.id
r=$(field role create "$name")
equal 'role create' "${#r}" 32
equal 'role show' "$(field role show "$name")" "$r"
runs 'role set' role set "$name" --name "$name-role"
query="[.[] | select(.ID == \"$r\")][0].Name"
equal 'role list' "$(field role list)" "$name-role"
fails 'role delete of admin' 'built in' role delete admin
runs 'role delete' role delete "$name-role"
query='[.[] | .["Prior Role Name"] + ">" + .["Implied Role Name"]] | join(",")'
equal 'implied role list' "$(field implied role list)" 'admin>manager,manager>member,member>reader'
fails 'implied role create' 'built in' implied role create creator --implied-role reader

query='[.[] | .Type] | sort | join(",")'
equal 'service list' "$(field service list)" identity,key-manager
query=.name
equal 'service show' "$(field service show key-manager)" barbican
query=length
equal 'endpoint list' "$(field endpoint list)" 6
equal 'endpoint list of one' "$(field endpoint list --service key-manager --interface public)" 1
equal 'catalog list' "$(field catalog list)" 2
query='.[0].Region'
equal 'region list' "$(field region list)" RegionOne
query=length
equal 'group list' "$(field group list)" 0

runs 'role remove' role remove --user "$u" --project "$p" member
fails 'role remove again' 'Could not find role assignment' role remove --user "$u" --project "$p" member
runs 'role remove on the domain' role remove --user "$u" --domain default reader
runs 'role remove on the system' role remove --user "$u" --system all reader
query=length
equal 'no roles left' "$(field role assignment list --user "$u")" 0
runs 'user delete' user delete "$name"
fails 'user show of none' 'No user' user show "$name"
runs 'project delete' project delete "$p"
fails 'project show after' 'No project' project show "$p"

(unset OS_PROJECT_NAME OS_PROJECT_DOMAIN_NAME; OS_SYSTEM_SCOPE=all os user list -f json >"$tmp/out")
equal 'as administrator of the system' "$(jq -r '[.[] | select(.Name == "admin")] | length' "$tmp/out")" 1

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
