#!/usr/bin/env bash
# replace-cloudfront-keys.sh OPTIONS: has links to viewer assets signed by a new key, while those that are out go on
# working. It takes two runs, an hour apart:
#
#   ./replace-cloudfront-keys.sh $(terraform output -raw key_replacement)
#   ./replace-cloudfront-keys.sh $(terraform output -raw key_replacement) --finish
#
# The first makes a pair (or takes the one in .cloudfront-keys/), adds its public key to the key group beside the old one,
# waits until CloudFront knows it everywhere, and only then gives the private key to the service, which takes it up within
# five minutes and without a restart: the parameter names the key's id together with the key. The second run removes the
# old key from the group when no link that it signed can be alive. Either run may be interrupted and repeated, also
# elsewhere: which key is in use is told by the private one.
#
# By schedule, once a day for instance, one command does both, each when its time has come:
#
#   ./replace-cloudfront-keys.sh $(terraform output -raw key_replacement) --rotate
#
#   --key-group ID  --distribution ID  --private-key-parameter NAME  --public-key-parameter NAME  --key-id-parameter NAME
#   --region REGION
#   --kms-key ID      what the private key's parameter is encrypted with (alias/aws/ssm)
#   --type rsa|p256   the kind of key to make (p256 with --rotate, else rsa)
#   --settle SECONDS  how long to wait after CloudFront says that it is done (300)
#   --finish          the second run
#   --rotate          the second run if it is due; else the first one if the key is old, or opens nothing
#   --max-age DAYS    with --rotate: how old a key is replaced (60)
#   --now             with --finish: do not wait for links that are out; they stop working. For a key that leaked
#   --dry-run         say what would be done, and do nothing
set -euo pipefail
shopt -s inherit_errexit
umask 077
export AWS_PAGER=''

here=$(cd "$(dirname "$0")" && pwd)
pair=$here/.cloudfront-keys

# Seconds: what the service may take to notice a new key, what a link lives, and a margin for clocks.
reload=300 link=3600 margin=300

# How many keys CloudFront lets a group have.
limit=5

die() { echo "${0##*/}: $*" >&2 && exit 1; }
say() { printf '%s\n' "$*" >&2; }
usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; }

# ------------------------------------------------------------------------------------------------------ options

group='' distribution='' private_parameter='' public_parameter='' id_parameter='' region=''
kms_key=alias/aws/ssm type='' settle=300 max_age=60 finish='' rotate='' now='' dry_run=''

read_options() {
    while [ $# -gt 0 ]; do
        case $1 in
            --finish) finish=yes && shift && continue ;;
            --rotate) rotate=yes && shift && continue ;;
            --now) now=yes && shift && continue ;;
            --dry-run) dry_run=yes && shift && continue ;;
            -h | --help) usage && exit ;;
        esac
        [ $# -ge 2 ] || die "$1 needs a value, or is unknown: --help says what there is"
        case $1 in
            --key-group) group=$2 ;;
            --distribution) distribution=$2 ;;
            --private-key-parameter) private_parameter=$2 ;;
            --public-key-parameter) public_parameter=$2 ;;
            --key-id-parameter) id_parameter=$2 ;;
            --kms-key) kms_key=$2 ;;
            --max-age) max_age=$2 ;;
            --region) region=$2 ;;
            --type) type=$2 ;;
            --settle) settle=$2 ;;
            *) die "what is $1? --help says what there is" ;;
        esac
        shift 2
    done
}

check_options() {
    local name
    for name in group distribution private_parameter public_parameter id_parameter region; do
        [ -n "${!name}" ] || die "the option for the $name is missing: --help says what there is"
    done
    type=${type:-$([ -n "$rotate" ] && echo p256 || echo rsa)}
    [[ $type =~ ^(rsa|p256)$ ]] || die "--type $type: CloudFront takes rsa and p256"
    [[ $settle =~ ^[0-9]+$ ]] || die "--settle $settle: it is a number of seconds"
    [[ $max_age =~ ^[0-9]+$ ]] || die "--max-age $max_age: it is a number of days"
    [ -z "$now" ] || [ -n "$finish" ] || die '--now goes with --finish'
    [ -z "$rotate" ] || [ -z "$finish" ] || die '--rotate does what --finish does, when it is time'
    for name in aws openssl python3; do command -v "$name" >/dev/null || die "it needs $name"; done
}

