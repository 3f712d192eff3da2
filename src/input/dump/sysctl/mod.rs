//! `sysctl -a`: forwarding, anti-spoofing, IPv6, source routing, bridges.
//!
//! Which lines count. The keys of `READ` (in `keys`) are kept. Everything outside `net.` cannot change the walk of a
//! packet. Inside `net.` the keys of the `IRRELEVANT` lists tune queues, timers, caches, sizes and the transport of the
//! device's own connections. Any other key of `net.` is kept in [`SysctlDump::unread`], for the ledger.
//!
//! Source for how `all` and the value of an interface combine: Documentation/networking/ip-sysctl.rst of
//! Linux, and `include/linux/inetdevice.h`.

mod keys;

use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::header::Family;
use crate::source::{Source, SourceId, Span, Spanned};
use std::collections::BTreeMap;

/// What `sysctl -a` shows, as far as it matters to the walk of a packet.
#[derive(Debug, Clone, Default)]
pub struct SysctlDump {
    values: BTreeMap<String, Spanned<i64>>,
    /// Keys of `net.` that nobody here knows, with their places.
    pub unread: Vec<Spanned<String>>,
}

/// `rp_filter` (RFC 3704).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RpFilter {
    /// 0: takes every source.
    Off,
    /// 1: takes a source only where the best route back leaves.
    Strict,
    /// 2: takes every source that has a route.
    Loose,
}

/// What the lines of one question say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// It is on, by this line.
    On(Span),
    /// It is off, by this line.
    Off(Span),
    /// It is on for some interfaces and off for others; the line is one where it is on.
    Mixed(Span),
    /// The dump does not say.
    Unsaid,
}

/// Reads `sysctl -a`: lines of `key = value`. Comments (`#`, `;`) and what `sysctl` says of keys that it may
/// not read are allowed.
pub fn parse(source: &Source, id: SourceId, diagnostics: &mut Diagnostics) -> SysctlDump {
    let mut dump = SysctlDump::default();
    let mut start = 0;
    let mut errors = 0;
    for line in source.text.split_inclusive('\n') {
        let span = Span::new(id, start, start + line.trim_end().len());
        start += line.len();
        if let Err(error) = dump.line(line.trim(), span) {
            diagnostics.push(error);
            errors += 1;
        }
        if errors >= 50 {
            break;
        }
    }
    if dump.values.is_empty() && errors == 0 {
        let whole = Span::new(id, 0, source.text.len());
        let error = Diagnostic::error(Code::Dump, whole, "none of the keys that matter is in this dump");
        diagnostics.push(error.help("this should be the output of `sysctl -a`"));
    }
    dump
}

