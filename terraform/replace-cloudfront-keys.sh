#!/usr/bin/env bash
# replace-cloudfront-keys.sh OPTIONS: replaces the key that signs links to viewer assets. Existing links keep working.
# It takes two runs, more than an hour apart:
#
#   ./replace-cloudfront-keys.sh $(terraform output -raw key_replacement)
#   ./replace-cloudfront-keys.sh $(terraform output -raw key_replacement) --finish
#
# The first run makes a pair of keys, or uses the pair in .cloudfront-keys/. It adds the public key to the key group
# beside the old one, and waits until all of CloudFront knows it. Only then it gives the private key to the service. The
# service loads the key within five minutes, without a restart: the parameter has the key's id together with the key.
# The second run removes the old key from the group after the last link that it signed has expired. You can interrupt
# and repeat either run, also on another machine: the private key tells the script which key is in use.
#
# With --rotate, one command does both, each when it is due. Run it by schedule, for example once a day:
#
#   ./replace-cloudfront-keys.sh $(terraform output -raw key_replacement) --rotate
#
#   --key-group ID  --distribution ID  --private-key-parameter NAME  --public-key-parameter NAME  --key-id-parameter NAME
#   --region REGION
#   --kms-key ID      KMS key of the private key's parameter (alias/aws/ssm)
#   --type rsa|p256   type of the new key (p256 with --rotate, else rsa)
#   --settle SECONDS  how long to wait after CloudFront reports that it is done (300)
#   --finish          the second run
#   --rotate          the second run if it is due; else the first run if the key is old, or if CloudFront does not trust it
#   --max-age DAYS    with --rotate: the age at which a key is replaced (60)
#   --now             with --finish: do not wait for existing links; they stop working. For a key that leaked
#   --dry-run         print what would be done, and change nothing
set -euo pipefail
shopt -s inherit_errexit
umask 077
export AWS_PAGER=''

here=$(cd "$(dirname "$0")" && pwd)
pair_dir=$here/.cloudfront-keys

# Seconds until the service has loaded a new key, lifetime of a link, and a margin for clocks.
reload_seconds=300 link_seconds=3600 margin_seconds=300

# CloudFront's limit of keys in a group.
max_group_keys=5

die() { echo "${0##*/}: $*" >&2 && exit 1; }
log() { printf '%s\n' "$*" >&2; }
print_usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; }

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
            -h | --help) print_usage && exit ;;
        esac
        [ $# -ge 2 ] || die "$1 needs a value, or is unknown. See --help"
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
            *) die "unknown option: $1. See --help" ;;
        esac
        shift 2
    done
}

check_options() {
    local name
    for name in group distribution private_parameter public_parameter id_parameter region; do
        [ -n "${!name}" ] || die "the option for $name is missing. See --help"
    done
    type=${type:-$([ -n "$rotate" ] && echo p256 || echo rsa)}
    [[ $type =~ ^(rsa|p256)$ ]] || die "invalid value for --type: $type. CloudFront accepts rsa and p256"
    [[ $settle =~ ^[0-9]+$ ]] || die "invalid value for --settle: $settle. Give a number of seconds"
    [[ $max_age =~ ^[0-9]+$ ]] || die "invalid value for --max-age: $max_age. Give a number of days"
    [ -z "$now" ] || [ -n "$finish" ] || die '--now needs --finish'
    [ -z "$rotate" ] || [ -z "$finish" ] || die 'use either --rotate or --finish: --rotate finishes when it is due'
    for name in aws openssl python3; do command -v "$name" >/dev/null || die "$name is not installed"; done
}

# ---------------------------------------------------------------------------------------------------------- AWS

# run_change COMMAND..: runs a command that changes something, unless this is a dry run.
run_change() {
    if [ -n "$dry_run" ]; then
        log "  would run: $*"
    else
        "$@" >/dev/null
    fi
}

aws_text() { aws "$@" --output text; }

# Identifies a pair: a digest of its public key. Line breaks in the PEM do not change it.
fingerprint() { openssl pkey -pubin -in "$1" -outform DER | openssl dgst -sha256 -r | cut -c 1-16; }

