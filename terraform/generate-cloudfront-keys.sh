#!/usr/bin/env bash
# generate-cloudfront-keys.sh [--type rsa|p256] [--force]: makes a pair of keys that CloudFront accepts: RSA with 2,048
# bits, or ECDSA on P-256. It writes them to .cloudfront-keys/ beside this script:
#   private_key.pem          PKCS #8
#   public_key.pem           for CloudFront
#   private_key_base64.txt   the private key in the format of the SSM parameter
# Git ignores the folder, and only you can read it. --force overwrites an existing pair.
set -euo pipefail
umask 077

die() { echo "${0##*/}: $*" >&2 && exit 1; }
print_usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; }

type=rsa force=
while [ $# -gt 0 ]; do
    case $1 in
        --type)
            [ $# -ge 2 ] || die '--type needs a value: rsa or p256'
            type=$2 && shift 2
            ;;
        --force) force=yes && shift ;;
        -h | --help) print_usage && exit ;;
        *) die "unknown option: $1. See --help" ;;
    esac
done

case $type in
    rsa) algorithm=(-algorithm RSA -pkeyopt rsa_keygen_bits:2048) ;;
    p256) algorithm=(-algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:named_curve) ;;
    *) die "invalid value for --type: $type. CloudFront accepts rsa and p256" ;;
esac
command -v openssl >/dev/null || die 'openssl is not installed'

dir=$(cd "$(dirname "$0")" && pwd)/.cloudfront-keys
[ ! -e "$dir/private_key.pem" ] || [ -n "$force" ] ||
    die "$dir/private_key.pem exists already. If it is not in use, overwrite it with --force"

# Write all three files, or none: a private key must never be beside the public key of another pair.
mkdir -p "$dir"
chmod 700 "$dir"
new=$(mktemp -d "$dir/new.XXXXXX")
trap 'rm -rf "$new"' EXIT
openssl genpkey "${algorithm[@]}" -out "$new/private_key.pem" 2>"$new/errors" || die "$(cat "$new/errors")"
openssl pkey -in "$new/private_key.pem" -pubout -out "$new/public_key.pem"
openssl base64 -A -in "$new/private_key.pem" -out "$new/private_key_base64.txt"
for file in private_key.pem public_key.pem private_key_base64.txt; do mv -f "$new/$file" "$dir/$file"; done

echo "Made a new pair ($type) in $dir" >&2