impl SysctlDump {
    fn line(&mut self, line: &str, span: Span) -> Result<(), Diagnostic> {
        if line.is_empty() || line.starts_with(['#', ';']) || line.starts_with("sysctl: ") {
            return Ok(());
        }
        let Some((key, value)) = line.split_once('=') else {
            let error = Diagnostic::error(Code::Dump, span, "expected `key = value`");
            return Err(error.help("this should be the output of `sysctl -a`"));
        };
        let (key, value) = (key.trim(), value.trim());
        if !key.starts_with("net.") {
            return Ok(());
        }
        if !keys::is_read(key) {
            if !keys::is_irrelevant(key) {
                self.unread.push(Spanned::new(key.to_owned(), span));
            }
            return Ok(());
        }
        let Ok(number) = value.parse::<i64>() else {
            return Err(Diagnostic::error(Code::Dump, span, format!("`{value}` is not a number")));
        };
        match self.values.insert(key.to_owned(), Spanned::new(number, span)) {
            Some(first) if first.value != number => {
                let error = Diagnostic::error(Code::Conflict, span, format!("`{key}` has two values"));
                Err(error.also(first.span, format!("{} here", first.value)))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn get(&self, key: &str) -> Option<Spanned<i64>> {
        self.values.get(key).copied()
    }

    /// The value of a key for one interface. `sysctl` writes the dots of a name as slashes.
    fn of_interface(&self, family: Family, interface: &str, key: &str) -> Option<Spanned<i64>> {
        let version = if family == Family::V4 { "ipv4" } else { "ipv6" };
        self.get(&format!("net.{version}.conf.{}.{key}", interface.replace('.', "/")))
    }

    /// Every interface with a value of a key, in the order of names, without `all`, `default` and `lo`.
    fn interfaces(&self, family: Family, key: &str) -> impl Iterator<Item = Spanned<i64>> {
        let version = if family == Family::V4 { "ipv4" } else { "ipv6" };
        let (before, behind) = (format!("net.{version}.conf."), format!(".{key}"));
        self.values.iter().filter_map(move |(name, value)| {
            let interface = name.strip_prefix(&before)?.strip_suffix(&behind)?;
            (!matches!(interface, "all" | "default" | "lo")).then_some(*value)
        })
    }

    /// Whether the device forwards packets of a family. IPv4 asks the interface that the packet came in on;
    /// IPv6 asks `all`, or `force_forwarding` of the interface.
    pub fn forwarding(&self, family: Family) -> Setting {
        let whole = self.of_interface(family, "all", "forwarding");
        let whole = whole.or_else(|| self.get("net.ipv4.ip_forward").filter(|_| family == Family::V4));
        match family {
            Family::V4 => Setting::of_all(self.interfaces(family, "forwarding")).or(Setting::of(whole)),
            Family::V6 => {
                match (Setting::of(whole), Setting::of_all(self.interfaces(family, "force_forwarding"))) {
                    (Setting::Off(_), forced @ (Setting::On(_) | Setting::Mixed(_))) => forced,
                    (whole, _) => whole,
                }
            }
        }
    }

    /// What an interface does with strange IPv4 sources: the larger of `all` and its own value.
    /// `None` if the dump does not say.
    pub fn rp_filter(&self, interface: &str) -> Option<Spanned<RpFilter>> {
        let all = self.of_interface(Family::V4, "all", "rp_filter");
        let own = self.of_interface(Family::V4, interface, "rp_filter");
        // One of them alone settles it only if nothing is larger.
        let larger = match (all, own) {
            (Some(all), Some(own)) => {
                if all.value > own.value {
                    all
                } else {
                    own
                }
            }
            (Some(one), None) | (None, Some(one)) if one.value == 2 => one,
            (Some(_), None) | (None, Some(_)) | (None, None) => return None,
        };
        match larger.value {
            0 => Some(larger.map(|_| RpFilter::Off)),
            1 => Some(larger.map(|_| RpFilter::Strict)),
            2 => Some(larger.map(|_| RpFilter::Loose)),
            _ => None,
        }
    }

    /// Whether IPv6 is off on an interface. Only its own value counts; one that the dump does not list gets
    /// what `all` and `default` agree on.
    pub fn ipv6_disabled(&self, interface: &str) -> Option<Spanned<bool>> {
        let of = |name| self.of_interface(Family::V6, name, "disable_ipv6");
        let own = of(interface).or_else(|| {
            let (all, default) = (of("all")?, of("default")?);
            ((all.value != 0) == (default.value != 0)).then_some(default)
        });
        own.map(|value| value.map(|number| number != 0))
    }

    /// Whether some interface honours IP source routing: of IPv4 where `all` and the interface say so; of IPv6
    /// by segment routing (SRv6, RPL), where both say so. Linux ignores routing headers of type 0.
    pub fn source_routing(&self) -> Setting {
        let v4 = self.where_both(Family::V4, "accept_source_route");
        let v6 = ["seg6_enabled", "rpl_seg_enabled"].map(|key| self.where_both(Family::V6, key));
        for setting in [v4, v6[0], v6[1]] {
            if matches!(setting, Setting::On(_) | Setting::Mixed(_)) {
                return setting;
            }
        }
        v4
    }

    /// Whether the device forwards multicast, or broadcasts to a subnet (`bc_forwarding`).
    pub fn multicast_forwarding(&self) -> Setting {
        let [v4, v6] =
            Family::ALL.map(|family| Setting::of(self.of_interface(family, "all", "mc_forwarding")));
        let broadcast = self.where_both(Family::V4, "bc_forwarding");
        for setting in [v4, v6, broadcast] {
            if matches!(setting, Setting::On(_) | Setting::Mixed(_)) {
                return setting;
            }
        }
        v4
    }

    /// Whether frames that cross a bridge meet the filters of layer 3. The keys are there only if the kernel
    /// has `br_netfilter` loaded.
    pub fn bridge_filters(&self, family: Family) -> Setting {
        Setting::of(self.get(match family {
            Family::V4 => "net.bridge.bridge-nf-call-iptables",
            Family::V6 => "net.bridge.bridge-nf-call-ip6tables",
        }))
    }

    /// Whether an interface takes packets with a source that is the device's own: where `all` or the
    /// interface allows it.
    pub fn accept_local(&self, interface: &str) -> Setting {
        let [all, own] =
            ["all", interface].map(|name| Setting::of(self.of_interface(Family::V4, name, "accept_local")));
        match (all, own) {
            (Setting::On(_), _) => all,
            (_, Setting::On(_)) | (Setting::Off(_), Setting::Off(_)) => own,
            (_, _) => Setting::Unsaid,
        }
    }

    /// Whether some interface takes packets to 127.0.0.0/8 from outside.
    pub fn route_localnet(&self) -> Setting {
        let all = Setting::of(self.of_interface(Family::V4, "all", "route_localnet"));
        if matches!(all, Setting::On(_)) {
            return all;
        }
        Setting::of_all(self.interfaces(Family::V4, "route_localnet")).or(all)
    }

    /// Whether the device leaves echo requests of a family unanswered.
    pub fn echo_ignored(&self, family: Family) -> Setting {
        Setting::of(self.get(match family {
            Family::V4 => "net.ipv4.icmp_echo_ignore_all",
            Family::V6 => "net.ipv6.icmp.echo_ignore_all",
        }))
    }

    /// Whether connection tracking helpers (FTP, SIP, …) attach themselves by port, and so admit further
    /// connections as related. Current kernels do not have the key: there a rule must ask for it.
    pub fn connection_helpers(&self) -> Setting {
        Setting::of(self.get("net.netfilter.nf_conntrack_helper"))
    }

    /// Where it says that marks go further than rules tell: into the check of sources (`src_valid_mark`), or from a packet to its
    /// answer (`fwmark_reflect`, `tcp_fwmark_accept`).
    pub fn marks_elsewhere(&self) -> Option<Span> {
        let keys = ["net.ipv4.fwmark_reflect", "net.ipv6.fwmark_reflect", "net.ipv4.tcp_fwmark_accept"];
        let all = self.of_interface(Family::V4, "all", "src_valid_mark");
        let mut found = keys.into_iter().filter_map(|key| self.get(key)).chain(all);
        let whole = found.find(|value| value.value > 0);
        let of_one = || self.interfaces(Family::V4, "src_valid_mark").find(|value| value.value > 0);
        whole.or_else(of_one).map(|value| value.span)
    }

    /// Whether an interface takes routes from its neighbours: redirects of ICMP, router advertisements. The
    /// kernel takes redirects of IPv4 where `all` or the interface allows it, on a forwarding interface only
    /// where both do; of IPv6, and advertisements with `accept_ra` 1, only where it does not forward.
    pub fn learns_routes(&self, family: Family, interface: &str) -> Setting {
        let of = |name: &str, key: &str| self.of_interface(family, name, key);
        let forwards = !matches!(Setting::of(of(interface, "forwarding")), Setting::Off(_));
        let own = Setting::of(of(interface, "accept_redirects"));
        if family == Family::V4 {
            let all = Setting::of(of("all", "accept_redirects"));
            let both = matches!(all, Setting::On(_)) && matches!(own, Setting::On(_));
            return match (all, own) {
                (Setting::Off(span), _) | (_, Setting::Off(span)) if forwards && !both => Setting::Off(span),
                (_, Setting::On(_)) => own,
                (Setting::On(_), _) => all,
                (_, own) => own,
            };
        }
        match of(interface, "accept_ra") {
            Some(ra) if ra.value == 2 || (ra.value == 1 && !forwards) => Setting::On(ra.span),
            Some(ra) if forwards => Setting::Off(ra.span),
            Some(_) => own,
            None => Setting::Unsaid,
        }
    }

    /// A setting that binds an interface only where `all` says so too.
    fn where_both(&self, family: Family, key: &str) -> Setting {
        match Setting::of(self.of_interface(family, "all", key)) {
            Setting::On(span) => Setting::of_all(self.interfaces(family, key)).or(Setting::On(span)),
            other => other,
        }
    }
}

impl Setting {
    fn of(value: Option<Spanned<i64>>) -> Setting {
        match value {
            Some(value) if value.value > 0 => Setting::On(value.span),
            Some(value) => Setting::Off(value.span),
            None => Setting::Unsaid,
        }
    }

    /// What several interfaces say together.
    fn of_all(values: impl Iterator<Item = Spanned<i64>>) -> Setting {
        values.fold(Setting::Unsaid, |so_far, value| match (so_far, Setting::of(Some(value))) {
            (Setting::Unsaid, one) => one,
            (Setting::Off(_), Setting::On(span)) => Setting::Mixed(span),
            (Setting::On(span), Setting::Off(_)) => Setting::Mixed(span),
            (so_far, _) => so_far,
        })
    }

    /// This, or the other if the dump does not say.
    fn or(self, other: Setting) -> Setting {
        if self == Setting::Unsaid { other } else { self }
    }
}
