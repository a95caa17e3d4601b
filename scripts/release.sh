# shellcheck shell=bash
# Shared by scripts/package and scripts/publish: the functions and the name of a release.
# Variables: ARCH, x86_64 or arm64 (default: this machine's); TAG, the name of the release (default: from the commit).

# shellcheck disable=SC2034 # used by the scripts that source this file
functions=(service restore authorizer)
lambda_dir=${CARGO_TARGET_DIR:-target}/lambda

die() { echo "${0##*/}: $*" >&2 && exit 1; }

machine_arch() {
    case $(uname -m) in
        aarch64 | arm64) echo arm64 ;;
        *) echo x86_64 ;;
    esac
}

export ARCH=${ARCH:-$(machine_arch)}
case $ARCH in
    x86_64) rust_arch=x86_64 ;;
    arm64) rust_arch=aarch64 ;;
    *) die "invalid value for ARCH: $ARCH. It must be x86_64 or arm64" ;;
esac

export TAG=${TAG:-$(git describe --always --dirty)}
[[ $TAG =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] || die "invalid value for TAG: $TAG. It must have only letters, digits, '.', '_' and '-', and begin with a letter or a digit"

# zip_path FUNCTION
zip_path() { echo "$lambda_dir/$1-$TAG.zip"; }
