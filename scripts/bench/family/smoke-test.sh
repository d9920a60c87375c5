#!/bin/sh
# What both sides test each variant with. SPLITBASE_IMAGE is the image, SPLITBASE_PLATFORM its platform.
set -eu
docker run --rm --platform "$SPLITBASE_PLATFORM" "$SPLITBASE_IMAGE" sh -euc 'test -s /opt/packages && test -s /opt/common && cat /etc/motd'
