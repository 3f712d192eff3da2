# Sourced by every make.sh, inside `unshare --net --mount`: a border firewall with three interfaces, whose
# other ends are in another namespace. $OUT is where the dumps go. Needs root, iproute2 and procps.
set -eu
mount --make-rprivate /
mount -t tmpfs none /run
mkdir -p /run/lock /run/etc /run/etc-work /run/var /run/var-work
# The generators write into these; nothing of it stays.
mount -t overlay none -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/etc-work /etc
mount -t overlay none -o lowerdir=/var/lib,upperdir=/run/var,workdir=/run/var-work /var/lib

unshare --net sleep 1000 &
other=$!
trap 'kill $other' EXIT
while [ "$(readlink /proc/$other/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do :; done

sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.default.accept_dad=0
for family in ipv4; do
    for side in all default; do
        sysctl -qw net.$family.conf.$side.rp_filter=1 net.$family.conf.$side.accept_source_route=0 \
            net.$family.conf.$side.accept_redirects=0 net.$family.conf.$side.send_redirects=0
    done
done
# SITE_IPV6=on gives IPv6 too; else it is off.
if [ "${SITE_IPV6:-off}" = on ]; then
    sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_ra=0
    sysctl -qw net.ipv6.conf.default.accept_redirects=0 net.ipv6.conf.all.accept_redirects=0
else
    sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
fi

number=1
ip link set lo up
for name in wan0 lan0 mgmt0; do
    ip link add "$name" address 02:00:00:00:00:0$number type veth peer name "x$number" netns "$other"
    nsenter --net=/proc/$other/ns/net ip link set "x$number" up
    ip link set "$name" up
    number=$((number + 1))
done
ip addr add 203.0.113.2/30 dev wan0
ip addr add 10.1.0.1/24 dev lan0
ip addr add 172.20.0.1/24 dev mgmt0
ip route add default via 203.0.113.1 proto static
if [ "${SITE_IPV6:-off}" = on ]; then
    ip addr add 2001:db8:ff::2/64 dev wan0
    ip addr add 2001:db8:1::1/64 dev lan0
    ip -6 route add default via 2001:db8:ff::1 proto static
fi

# $1 is empty or `-legacy`: which iptables the generator wrote to.
dump() {
    "iptables${1:-}-save" > "$OUT/iptables-save.txt"
    "ip6tables${1:-}-save" > "$OUT/ip6tables-save.txt"
    nft -j list ruleset > "$OUT/nft.json"
    ip -j -p -d addr > "$OUT/ip-addr.json"
    ip -j -p route show table all > "$OUT/ip-route.json"
    ip -j -p rule > "$OUT/ip-rule.json"
    ip -6 -j -p rule > "$OUT/ip6-rule.json"
    sysctl -a 2> /dev/null | grep '^net\.' > "$OUT/sysctl.txt"
}
