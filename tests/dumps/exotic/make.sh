#!/bin/sh
# Loads the hand-written rules into the kernel, by both programs, and dumps them again.
# As root: unshare --net --mount sh tests/dumps/exotic/make.sh
here=$(dirname "$0")
OUT=${OUT:-$here}
. "$here/../namespace.sh"
for kind in nft legacy; do
    iptables-$kind-restore < "$here/rules.v4"
    ip6tables-$kind-restore < "$here/rules.v6"
    iptables-$kind-save > "$OUT/$kind.v4"
    ip6tables-$kind-save > "$OUT/$kind.v6"
    for table in filter nat mangle; do
        for program in iptables ip6tables; do
            $program-$kind -t $table -F
            $program-$kind -t $table -X
        done
    done
done

# Routes, rules and addresses of every shape that this kernel has.
sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 net.ipv6.conf.all.forwarding=1
sysctl -qw net.ipv4.conf.lan0.rp_filter=2 net.ipv4.conf.mgmt0.forwarding=0
ip -6 addr add 2001:db8:1::1/64 dev lan0 nodad
ip addr add 192.0.2.1 peer 192.0.2.9/32 dev mgmt0
ip addr add 192.0.2.128/31 dev mgmt0 noprefixroute
ip addr add 10.1.0.2/24 brd + dev lan0 label lan0:1
ip addr add 10.255.0.1/32 dev lo
ip link add br0 type bridge
ip nexthop add id 5 via 10.1.0.7 dev lan0
ip nexthop add id 6 via 10.1.0.8 dev lan0
ip nexthop add id 7 group 5/6
ip route add 10.5.0.0/16 nexthop via 203.0.113.1 dev wan0 weight 2 nexthop via 10.1.0.9 dev lan0
ip route add 10.6.0.0/16 nhid 5
ip route add 10.7.0.0/16 nhid 7
ip route add 10.8.0.0/16 via inet6 fe80::1 dev wan0
ip route add blackhole 10.9.0.0/16
ip route add unreachable 10.10.0.0/16 metric 5
ip route add prohibit 10.11.0.0/16
ip route add throw 10.12.0.0/16 table 100
ip route add default via 10.1.0.6 table 100
ip route add 10.13.0.0/16 dev lan0 tos 0x10 mtu 1400 realm 7 proto bgp
ip route add 10.14.0.0/16 via 198.51.100.1 dev lan0 onlink src 10.1.0.1
ip route add 10.16.0.0/16 via 10.1.0.4 metric 50
ip route add 10.16.0.0/16 via 10.1.0.5 metric 60
ip route add local 10.15.0.1 dev lo
ip -6 route add default via fe80::1 dev wan0
ip -6 route add unreachable 2001:db8:99::/48
ip -6 route add 2001:db8:98::/48 from 2001:db8::/32 dev lan0
ip -6 route add 2001:db8:97::/48 nexthop via fe80::5 dev wan0 nexthop via fe80::6 dev lan0
ip -6 route add 2001:db8:96::/48 dev wan0 expires 600
nsenter --net=/proc/$other/ns/net ip link set x3 down
ip rule add from 10.1.0.0/24 to 172.20.0.0/16 iif lan0 table 100 priority 100
ip rule add fwmark 0x10/0xff table 100 priority 110
ip rule add not from 10.9.0.0/16 lookup main suppress_prefixlength 0 priority 200
ip rule add from 10.7.0.0/16 goto 400 priority 300
ip rule add to 10.5.0.0/16 prohibit priority 310
ip rule add from all lookup main suppress_prefixlength 8 priority 400
ip rule add iif gone0 table 8 priority 410
ip -6 rule add from 2001:db8::/32 table 5 priority 5
nft flush ruleset
# The kernel takes a second to tell that the other end of a link is down.
sleep 2
dump -legacy
rm "$OUT/iptables-save.txt" "$OUT/ip6tables-save.txt"
