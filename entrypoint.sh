#!/bin/bash
# Starts as root, gives the user `developer` the wanted ids, and goes on as that user.
#
# PUID and PGID say which; else the owner of /workspace, unless that is root; else what the image has. Run again (a second start of the
# container) it finds the ids as they should be and changes nothing.
set -euo pipefail

# The user's own folder is on the image's PATH: root runs nothing from it.
user_path=$PATH
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

user=developer home=/home/developer
if [[ $(id -u) != 0 ]]; then
    PATH=$user_path exec entrypoint-user.sh "$@"
fi

die() {
    echo "entrypoint: $*" >&2
    exit 1
}

had_uid=$(id -u "$user") had_gid=$(id -g "$user")
read -r owner_uid owner_gid < <(stat -c '%u %g' /workspace)
if [[ $owner_uid == 0 ]]; then owner_uid=$had_uid owner_gid=$had_gid; fi
if [[ $owner_gid == 0 ]]; then owner_gid=$had_gid; fi
uid=${PUID:-$owner_uid} gid=${PGID:-$owner_gid}
for id in "$uid" "$gid"; do
    [[ $id =~ ^[1-9][0-9]{0,8}$ ]] || die "PUID=$uid PGID=$gid: both must be numbers above 0"
done

# By hand, for usermod would walk the home folder, and groupmod refuses an id that another group has.
if [[ $uid:$gid != "$had_uid:$had_gid" ]]; then
    sed -i "s/^$user:\([^:]*\):[0-9]*:[0-9]*:/$user:\1:$uid:$gid:/" /etc/passwd
    sed -i "s/^$user:\([^:]*\):[0-9]*:/$user:\1:$gid:/" /etc/group
fi
# At each start, for a volume may be new. chown comes to the folder itself last: a start that was cut off is made good by the next.
for folder in "$home/.npm-global" "$home"; do
    [[ -d $folder ]] || mkdir "$folder"
    if [[ $(stat -c '%u:%g' "$folder") != "$uid:$gid" ]]; then
        chown --recursive --no-dereference "$uid:$gid" "$folder"
    fi
done

PATH=$user_path exec setpriv --reuid "$uid" --regid "$gid" --init-groups -- entrypoint-user.sh "$@"