# The name of a key in CloudFront. It has the group that the key was made for, and marks keys that this script made.
key_name() { echo "$group-$(fingerprint "$1")"; }

# find_key_id PUBLIC_KEY_FILE: prints CloudFront's id of that key, or nothing. If there are two, it prefers the one in the group.
find_key_id() {
    aws cloudfront list-public-keys --output json >"$work/keys.json"
    list_group_keys >"$work/items"
    python3 -c '
import base64, json, sys
def decode(pem): return base64.b64decode("".join(line for line in pem.splitlines() if not line.startswith("-----")))
keys, items, path = sys.argv[1:]
wanted, trusted = decode(open(path).read()), open(items).read().split()
found = [key["Id"] for key in json.load(open(keys))["PublicKeyList"].get("Items", []) if decode(key["EncodedKey"]) == wanted]
print(*sorted(found, key=lambda id: id not in trusted)[:1])' "$work/keys.json" "$work/items" "$1"
}

list_group_keys() { aws_text cloudfront get-key-group --id "$group" --query 'KeyGroup.KeyGroupConfig.Items' | tr '\t' '\n'; }

has_line() { grep -qxF -- "$2" <<<"$1"; } # has_line LINES LINE

# set_group_keys ID..: changes only the group's keys. CloudFront refuses the change if the group changed since it was read.
set_group_keys() {
    local current_group config etag
    current_group=$(aws cloudfront get-key-group --id "$group" --output json)
    etag=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["ETag"])' <<<"$current_group")
    config=$(python3 -c '
import json, sys
config = json.load(sys.stdin)["KeyGroup"]["KeyGroupConfig"]
print(json.dumps({**config, "Items": sys.argv[1:]}))' "$@" <<<"$current_group")
    run_change aws cloudfront update-key-group --id "$group" --if-match "$etag" --key-group-config "$config"
}

wait_for_cloudfront() {
    [ -z "$dry_run" ] || { log "  would wait for the distribution, and $settle s more" && return; }
    aws cloudfront wait distribution-deployed --id "$distribution"
    # The distribution's status does not show a change of the key group, so also wait for a fixed time.
    sleep "$settle"
}

get_parameter() { # get_parameter NAME FIELD
    aws_text ssm get-parameter --region "$region" --name "$1" --query "Parameter.$2"
}

# put_parameter NAME TYPE FILE [OPTION..]: the value comes from a file, because other users can read a process's arguments.
put_parameter() {
    local name=$1 parameter_type=$2 file=$3
    shift 3
    run_change aws ssm put-parameter --region "$region" --name "$name" --type "$parameter_type" --value "file://$file" --overwrite "$@"
}

