# shellcheck shell=sh
# Sets PROGRAM to the absolute path of packages-service: of the one that it names already, else of a new build. `make test` names the
# one that the tests have built: with other features of its dependencies, most of them would be compiled a second time.
if [ -z "${PROGRAM:-}" ]; then
    cargo build --quiet --locked --package server
    PROGRAM=${CARGO_TARGET_DIR:-target}/debug/packages-service
fi
PROGRAM=$(realpath "$PROGRAM")
export PROGRAM