# ---------------------------------------------------------------------------------------------------------- AWS

# change COMMAND..: does what changes something, unless this is a dry run.
change() {
    if [ -n "$dry_run" ]; then
        say "  would run: $*"
    else
        "$@" >/dev/null
    fi
}

text() { aws "$@" --output text; }

# What identifies a pair: a digest of its public key, however its lines are broken.
fingerprint() { openssl pkey -pubin -in "$1" -outform DER | openssl dgst -sha256 -r | cut -c 1-16; }

# The name says which group a key was made for, and that it was made here.
key_name() { echo "$group-$(fingerprint "$1")"; }

# key_id PUBLIC_KEY_FILE: CloudFront's id for that key, whoever told it, or nothing. Of two, the one in the group.
key_id() {
    aws cloudfront list-public-keys --output json >"$work/keys.json"
    group_items >"$work/items"
    python3 -c '
import base64, json, sys
def contents(pem): return base64.b64decode("".join(line for line in pem.splitlines() if not line.startswith("-----")))
keys, items, path = sys.argv[1:]
wanted, trusted = contents(open(path).read()), open(items).read().split()
found = [key["Id"] for key in json.load(open(keys))["PublicKeyList"].get("Items", []) if contents(key["EncodedKey"]) == wanted]
print(*sorted(found, key=lambda id: id not in trusted)[:1])' "$work/keys.json" "$work/items" "$1"
}

group_items() { text cloudfront get-key-group --id "$group" --query 'KeyGroup.KeyGroupConfig.Items' | tr '\t' '\n'; }

has() { grep -qxF -- "$2" <<<"$1"; } # has LINES LINE

# set_group_items ID..: all else of the group stays. CloudFront refuses if somebody changed it since it was read.
set_group_items() {
    local group_now config etag
    group_now=$(aws cloudfront get-key-group --id "$group" --output json)
    etag=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["ETag"])' <<<"$group_now")
    config=$(python3 -c '
import json, sys
config = json.load(sys.stdin)["KeyGroup"]["KeyGroupConfig"]
print(json.dumps({**config, "Items": sys.argv[1:]}))' "$@" <<<"$group_now")
    change aws cloudfront update-key-group --id "$group" --if-match "$etag" --key-group-config "$config"
}

wait_for_cloudfront() {
    [ -z "$dry_run" ] || { say "  would wait until CloudFront has it everywhere, and $settle s" && return; }
    aws cloudfront wait distribution-deployed --id "$distribution"
    # A key group's change does not show in the distribution's status, so that alone proves nothing.
    sleep "$settle"
}

parameter() { # parameter NAME FIELD
    text ssm get-parameter --region "$region" --name "$1" --query "Parameter.$2"
}

# put_parameter NAME TYPE FILE [OPTION..]: from a file, since others can read a process's arguments.
put_parameter() {
    local name=$1 kind=$2 file=$3
    shift 3
    change aws ssm put-parameter --region "$region" --name "$name" --type "$kind" --value "file://$file" --overwrite "$@"
}

