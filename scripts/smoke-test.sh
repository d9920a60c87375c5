#!/usr/bin/env bash
# shellcheck disable=SC2016 # the scripts for inside are expanded there
# Tests one platform image: the tools, the versions, the entrypoint's user, a second start of the same container.
#
#   scripts/smoke-test.sh --variant NAME
#
# splitbase says which image: SPLITBASE_IMAGE, SPLITBASE_PLATFORM, and EXPECTED_* the versions that must be in it. A container is started four
# times, not once per check: under emulation each start takes seconds.
set -euo pipefail

variant=
while (($#)); do
    case $1 in
        --variant) variant=${2:?--variant needs a name}; shift 2 ;;
        *) echo "usage: scripts/smoke-test.sh --variant NAME" >&2; exit 2 ;;
    esac
done
case $variant in
    base) omos=no pi=no ;;
    omos) omos=yes pi=no ;;
    with-pi) omos=no pi=yes ;;
    omos-with-pi) omos=yes pi=yes ;;
    *) echo "smoke test: unknown variant '$variant'" >&2; exit 2 ;;
esac
: "${SPLITBASE_IMAGE:?the image to test}" "${SPLITBASE_PLATFORM:?its platform}"
if [[ $omos == yes ]]; then : "${EXPECTED_OMOS_VERSION:?the version that must be in the image}"; fi
if [[ $pi == yes ]]; then : "${EXPECTED_PI_VERSION:?the version that must be in the image}"; fi
case $SPLITBASE_PLATFORM in
    linux/amd64) machine=x86_64 ;;
    linux/arm64) machine=aarch64 ;;
    *) echo "smoke test: no idea what machine $SPLITBASE_PLATFORM is" >&2; exit 1 ;;
esac

containers=()
trap '((${#containers[@]} == 0)) || docker rm --force --volumes "${containers[@]}" >/dev/null' EXIT
create() { # DOCKER-ARGUMENT… -- COMMAND…: sets `container`
    local flags=()
    while [[ $1 != -- ]]; do flags+=("$1"); shift; done
    container=$(docker create --platform "$SPLITBASE_PLATFORM" "${flags[@]}" "$SPLITBASE_IMAGE" "${@:2}")
    containers+=("$container")
}

# What all the scripts inside begin with. Each ends with the number of checks that did not hold.
readonly PRELUDE='
    failed=0
    expect() { # WHAT GOT WANTED
        if [ "$2" = "$3" ]; then echo "ok: $1 is $2"; else echo "not ok: $1 is \"$2\", expected \"$3\""; failed=$((failed + 1)); fi
    }
    works() { # WHAT COMMAND…
        what=$1; shift
        if "$@" >/tmp/out 2>&1; then echo "ok: $what"; else echo "not ok: $what:"; cat /tmp/out; failed=$((failed + 1)); fi
    }
    package() { jq -r .version "/usr/lib/node_modules/$1/package.json" 2>/dev/null || true; }
    command_of() { command -v "$1" || echo none; }
'

# ids as the image has them; tools, versions, npm
create -- bash -uc "$PRELUDE"'
    expect "machine" "$(uname -m)" "$1"
    expect "user" "$(id -un):$(id -gn)" developer:developer
    expect "ids" "$(id -u):$(id -g)" 1000:1000
    expect "groups" "$(id -G)" 1000
    expect "home" "$HOME" /home/developer
    expect "overlay" "$(git config --system init.defaultBranch)" main
    for tool in curl git jq less node npm; do expect "$tool" "$(command_of "$tool")" "/usr/bin/$tool"; done
    works "node computes" node --eval "process.exit(6 * 7 === 42 ? 0 : 1)"
    expect "omos version" "$(package oh-my-opencode-slim)" "$2"
    expect "pi version" "$(package @earendil-works/pi-coding-agent)" "$3"
    expect "omos command" "$(command_of oh-my-opencode-slim)" "$([ -z "$2" ] && echo none || echo /usr/bin/oh-my-opencode-slim)"
    expect "pi command" "$(command_of pi)" "$([ -z "$3" ] && echo none || echo /usr/bin/pi)"
    if [ -n "$2" ]; then works "omos runs" oh-my-opencode-slim --help; fi
    if [ -n "$3" ]; then expect "pi says" "$(pi --version 2>&1)" "$3"; fi
    expect "baked into the prefix of users" "$(ls -A /home/developer/.npm-global)" ""
    # Installed as users do it, but from a folder: no network is needed.
    mkdir -p /tmp/tool && cd /tmp/tool && printf "#!/bin/sh\necho said\n" >run && chmod +x run
    echo "{\"name\":\"tool\",\"version\":\"1.0.0\",\"bin\":{\"said-by-tool\":\"run\"}}" >package.json
    works "npm install -g as user" npm install -g --offline --no-audit --no-fund /tmp/tool
    expect "what a user installs" "$(command_of said-by-tool)" /home/developer/.npm-global/bin/said-by-tool
    expect "what it says" "$(said-by-tool)" said
    exit $failed
' smoke-test "$machine" "${EXPECTED_OMOS_VERSION:-}" "${EXPECTED_PI_VERSION:-}"
failed=0
check() { # WHAT
    echo "-- $1"
    docker start --attach "$container" || failed=$((failed + $?))
}
check "as the image is"

create --env PUID=2345 --env PGID=3456 -- bash -uc "$PRELUDE"'
    expect "ids" "$(id -u):$(id -g)" 2345:3456
    expect "user" "$(id -un):$(id -gn)" developer:developer
    expect "owner of the home folder" "$(stat -c %u:%g "$HOME")" 2345:3456
    expect "owners within it" "$(find "$HOME" ! -uid 2345 -o ! -gid 3456)" ""
    expect "entries of the user" "$(grep -c ^developer: /etc/passwd),$(grep -c ^developer: /etc/group)" 1,1
    expect "accounts" "$(grep ^developer: /etc/passwd)" "developer:x:2345:3456::/home/developer:/bin/bash"
    works "a file in the home folder can be written" touch "$HOME/.npm-global/here"
    # The first start leaves a mark; the second finds it, and all else as it was.
    starts=$(cat "$HOME/starts" 2>/dev/null || echo 0)
    find /etc/passwd /etc/group -printf "%p %i %T@\n" >/tmp/accounts
    if [ "$starts" = 1 ]; then
        expect "accounts since the first start" "$(cat /tmp/accounts)" "$(cat "$HOME/accounts")"
        expect "a file of the user since the first start" "$(cat "$HOME/.profile")" mine
    fi
    cp /tmp/accounts "$HOME/accounts" && echo mine >"$HOME/.profile"
    echo $((starts + 1)) >"$HOME/starts"
    exit $failed
'
check "as PUID and PGID say"
check "the same container again"
if [[ $(docker container cp "$container:/home/developer/starts" - | tar -xO) != 2 ]]; then
    echo "not ok: the second start did not see the first"
    failed=$((failed + 1))
fi

create --tmpfs /workspace:uid=4321,gid=5432,mode=700 -- bash -uc "$PRELUDE"'
    expect "ids" "$(id -u):$(id -g)" 4321:5432
    expect "folder" "$PWD" /workspace
    works "the workspace can be written" touch /workspace/here
    exit $failed
'
check "as the owner of /workspace"

echo
if ((failed > 0)); then
    echo "$failed checks of variant $variant on $SPLITBASE_PLATFORM did not hold"
    exit 1
fi
echo "all checks of variant $variant on $SPLITBASE_PLATFORM hold"
