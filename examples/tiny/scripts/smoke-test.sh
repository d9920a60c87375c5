#!/bin/sh
# Tests one platform image. splitbase says which: SPLITBASE_IMAGE, SPLITBASE_PLATFORM, SPLITBASE_VARIANT, EXPECTED_*.
set -eu

case $SPLITBASE_PLATFORM in
    linux/amd64) machine=x86_64 ;;
    linux/arm64) machine=aarch64 ;;
    *) echo "smoke test: no idea what machine $SPLITBASE_PLATFORM is" >&2; exit 1 ;;
esac
case $SPLITBASE_VARIANT in
    base) omos=no pi=no ;;
    omos) omos=yes pi=no ;;
    with-pi) omos=no pi=yes ;;
    omos-with-pi) omos=yes pi=yes ;;
    *) echo "smoke test: unknown variant $SPLITBASE_VARIANT" >&2; exit 1 ;;
esac
if [ "$omos" = yes ]; then : "${EXPECTED_OMOS_VERSION:?the version that must be in the image}"; fi

# One container for all checks. What it must find is given as arguments.
docker run --rm --platform "$SPLITBASE_PLATFORM" "$SPLITBASE_IMAGE" sh -euc '
    failed=0
    expect() { # WHAT GOT WANTED
        if [ "$2" = "$3" ]; then echo "ok: $1 is $2"; else echo "not ok: $1 is $2, expected $3"; failed=1; fi
    }
    there() { if [ -e "$1" ]; then echo yes; else echo no; fi; }
    expect "machine" "$(uname -m)" "$1"
    expect "machine at build time" "$(cat /usr/local/share/tiny/machine)" "$1"
    expect "home" "$HOME" /home/developer
    expect "opencode" "$(there /opt/opencode/marker)" yes
    expect "omos" "$(there /opt/omos/version)" "$2"
    if [ "$2" = yes ]; then expect "omos version" "$(cat /opt/omos/version)" "$4"; fi
    expect "pi" "$(there /opt/pi/marker)" "$3"
    exit $failed
' smoke-test "$machine" "$omos" "$pi" "${EXPECTED_OMOS_VERSION:-}"
