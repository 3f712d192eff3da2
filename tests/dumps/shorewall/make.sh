#!/bin/sh
# Shorewall 5.2 on Debian 12 (iptables-nft). As root: unshare --net --mount sh tests/dumps/shorewall/make.sh
here=$(dirname "$0")
OUT=${OUT:-$here}
. "$here/../namespace.sh"

cp "$here"/etc/* /etc/shorewall/
cp "$here"/etc6/* /etc/shorewall6/
for config in /etc/shorewall/shorewall.conf /etc/shorewall6/shorewall6.conf; do
    sed -i 's/^STARTUP_ENABLED=.*/STARTUP_ENABLED=Yes/' "$config"
done
mkdir -p /var/lib/shorewall /var/lib/shorewall6
shorewall start > /dev/null
shorewall6 start > /dev/null

dump
