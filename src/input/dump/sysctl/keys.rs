//! Which keys of `sysctl -a` matter, and which are known not to.

/// A family of keys: what stands before the name of an interface, and what behind it.
struct Key(&'static str, &'static str);

/// The keys that are read. Nothing behind makes it one whole key.
const READ: &[Key] = &[
    Key("net.ipv4.ip_forward", ""),
    Key("net.ipv4.icmp_echo_ignore_all", ""),
    Key("net.ipv6.icmp.echo_ignore_all", ""),
    Key("net.bridge.bridge-nf-call-iptables", ""),
    Key("net.bridge.bridge-nf-call-ip6tables", ""),
    Key("net.netfilter.nf_conntrack_helper", ""),
    Key("net.ipv4.conf.", ".forwarding"),
    Key("net.ipv4.conf.", ".rp_filter"),
    Key("net.ipv4.conf.", ".accept_source_route"),
    Key("net.ipv4.conf.", ".mc_forwarding"),
    Key("net.ipv4.conf.", ".bc_forwarding"),
    Key("net.ipv4.conf.", ".accept_local"),
    Key("net.ipv4.conf.", ".route_localnet"),
    Key("net.ipv4.conf.", ".accept_redirects"),
    Key("net.ipv4.conf.", ".src_valid_mark"),
    Key("net.ipv4.fwmark_reflect", ""),
    Key("net.ipv6.fwmark_reflect", ""),
    Key("net.ipv4.tcp_fwmark_accept", ""),
    Key("net.ipv6.conf.", ".forwarding"),
    Key("net.ipv6.conf.", ".force_forwarding"),
    Key("net.ipv6.conf.", ".disable_ipv6"),
    Key("net.ipv6.conf.", ".mc_forwarding"),
    Key("net.ipv6.conf.", ".seg6_enabled"),
    Key("net.ipv6.conf.", ".rpl_seg_enabled"),
    Key("net.ipv6.conf.", ".accept_redirects"),
    Key("net.ipv6.conf.", ".accept_ra"),
];

/// Beginnings of keys of `net.` that cannot change which packets go where.
const IRRELEVANT: &str = "
    net.core. net.unix. net.ipv4.tcp_ net.ipv4.udp_ net.ipv4.neigh. net.ipv6.neigh. net.ipv4.route.
    net.ipv6.route. net.ipv4.icmp_ net.ipv6.icmp. net.ipv4.igmp_ net.ipv6.mld_ net.ipv4.ipfrag_
    net.ipv6.ip6frag_ net.ipv4.inet_peer_ net.ipv4.fib_ net.ipv6.fib_ net.ipv4.nexthop_
    net.ipv4.ping_group_range net.ipv4.xfrm4_ net.ipv6.xfrm6_ net.ipv4.cipso_ net.ipv6.calipso_
    net.ipv4.ip_default_ttl net.ipv4.ip_dynaddr
    net.ipv4.ip_early_demux net.ipv4.ip_local_ net.ipv4.ip_no_pmtu_disc net.ipv4.ip_nonlocal_bind
    net.ipv4.ip_unprivileged_port_start net.ipv4.ip_autobind_reuse net.ipv4.ip_forward_update_priority
    net.ipv4.ip_forward_use_pmtu net.ipv4.raw_l3mdev_accept net.ipv6.anycast_src_echo_reply
    net.ipv6.auto_flowlabels net.ipv6.bindv6only net.ipv6.flowlabel_ net.ipv6.idgen_
    net.ipv6.ip_nonlocal_bind net.ipv6.max_ net.ipv6.ioam6_ net.ipv6.seg6_flowlabel
    net.netfilter.nf_conntrack_ net.netfilter.nf_hooks_lwtunnel net.netfilter.nf_log
    net.netfilter.nf_flowtable_ net.nf_conntrack_max
    net.mptcp. net.sctp. net.dccp. net.smc. net.vsock. net.can. net.appletalk. net.x25.
    net.bridge.bridge-nf-call-arptables net.bridge.bridge-nf-filter- net.bridge.bridge-nf-pass- net.rds.
    net.token-ring. net.ax25. net.rxrpc. net.netrom. net.rose. net.ipx.
";

/// What stands behind the interface in such keys of `net.ipv4.conf`. (ARP is a matter of the segment, where
/// the adversary may forge it anyway.)
const IRRELEVANT_OF_V4: &str = "
    arp_accept arp_announce arp_evict_nocarrier arp_filter arp_ignore arp_notify bootp_relay
    disable_policy disable_xfrm drop_gratuitous_arp drop_unicast_in_l2_multicast force_igmp_version
    igmpv2_unsolicited_report_interval igmpv3_unsolicited_report_interval ignore_routes_with_linkdown
    log_martians medium_id promote_secondaries proxy_arp proxy_arp_pvlan secure_redirects send_redirects
    shared_media tag
";

/// The same for `net.ipv6.conf`. Linux honours no routing header of type 0, whatever `accept_source_route` says.
const IRRELEVANT_OF_V6: &str = "
    accept_dad accept_ra_defrtr accept_ra_from_local accept_ra_min_hop_limit accept_ra_min_lft
    accept_ra_mtu accept_ra_pinfo accept_ra_rt_info_max_plen accept_ra_rt_info_min_plen
    accept_ra_rtr_pref accept_source_route accept_untracked_na addr_gen_mode autoconf dad_transmits
    disable_policy drop_unicast_in_l2_multicast drop_unsolicited_na enhanced_dad force_mld_version
    force_tllao hop_limit ignore_routes_with_linkdown ioam6_enabled ioam6_id ioam6_id_wide
    keep_addr_on_down max_addresses max_desync_factor mldv1_unsolicited_report_interval
    mldv2_unsolicited_report_interval mtu ndisc_evict_nocarrier ndisc_notify ndisc_tclass optimistic_dad
    proxy_ndp ra_defrtr_metric ra_honor_pio_life ra_honor_pio_pflag regen_max_retry regen_min_advance
    router_probe_interval router_solicitation_delay router_solicitation_interval
    router_solicitation_max_interval router_solicitations seg6_require_hmac stable_secret
    suppress_frag_ndisc temp_prefered_lft temp_valid_lft use_oif_addrs_only use_optimistic use_tempaddr
";

impl Key {
    fn fits(&self, key: &str) -> bool {
        let Key(before, behind) = self;
        match behind.is_empty() {
            true => key == *before,
            false => key
                .strip_prefix(before)
                .is_some_and(|rest| rest.len() > behind.len() && rest.ends_with(behind)),
        }
    }
}

/// Whether a key of `net.` cannot change which packets go where.
pub(super) fn is_irrelevant(key: &str) -> bool {
    let of_interface = |before: &str, known: &str| {
        let last = key.strip_prefix(before).and_then(|rest| rest.rsplit_once('.'));
        last.is_some_and(|(_, last)| known.split_whitespace().any(|word| word == last))
    };
    IRRELEVANT.split_whitespace().any(|known| key.starts_with(known))
        || of_interface("net.ipv4.conf.", IRRELEVANT_OF_V4)
        || of_interface("net.ipv6.conf.", IRRELEVANT_OF_V6)
}

/// Whether a key is one that [`super::SysctlDump`] answers from.
pub(super) fn is_read(key: &str) -> bool {
    READ.iter().any(|read| read.fits(key))
}
