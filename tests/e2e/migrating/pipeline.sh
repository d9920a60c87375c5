#!/usr/bin/env bash
# A release as the split-base shell pipeline makes it: its hash line, its probe, its builds, its tags, in its order.
#
#   pipeline.sh REPOSITORY VERSION      in the folder of the family
#
# The workflow's own hash line has no LC_ALL=C: runners set no locale, and it sorts by bytes there. Here it is said, for whoever runs the tests may
# have one that sorts otherwise. docs/migrating.md tells what then becomes of the base.
set -euo pipefail
repository=$1 version=$2

hash=$({
    cat Dockerfile.base
    find rootfs -type f \
        ! -path '*/__pycache__/*' \
        ! -name '*.pyc' \
        ! -name '.DS_Store' \
        ! -name '._*' \
        -print0 | LC_ALL=C sort -z | xargs -0 cat
    cat entrypoint.sh entrypoint-user.sh
} | sha256sum | cut -c1-12)
base="$repository:base-$hash"

cached() { # REFERENCE
    echo "--cache-from=type=registry,ref=$repository:$1 --cache-to=type=registry,ref=$repository:$1,mode=max"
}

if ! docker manifest inspect --insecure "$base" >/dev/null 2>&1; then
    # shellcheck disable=SC2046 # words without spaces
    docker buildx build --quiet --platform linux/amd64,linux/arm64 -f Dockerfile.base $(cached base-buildcache) --push -t "$base" .
fi
for variant in base omos; do
    suffix=
    if [ "$variant" != base ]; then suffix=-$variant; fi
    # shellcheck disable=SC2046
    docker buildx build --quiet --platform linux/amd64,linux/arm64 -f Dockerfile.variant --build-arg "BASE_IMAGE=$base" \
        --build-arg "KIND=$variant" $(cached base-variant-buildcache) --push \
        -t "$repository:$version$suffix" -t "$repository:latest$suffix" .
done
crane copy "$base" "$repository:base-latest"
