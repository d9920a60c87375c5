#!/bin/sh
set -eu
export HOME=/home/developer
exec "$@"
