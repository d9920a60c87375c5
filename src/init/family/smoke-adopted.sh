#!/bin/sh
# Tests one platform image. splitbase says which: SPLITBASE_IMAGE, SPLITBASE_PLATFORM, SPLITBASE_VARIANT, and EXPECTED_NAME
# for each version NAME that it was built with. Exit code 0: it may be released.
set -eu

# So far this only finds out whether the image starts. Add what your users rely on: programs, their versions, the user.
docker run --rm --platform "$SPLITBASE_PLATFORM" --entrypoint /bin/sh "$SPLITBASE_IMAGE" -euc 'echo "ok: it starts"'
