#!/bin/sh
# ferm 2.5 on Debian 12, which writes to the legacy tables. As root: unshare --net --mount sh tests/dumps/ferm/make.sh
here=$(dirname "$0")
OUT=${OUT:-$here}
SITE_IPV6=on
. "$here/../namespace.sh"

ferm "$here/ferm.conf"

dump -legacy
