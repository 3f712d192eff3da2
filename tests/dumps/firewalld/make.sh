#!/bin/sh
# firewalld 1.3 on Debian 12 with FirewallBackend=iptables. As root:
# unshare --net --mount sh tests/dumps/firewalld/make.sh
here=$(dirname "$0")
OUT=${OUT:-$here}
. "$here/../namespace.sh"

sed -i 's/^FirewallBackend=.*/FirewallBackend=iptables/; s/^LogDenied=.*/LogDenied=unicast/' /etc/firewalld/firewalld.conf
mkdir -p /run/dbus
dbus-daemon --system --fork

offline() { firewall-offline-cmd "$@" > /dev/null; }
for zone in wan lan mgmt; do
    offline --new-zone="$zone"
    offline --zone="$zone" --set-target=DROP
    offline --zone="$zone" --add-interface="${zone}0"
done
offline --zone=mgmt --add-rich-rule='rule family="ipv4" source address="172.20.0.10" service name="ssh" accept'

# Everything between the zones is a policy with the target DROP and a few services.
policy() {
    offline --new-policy="$1-$2"
    offline --policy="$1-$2" --set-target=DROP
    offline --policy="$1-$2" --add-ingress-zone="$1"
    offline --policy="$1-$2" --add-egress-zone="$2"
}
policy wan lan
offline --policy=wan-lan --add-rich-rule='rule family="ipv4" destination address="10.1.0.20" service name="https" accept'
policy lan mgmt
offline --policy=lan-mgmt --add-rich-rule='rule family="ipv4" source address="10.1.0.0/24" destination address="172.20.0.5" port port="514" protocol="udp" accept'
policy lan wan
offline --policy=lan-wan --add-rich-rule='rule family="ipv4" source address="10.1.0.64/27" destination address="192.0.2.0/24" port port="8443" protocol="tcp" log prefix="partner " level="info" limit value="3/m" accept'
policy mgmt lan
policy mgmt wan
# What the firewall itself may send.
offline --new-policy=host-out
offline --policy=host-out --set-target=DROP
offline --policy=host-out --add-ingress-zone=HOST
offline --policy=host-out --add-egress-zone=ANY
offline --policy=host-out --add-rich-rule='rule family="ipv4" destination address="172.20.0.5" service name="ntp" accept'

firewalld --nofork --nopid 2> /run/firewalld.log &
daemon=$!
while ! firewall-cmd --state > /dev/null 2>&1; do
    kill -0 $daemon || { cat /run/firewalld.log; exit 1; }
    sleep 0.2
done
cat /run/firewalld.log >&2

dump
kill $daemon
kill "$(cat /run/dbus/pid)"
