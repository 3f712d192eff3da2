#!/bin/sh
# Sets of every type and shape that this kernel has, and the dump of them.
# As root: unshare --net --mount sh tests/dumps/sets/make.sh
here=$(dirname "$0")
OUT=${OUT:-$here}
ipset restore <<'END'
create admins hash:ip
add admins 10.9.0.1
add admins 10.9.0.4-10.9.0.7
create sites hash:net comment counters
add sites 10.0.0.0/8 comment "all of ours"
add sites 10.1.0.0/16 nomatch comment "but not these"
add sites 10.1.7.0/24
add sites 192.0.2.1-192.0.2.6
create blocks hash:ip netmask 24 skbinfo
add blocks 10.3.4.5 skbmark 0x10/0xff skbprio 1:10 skbqueue 2
create services hash:ip,port forceadd
add services 10.1.0.20,443
add services 10.1.0.20,udp:53-55
add services 10.1.0.21,sctp:9
add services 10.1.0.21,icmp:echo-request
add services 10.1.0.21,icmp:3/9
add services 10.1.0.21,icmp:17/3
add services 10.1.0.22,gre:0
create uplinks hash:net,port
add uplinks 203.0.113.0/24,tcp:80
add uplinks 203.0.113.128/25,tcp:80 nomatch
create pairs hash:ip,port,ip
add pairs 10.1.0.20,tcp:22,10.9.0.1
create exits hash:ip,port,net
add exits 10.1.0.20,tcp:443,192.0.2.0/24
add exits 10.1.0.20,tcp:443,192.0.2.64/26 nomatch
create lan6 hash:net family inet6
add lan6 2001:db8:1::/48
add lan6 2001:db8:1:f::/64 nomatch
create ping6 hash:ip,port family inet6
add ping6 2001:db8:1::20,icmpv6:128/0
create low bitmap:port range 0-1023
add low 22
add low 80-83
create pool bitmap:ip range 10.4.0.0/16 netmask 26
add pool 10.4.1.0
create macs bitmap:ip,mac range 10.5.0.0/24
add macs 10.5.0.7,02:00:00:00:00:07
create ports hash:net,iface
add ports 10.0.0.0/8,eth0
create banned hash:ip timeout 600
add banned 10.6.0.1
add banned 10.6.0.2 timeout 0
create holes hash:ip bitmask 255.0.255.0
add holes 10.1.7.1
create all list:set
add all admins
add all sites
END
ipset save > "$OUT/ipset-save.txt"
# The other command writes the same.
ipset list -o save | cmp - "$OUT/ipset-save.txt"
