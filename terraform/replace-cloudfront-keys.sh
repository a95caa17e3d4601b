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
# old key from the group when no link that it signed can be alive. Either run may be interrupted and repeated.
#
#   --key-group ID  --distribution ID  --private-key-parameter NAME  --public-key-parameter NAME  --region REGION
#   --type rsa|p256   the kind of key to make (rsa)
#   --settle SECONDS  how long to wait after CloudFront says that it is done (300)
#   --finish          the second run
#   --now             with --finish: do not wait for links that are out; they stop working. For a key that leaked
#   --dry-run         say what would be done, and do nothing
set -euo pipefail
umask 077
export AWS_PAGER=''

here=$(cd "$(dirname "$0")" && pwd)
pair=$here/.cloudfront-keys

# Seconds: what the service may take to notice a new key, what a link lives, and a margin for clocks.
reload=300 link=3600 margin=300

die() { echo "${0##*/}: $*" >&2 && exit 1; }
say() { printf '%s\n' "$*" >&2; }
usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; }

# ------------------------------------------------------------------------------------------------------ options

group='' distribution='' private_parameter='' public_parameter='' region=''
type=rsa settle=300 finish='' now='' dry_run=''

read_options() {
    while [ $# -gt 0 ]; do
        case $1 in
            --finish) finish=yes && shift && continue ;;
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
    for name in group distribution private_parameter public_parameter region; do
        [ -n "${!name}" ] || die "the option for the $name is missing: --help says what there is"
    done
    [[ $type =~ ^(rsa|p256)$ ]] || die "--type $type: CloudFront takes rsa and p256"
    [[ $settle =~ ^[0-9]+$ ]] || die "--settle $settle: it is a number of seconds"
    [ -z "$now" ] || [ -n "$finish" ] || die '--now goes with --finish'
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

# first COMMAND..: the first word of the answer, or nothing. A list comes in pages, empty ones among them, and as text the
# query's answer for each is a line, which says None where there is nothing.
first() {
    local pages
    pages=$(text "$@") || return
    awk '$1 != "" && $1 != "None" { print $1; exit }' <<<"$pages"
}

# What identifies a pair: a digest of its public key, however its lines are broken.
fingerprint() { openssl pkey -pubin -in "$1" -outform DER | openssl dgst -sha256 -r | cut -c 1-16; }

# The name says which group a key was made for, and that it was made here.
key_name() { echo "$group-$(fingerprint "$1")"; }

# key_id NAME: the id of the public key of that name, or nothing.
key_id() { first cloudfront list-public-keys --query "PublicKeyList.Items[?Name=='$1'].Id | [0]"; }

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

# Without its key's id, overwriting would encrypt a parameter with AWS's key instead of yours.
parameter_kms_key() {
    first ssm describe-parameters --region "$region" --parameter-filters "Key=Name,Values=$private_parameter" \
        --query 'Parameters[0].KeyId'
}

# put_parameter NAME TYPE FILE [OPTION..]: from a file, since others can read a process's arguments.
put_parameter() {
    local name=$1 kind=$2 file=$3
    shift 3
    change aws ssm put-parameter --region "$region" --name "$name" --type "$kind" --value "file://$file" --overwrite "$@"
}

# Writes the public key that the service signs with into a file.
current_public_key() { parameter "$public_parameter" Value >"$1"; }

is_in_use() { # is_in_use PUBLIC_KEY_FILE
    current_public_key "$work/current.pem"
    [ "$(fingerprint "$work/current.pem" 2>/dev/null)" = "$(fingerprint "$1")" ]
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
    new_key=$(key_id "$name")
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
    new_key=$(key_id "$name")
    [ -n "$new_key" ] || { [ -n "$dry_run" ] && new_key=NEW_KEY; } || die 'CloudFront does not know it'
}

trust_new_key() {
    local items
    items=$(group_items)
    if has "$items" "$new_key"; then
        say "3. The key group has $new_key."
    else
        say "3. Adding $new_key to the key group, beside $(tr '\n' ' ' <<<"$items")"
        # shellcheck disable=SC2086 # ids have no spaces
        set_group_items $items "$new_key"
    fi
    say '4. Waiting for CloudFront.'
    wait_for_cloudfront
}

give_to_service() {
    local kms_key
    say "5. Giving the private key, with its id, to the service: $private_parameter."
    kms_key=$(parameter_kms_key)
    # Text before the first line of PEM is for whoever reads it (RFC 7468, section 2).
    { echo "Key-Pair-Id: $new_key" && cat "$pair/private_key.pem"; } | openssl base64 -A >"$work/private"
    put_parameter "$private_parameter" SecureString "$work/private" --key-id "$kms_key"
    # Last: this is what says that the switch is done.
    put_parameter "$public_parameter" String "$pair/public_key.pem"
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
    else
        tell_cloudfront
        trust_new_key
        give_to_service
    fi
    forget_pair
    say "Done. Within $((reload / 60)) minutes every new link is signed by the new key. In $(((reload + link + margin) / 60)) minutes run this again with --finish."
}

# ------------------------------------------------------------------------------------------------- the second run

# Seconds until the last link that the old key signed has ended.
remaining() {
    python3 -c '
import datetime, sys, time
try:
    changed = float(sys.argv[1])
except ValueError:
    changed = datetime.datetime.fromisoformat(sys.argv[1].replace("Z", "+00:00")).timestamp()
print(max(0, round(changed + float(sys.argv[2]) - time.time())))
' "$(parameter "$public_parameter" LastModifiedDate)" "$((reload + link + margin))"
}

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

second_run() {
    local name current items left old
    current_public_key "$work/current.pem"
    name=$(key_name "$work/current.pem")
    current=$(key_id "$name")
    [ -n "$current" ] || die 'the key in use was not made by this script: is the first run done?'
    items=$(group_items)
    has "$items" "$current" || die "the key in use, $current, is not in the key group: run the first part again"

    left=$(remaining)
    if [ -z "$now" ] && [ "$left" -gt 0 ]; then
        die "links that the old key signed work for another $((left / 60 + 1)) minutes. Run this then; --now ends them at once"
    fi
    old=$(grep -vxF -- "$current" <<<"$items" || true)
    if [ -z "$old" ]; then
        say "1. The key group has $current only."
    else
        say "1. Removing from the key group: $(tr '\n' ' ' <<<"$old")"
        set_group_items "$current"
        say '2. Waiting for CloudFront.'
        wait_for_cloudfront
    fi
    for key in $(unused_keys "$current" "$old"); do remove_public_key "$key"; done
    say "Done. Only $current opens viewer assets."
}

# Keys that were taken out of the group, now or in a run that was interrupted.
unused_keys() { # unused_keys CURRENT OLD
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
if [ -n "$finish" ]; then second_run; else first_run; fi
