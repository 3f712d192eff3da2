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