# Writes the public half of the key that the service signs with into a file, and fails if there is none. Only the private
# half tells: of a switch that was interrupted, the other parameters may be behind.
current_public_key() { # current_public_key FILE
    local value
    # A parameter that cannot be read is no parameter without a key.
    value=$(text ssm get-parameter --region "$region" --name "$private_parameter" --with-decryption --query Parameter.Value) ||
        die "$private_parameter cannot be read"
    # Through a variable: whoever reads PEM from a pipe may stop before its end, and break it.
    value=$(python3 -c '
import base64, sys
value = sys.stdin.read().strip()
print(value if "-----BEGIN" in value else base64.b64decode(value).decode())' 2>/dev/null <<<"$value") || return
    openssl pkey -pubout -out "$1" 2>/dev/null <<<"$value"
}

is_in_use() { # is_in_use PUBLIC_KEY_FILE
    current_public_key "$work/current.pem" && [ "$(fingerprint "$work/current.pem")" = "$(fingerprint "$1")" ]
}

# tell_others PUBLIC_KEY_FILE ID: writes what belongs to the key in use, where it is not there already.
tell_others() {
    local file=$1 id=$2
    parameter "$public_parameter" Value >"$work/public.pem"
    printf %s "$id" >"$work/id"
    [ "$(parameter "$id_parameter" Value)" = "$id" ] || put_parameter "$id_parameter" String "$work/id"
    [ "$(fingerprint "$work/public.pem" 2>/dev/null)" = "$(fingerprint "$file")" ] || put_parameter "$public_parameter" String "$file"
}

# -------------------------------------------------------------------------------------------------- the first run

make_pair() {
    if [ -e "$pair/private_key.pem" ]; then
        say "1. The pair in $pair is the new one."
    elif [ -n "$dry_run" ]; then
        say "1. Would make a pair ($type) in $pair; the other steps depend on it."
        exit
    else
        say "1. Making a pair of keys ($type)."
        "$here/generate-cloudfront-keys.sh" --type "$type"
    fi
}

tell_cloudfront() { # sets new_key
    local name config
    name=$(key_name "$pair/public_key.pem")
    new_key=$(key_id "$pair/public_key.pem")
    if [ -n "$new_key" ]; then
        say "2. CloudFront knows the public key: $new_key."
        return
    fi
    say '2. Telling CloudFront the public key.'
    config=$(python3 -c '
import json, sys
name, path = sys.argv[1:]
print(json.dumps({"CallerReference": name, "Name": name, "EncodedKey": open(path).read(), "Comment": "Signs links to viewer assets"}))
' "$name" "$pair/public_key.pem")
    change aws cloudfront create-public-key --public-key-config "$config"
    new_key=$(key_id "$pair/public_key.pem")
    [ -n "$new_key" ] || { [ -n "$dry_run" ] && new_key=NEW_KEY; } || die 'CloudFront does not know it'
}

# What stays in a group that is full: the key in use, once no other can have signed a link that works.
make_room() {
    local left
    left=$(remaining)
    [ "$left" -eq 0 ] || die "the key group has $limit keys, and can have no more. In $((left / 60 + 1)) minutes there is room"
    take_stock
    say "   The key group is full. All but the key in use are removed: ${current:-there is none}."
    echo "$current"
}

trust_new_key() {
    local items
    items=$(group_items)
    if has "$items" "$new_key"; then
        say "3. The key group has $new_key."
    else
        if [ "$(wc -l <<<"$items")" -ge "$limit" ]; then items=$(make_room); fi
        say "3. Adding $new_key to the key group, beside $(tr '\n' ' ' <<<"$items")"
        # shellcheck disable=SC2086 # ids have no spaces
        set_group_items $items "$new_key"
    fi
    say '4. Waiting for CloudFront.'
    wait_for_cloudfront
}

give_to_service() {
    say "5. Giving the private key, with its id, to the service: $private_parameter."
    # Text before the first line of PEM is for whoever reads it (RFC 7468, section 2).
    { echo "Key-Pair-Id: $new_key" && cat "$pair/private_key.pem"; } | openssl base64 -A >"$work/private"
    put_parameter "$private_parameter" SecureString "$work/private" --key-id "$kms_key"
    tell_others "$pair/public_key.pem" "$new_key"
}

forget_pair() {
    [ -z "$dry_run" ] || return 0
    rm -f "$pair/private_key.pem" "$pair/private_key_base64.txt" "$pair/public_key.pem"
    rmdir "$pair" 2>/dev/null || true
}

first_run() {
    make_pair
    if is_in_use "$pair/public_key.pem"; then
        say 'The service has this pair already. Its local copy is removed, since the parameter is the one to keep.'
        tell_others "$pair/public_key.pem" "$(key_id "$pair/public_key.pem")"
    else
        tell_cloudfront
        trust_new_key
        give_to_service
    fi
    forget_pair
    say "Done. Within $((reload / 60)) minutes every new link is signed by the new key. In $(((reload + link + margin) / 60)) minutes run this again with --finish."
}

# ------------------------------------------------------------------------------------------------- the second run

# until_after SECONDS: how many seconds are left until that long after the key in use was given to the service.
until_after() {
    python3 -c '
import datetime, sys, time
try:
    changed = float(sys.argv[1])
except ValueError:
    changed = datetime.datetime.fromisoformat(sys.argv[1].replace("Z", "+00:00")).timestamp()
print(max(0, round(changed + float(sys.argv[2]) - time.time())))
' "$(parameter "$private_parameter" LastModifiedDate)" "$1"
}

# Seconds until the last link that the old key signed has ended.
remaining() { until_after "$((reload + link + margin))"; }

remove_public_key() { # remove_public_key ID
    local name etag
    name=$(text cloudfront get-public-key --id "$1" --query 'PublicKey.PublicKeyConfig.Name')
    if [[ $name != "$group"-* ]]; then
        say "3. $1 ($name) was not made by this script, and is left; it counts for nothing any more."
        return
    fi
    say "3. Deleting the public key $1."
    etag=$(text cloudfront get-public-key --id "$1" --query ETag)
    change aws cloudfront delete-public-key --id "$1" --if-match "$etag"
}

# Finds the key in use, and what else is in the group or was made for it: sets current and others.
take_stock() {
    local items
    current='' others=''
    if current_public_key "$work/current.pem"; then current=$(key_id "$work/current.pem"); fi
    items=$(group_items)
    has "$items" "$current" || current=''
    others=$(unused_keys "$current" "$items")
}

second_run() {
    local left old
    take_stock
    [ -n "$current" ] || die 'the key in use is not in the key group, or not known to CloudFront: run the first part'
    left=$(remaining)
    if [ -z "$now" ] && [ "$left" -gt 0 ]; then
        die "links that the old key signed work for another $((left / 60 + 1)) minutes. Run this then; --now ends them at once"
    fi
    tell_others "$work/current.pem" "$current"
    old=$(group_items | grep -vxF -- "$current" || true)
    if [ -z "$old" ]; then
        say "1. The key group has $current only."
    else
        say "1. Removing from the key group: $(tr '\n' ' ' <<<"$old")"
        set_group_items "$current"
        say '2. Waiting for CloudFront.'
        wait_for_cloudfront
    fi
    for key in $others; do remove_public_key "$key"; done
    say "Done. Only $current opens viewer assets."
}

# Both runs, each when it is due. The pair may be gone that an interrupted one made, as on a machine of CI's: then what is left
# of it is removed like an old key, and another is made.
rotate() {
    local left
    take_stock
    if [ -n "$current" ] && [ -n "$others" ]; then
        left=$(remaining)
        if [ "$left" -gt 0 ]; then
            tell_others "$work/current.pem" "$current"
            say "Links of the key before work for another $((left / 60 + 1)) minutes. The next run removes it."
            return
        fi
        second_run
    elif [ -n "$current" ]; then
        tell_others "$work/current.pem" "$current"
    fi
    if [ -n "$current" ] && [ "$(until_after "$((max_age * 86400))")" -gt 0 ]; then
        say "$current is in use, and not $max_age days old."
        return
    fi
    first_run
}

# What is not in use: in the group, or made for it and taken out, now or in a run that was interrupted. A key that is neither in
# the group nor named after it is somebody else's.
unused_keys() { # unused_keys CURRENT ITEMS
    {
        echo "$2"
        text cloudfront list-public-keys --query "PublicKeyList.Items[?starts_with(Name, '$group-')].Id" | tr '\t' '\n'
    } | grep -vxF -e "$1" -e None -e '' | sort -u || true
}

# --------------------------------------------------------------------------------------------------------------

read_options "$@"
check_options
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ -z "$dry_run" ] || say 'A dry run: nothing is changed.'
if [ -n "$rotate" ]; then
    rotate
elif [ -n "$finish" ]; then
    second_run
else
    first_run
fi
