# shellcheck shell=sh
# Shared by scripts/setup and scripts/console: which Node.js there is.

# Where scripts/setup installs one.
node_tools=.tools/node

# is_supported_node VERSION: whether this version, as in `22.12.0` or `v20.19.2`, runs the build: the last 20, or 22.12 and newer
# (the requirement of Vite 8).
is_supported_node() {
    node_version=${1#v}
    node_major=${node_version%%.*}
    node_minor=${node_version#*.}
    node_minor=${node_minor%%.*}
    case $node_major$node_minor in '' | *[!0-9]*) return 1 ;; esac
    if [ "$node_major" = 20 ]; then
        [ "$node_minor" -ge 19 ]
    elif [ "$node_major" = 22 ]; then
        [ "$node_minor" -ge 12 ]
    else
        [ "$node_major" -gt 22 ]
    fi
}

# Whether `node` and `npm` are there, and new enough.
has_node() {
    command -v npm >/dev/null && command -v node >/dev/null && is_supported_node "$(node --version 2>/dev/null)"
}

# use_node: puts the installed one first on the PATH, unless the system's will do.
use_node() {
    has_node || PATH=$PWD/$node_tools/bin:$PATH
    has_node
}
