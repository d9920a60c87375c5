#!/bin/sh
# Tests one platform image. splitbase says which: SPLITBASE_IMAGE, SPLITBASE_PLATFORM, SPLITBASE_VARIANT, and EXPECTED_NAME
# for each version NAME that it was built with. Exit code 0: it may be released.
set -eu

# Everything in one container, because each start takes time, and more so where the platform is emulated.
docker run --rm --platform "$SPLITBASE_PLATFORM" --entrypoint /bin/sh "$SPLITBASE_IMAGE" -euc '
    variant=$1
    shift
    failed=0
    check() { # WHAT COMMAND...
        what=$1
        shift
        if "$@"; then echo "ok: $what"; else echo "not ok: $what"; failed=1; fi
    }
    check "the files of rootfs are there" test -s /etc/motd
    for part in "$@"; do
        case $part in
            "$variant") check "$part is installed" test -e "/opt/$part/installed" ;;
            *) check "$part is not installed" test ! -e "/opt/$part/installed" ;;
        esac
    done
    exit "$failed"
' smoke-test "$SPLITBASE_VARIANT"@PARTS@
