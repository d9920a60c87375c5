#!/bin/sh
# Whether a job could run in it: every program answers, on this platform.
set -eu
docker run --rm --platform "$SPLITBASE_PLATFORM" "$SPLITBASE_IMAGE" sh -euc '
    splitbase --version
    git --version
    docker --version
    docker buildx version
    splitbase --help | head -n 24 | grep -q "splitbase COMMAND -h"
'
