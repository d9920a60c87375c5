#!/bin/bash
# What is done as the user, at each start: an environment of the user's own, then the command.
set -euo pipefail

export HOME=/home/developer USER=developer LOGNAME=developer SHELL=/bin/bash
# A home folder that came as an empty volume gets what a new user gets, but nothing that is there is touched.
if [[ -w $HOME ]]; then
    cp --recursive --update=none /etc/skel/. "$HOME/"
fi
exec "$@"
