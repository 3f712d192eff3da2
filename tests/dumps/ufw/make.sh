#!/bin/sh
# ufw 0.36 on Debian 12 (iptables-nft). As root: unshare --net --mount sh tests/dumps/ufw/make.sh
# With NO_ICMP=yes the lines of before.rules are out that forward echo requests and ICMP errors for everybody:
# that is ../ufw-no-icmp.
here=$(dirname "$0")
OUT=${OUT:-$here}
. "$here/../namespace.sh"

sed -i 's/^IPV6=.*/IPV6=yes/' /etc/default/ufw
if [ "${NO_ICMP:-no}" = yes ]; then
    sed -i '/^-A ufw-before-forward -p icmp/d' /etc/ufw/before.rules
fi

quietly() { "$@" > /dev/null; }
quietly ufw logging low
quietly ufw default deny incoming
quietly ufw default deny outgoing
quietly ufw default deny routed
quietly ufw allow in on mgmt0 from 172.20.0.10 to any port 22 proto tcp comment 'jump host'
quietly ufw allow out on mgmt0 to 172.20.0.5 port 123 proto udp
quietly ufw route allow in on wan0 out on lan0 to 10.1.0.20 port 443 proto tcp comment 'partner API'
quietly ufw route allow in on lan0 out on mgmt0 from 10.1.0.0/24 to 172.20.0.5 port 514 proto udp comment 'syslog'
quietly ufw --force enable

dump