# Writes the public half of the key that the service signs with to a file. Fails if there is no such key. It uses only the
# private key: after an interrupted run the other parameters may be outdated.
write_current_public_key() { # write_current_public_key FILE
    local value
    # An unreadable parameter is an error. It does not mean that there is no key.
    value=$(aws_text ssm get-parameter --region "$region" --name "$private_parameter" --with-decryption --query Parameter.Value) ||
        die "cannot read the parameter $private_parameter"
    # Through a variable: a program that reads PEM from a pipe may stop before the end and break the pipe.
    value=$(python3 -c '
import base64, sys
value = sys.stdin.read().strip()
print(value if "-----BEGIN" in value else base64.b64decode(value).decode())' 2>/dev/null <<<"$value") || return
    openssl pkey -pubout -out "$1" 2>/dev/null <<<"$value"
}

is_in_use() { # is_in_use PUBLIC_KEY_FILE
    write_current_public_key "$work/current.pem" && [ "$(fingerprint "$work/current.pem")" = "$(fingerprint "$1")" ]
}

# update_public_parameters PUBLIC_KEY_FILE ID: writes public key and id of the key in use, if the parameters differ.
update_public_parameters() {
    local file=$1 id=$2
    get_parameter "$public_parameter" Value >"$work/public.pem"
    printf %s "$id" >"$work/id"
    [ "$(get_parameter "$id_parameter" Value)" = "$id" ] || put_parameter "$id_parameter" String "$work/id"
    [ "$(fingerprint "$work/public.pem" 2>/dev/null)" = "$(fingerprint "$file")" ] || put_parameter "$public_parameter" String "$file"
}

# -------------------------------------------------------------------------------------------------- the first run

make_pair() {
    if [ -e "$pair_dir/private_key.pem" ]; then
        log "1. Using the pair in $pair_dir."
    elif [ -n "$dry_run" ]; then
        log "1. Would make a pair ($type) in $pair_dir. The other steps depend on it."
        exit
    else
        log "1. Making a pair of keys ($type)."
        "$here/generate-cloudfront-keys.sh" --type "$type"
    fi
}

add_public_key() { # sets new_key
    local name config
    name=$(key_name "$pair_dir/public_key.pem")
    new_key=$(find_key_id "$pair_dir/public_key.pem")
    if [ -n "$new_key" ]; then
        log "2. CloudFront has the public key: $new_key."
        return
    fi
    log '2. Giving CloudFront the public key.'
    config=$(python3 -c '
import json, sys
name, path = sys.argv[1:]
print(json.dumps({"CallerReference": name, "Name": name, "EncodedKey": open(path).read(), "Comment": "Signs links to viewer assets"}))
' "$name" "$pair_dir/public_key.pem")
    run_change aws cloudfront create-public-key --public-key-config "$config"
    new_key=$(find_key_id "$pair_dir/public_key.pem")
    [ -n "$new_key" ] || { [ -n "$dry_run" ] && new_key=NEW_KEY; } || die 'CloudFront does not list the new public key'
}

# Prints the keys that stay in a full group: only the key in use, after all links of the other keys have expired.
list_keys_to_keep() {
    local left
    left=$(seconds_until_expired)
    [ "$left" -eq 0 ] || die "the key group is full ($max_group_keys keys). Try again in $((left / 60 + 1)) minutes, when there is room"
    find_keys
    log "   The key group is full. Removing all keys except the key in use: ${current:-none}."
    echo "$current"
}

trust_new_key() {
    local items
    items=$(list_group_keys)
    if has_line "$items" "$new_key"; then
        log "3. The key group has $new_key."
    else
        if [ "$(wc -l <<<"$items")" -ge "$max_group_keys" ]; then items=$(list_keys_to_keep); fi
        log "3. Adding $new_key to the key group, beside $(tr '\n' ' ' <<<"$items")"
        # shellcheck disable=SC2086 # ids have no spaces
        set_group_keys $items "$new_key"
    fi
    log '4. Waiting for CloudFront.'
    wait_for_cloudfront
}

write_private_key() {
    log "5. Writing the private key, with its id, to $private_parameter."
    # PEM parsers ignore text before the first line (RFC 7468, section 2).
    { echo "Key-Pair-Id: $new_key" && cat "$pair_dir/private_key.pem"; } | openssl base64 -A >"$work/private"
    put_parameter "$private_parameter" SecureString "$work/private" --key-id "$kms_key"
    update_public_parameters "$pair_dir/public_key.pem" "$new_key"
}

remove_local_pair() {
    [ -z "$dry_run" ] || return 0
    rm -f "$pair_dir/private_key.pem" "$pair_dir/private_key_base64.txt" "$pair_dir/public_key.pem"
    rmdir "$pair_dir" 2>/dev/null || true
}

first_run() {
    make_pair
    if is_in_use "$pair_dir/public_key.pem"; then
        log 'The service already uses this pair. Removing the local copy.'
        update_public_parameters "$pair_dir/public_key.pem" "$(find_key_id "$pair_dir/public_key.pem")"
    else
        add_public_key
        trust_new_key
        write_private_key
    fi
    remove_local_pair
    log "Done. Within $((reload_seconds / 60)) minutes the new key signs every new link. Run this again with --finish in $(((reload_seconds + link_seconds + margin_seconds) / 60)) minutes."
}

# ------------------------------------------------------------------------------------------------- the second run

# seconds_left SECONDS: how many of these seconds are left since the private key was written.
seconds_left() {
    python3 -c '
import datetime, sys, time
try:
    changed = float(sys.argv[1])
except ValueError:
    changed = datetime.datetime.fromisoformat(sys.argv[1].replace("Z", "+00:00")).timestamp()
print(max(0, round(changed + float(sys.argv[2]) - time.time())))
' "$(get_parameter "$private_parameter" LastModifiedDate)" "$1"
}

# Seconds until the last link that the old key signed has expired.
seconds_until_expired() { seconds_left "$((reload_seconds + link_seconds + margin_seconds))"; }

remove_public_key() { # remove_public_key ID
    local name etag
    name=$(aws_text cloudfront get-public-key --id "$1" --query 'PublicKey.PublicKeyConfig.Name')
    if [[ $name != "$group"-* ]]; then
        log "3. Leaving the public key $1 ($name): this script did not make it. It is no longer in the group."
        return
    fi
    log "3. Deleting the public key $1."
    etag=$(aws_text cloudfront get-public-key --id "$1" --query ETag)
    run_change aws cloudfront delete-public-key --id "$1" --if-match "$etag"
}

# Finds the key in use, and all other keys that are in the group or were made for it. Sets current and others.
find_keys() {
    local items
    current='' others=''
    if write_current_public_key "$work/current.pem"; then current=$(find_key_id "$work/current.pem"); fi
    items=$(list_group_keys)
    has_line "$items" "$current" || current=''
    others=$(list_unused_keys "$current" "$items")
}

second_run() {
    local left old
    find_keys
    [ -n "$current" ] || die 'the key in use is not in the key group, or CloudFront does not have it: run the first part'
    left=$(seconds_until_expired)
    if [ -z "$now" ] && [ "$left" -gt 0 ]; then
        die "links of the old key work for another $((left / 60 + 1)) minutes. Run this again then, or end them at once with --now"
    fi
    update_public_parameters "$work/current.pem" "$current"
    old=$(list_group_keys | grep -vxF -- "$current" || true)
    if [ -z "$old" ]; then
        log "1. The key group has only $current."
    else
        log "1. Removing from the key group: $(tr '\n' ' ' <<<"$old")"
        set_group_keys "$current"
        log '2. Waiting for CloudFront.'
        wait_for_cloudfront
    fi
    for key in $others; do remove_public_key "$key"; done
    log "Done. CloudFront now trusts only $current."
}

# Both runs, each when it is due. If an interrupted run lost its pair, for example with a CI machine, the leftover public key is
# removed like an old key, and a new pair is made.
rotate() {
    local left
    find_keys
    if [ -n "$current" ] && [ -n "$others" ]; then
        left=$(seconds_until_expired)
        if [ "$left" -gt 0 ]; then
            update_public_parameters "$work/current.pem" "$current"
            log "Links of the previous key work for another $((left / 60 + 1)) minutes. The next run removes it."
            return
        fi
        second_run
    elif [ -n "$current" ]; then
        update_public_parameters "$work/current.pem" "$current"
    fi
    if [ -n "$current" ] && [ "$(seconds_left "$((max_age * 86400))")" -gt 0 ]; then
        log "$current is in use, and is not $max_age days old yet."
        return
    fi
    first_run
}

# Keys that are not in use: those in the group, and those made for it and removed from it, by this run or an earlier one. All other
# keys belong to other services.
list_unused_keys() { # list_unused_keys CURRENT ITEMS
    {
        echo "$2"
        aws_text cloudfront list-public-keys --query "PublicKeyList.Items[?starts_with(Name, '$group-')].Id" | tr '\t' '\n'
    } | grep -vxF -e "$1" -e None -e '' | sort -u || true
}

# --------------------------------------------------------------------------------------------------------------

read_options "$@"
check_options
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ -z "$dry_run" ] || log 'Dry run: no changes.'
if [ -n "$rotate" ]; then
    rotate
elif [ -n "$finish" ]; then
    second_run
else
    first_run
fi
