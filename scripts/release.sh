# shellcheck shell=bash
# What scripts/package and scripts/publish have in common: what a release is made of, and what it is named.
# Variables: ARCH, x86_64 or arm64 (default: this machine's); TAG, the release's name (default: the commit's).

# shellcheck disable=SC2034 # used by those who read this file
functions=(service restore authorizer)
lambda_dir=${CARGO_TARGET_DIR:-target}/lambda

die() { echo "${0##*/}: $*" >&2 && exit 1; }

machine() {
    case $(uname -m) in
        aarch64 | arm64) echo arm64 ;;
        *) echo x86_64 ;;
    esac
}

export ARCH=${ARCH:-$(machine)}
case $ARCH in
    x86_64) rust_arch=x86_64 ;;
    arm64) rust_arch=aarch64 ;;
    *) die "ARCH=$ARCH: it is x86_64 or arm64" ;;
esac

export TAG=${TAG:-$(git describe --always --dirty)}
[[ $TAG =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] || die "TAG=$TAG: it is made of letters, digits, '.', '_' and '-'"

# zip_of FUNCTION
zip_of() { echo "$lambda_dir/$1-$TAG.zip"; }
