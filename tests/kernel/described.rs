//! The same network as the auditor reads it: dumps taken from the bench by the usual tools, and a description beside them.

use super::bench::Bench;
use super::spec::{Ruleset, Spec};
use isoaudit::audit;
use isoaudit::input::Description;
use isoaudit::model::{Network, NodeId, SegmentId};
use isoaudit::report::Report;
use isoaudit::source::{Loader, SourceMap};
use std::fs;
use std::path::{Path, PathBuf};

/// A folder with a description, its dumps, and what was read from them.
#[derive(Clone)]
pub(crate) struct Described {
    pub(crate) folder: PathBuf,
    pub(crate) network: Network,
    /// The node of the model for each of the bench.
    pub(crate) nodes: Vec<NodeId>,
    /// The segment of the model for each line of the bench.
    pub(crate) segments: Vec<SegmentId>,
}

const MAX_BYTES: u64 = 1 << 24;

/// A folder below the folder for temporary files of tests.
pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("kernel").join(name)
}

/// Writes the dumps of a bench and the description, and reads them.
pub(crate) fn describe(spec: &Spec, bench: &Bench, folder: PathBuf) -> Result<Described, String> {
    let _ = fs::remove_dir_all(&folder);
    let failed = |error: std::io::Error| error.to_string();
    fs::create_dir_all(&folder).map_err(failed)?;
    fs::write(folder.join("topology.yaml"), spec.yaml()).map_err(failed)?;
    for (number, node) in spec.nodes.iter().enumerate().filter(|(_, node)| !node.is_host) {
        let place = folder.join(&node.name);
        fs::create_dir_all(&place).map_err(failed)?;
        dump(bench, number, &place, spec.ipv6).map_err(failed)?;
        let write = |name: &str, tables: &Ruleset| fs::write(place.join(name), tables.text());
        write("iptables-save.txt", &node.tables[0]).map_err(failed)?;
        write("ip6tables-save.txt", &node.tables[1]).map_err(failed)?;
    }
    let mut sources = SourceMap::default();
    let loader = Loader::new(&folder, MAX_BYTES);
    let read = isoaudit::input::read(&mut sources, &loader, Path::new("topology.yaml"), &Default::default());
    let network = match read {
        Ok(Description { network, .. }) => network,
        Err(found) => {
            let errors = found.sorted().into_iter().map(|error| {
                format!("{}: {}", error.span.map_or(String::new(), |span| sources.place(span)), error.message)
            });
            return Err(errors.collect::<Vec<_>>().join("\n"));
        }
    };
    let named = |name: &str| {
        let found = network.nodes_by_id().find(|(_, node)| node.name == name);
        found.map(|(id, _)| id).ok_or_else(|| format!("{name} was not read"))
    };
    let nodes = spec.nodes.iter().map(|node| named(&node.name)).collect::<Result<Vec<_>, _>>()?;
    let segment = |link: &super::spec::LinkSpec| {
        let end = &link.ends[0];
        let of_node = network.node(nodes[end.node]).interfaces.iter().map(|id| network.interface(*id));
        let mut there = of_node.filter(|interface| interface.name == end.interface);
        there
            .find_map(|interface| interface.segment)
            .ok_or_else(|| format!("{} has no segment", end.interface))
    };
    let segments = spec.links.iter().map(segment).collect::<Result<Vec<_>, _>>()?;
    Ok(Described { folder, network, nodes, segments })
}

fn dump(bench: &Bench, node: usize, place: &Path, ipv6: bool) -> std::io::Result<()> {
    let mut commands: Vec<(&str, &[&str])> = vec![
        ("ip-addr.json", &["-j", "-d", "addr"]),
        // Without `-4` it shows the routes of both families.
        ("ip-route.json", &["-4", "-j", "route", "show", "table", "all"]),
        ("ip-rule.json", &["-j", "rule"]),
    ];
    if ipv6 {
        commands.push(("ip6-route.json", &["-6", "-j", "route", "show", "table", "all"]));
        commands.push(("ip6-rule.json", &["-6", "-j", "rule"]));
    }
    for (name, arguments) in commands {
        fs::write(place.join(name), bench.command(node, "ip", arguments)?)?;
    }
    bench.enter(node)?;
    let mut lines = Vec::new();
    for root in ["net/ipv4", "net/ipv6", "net/bridge", "net/netfilter"] {
        sysctl(&Path::new("/proc/sys").join(root), root, &mut lines);
    }
    lines.sort();
    fs::write(place.join("sysctl.txt"), lines.concat())
}

/// What `sysctl -a` prints of the keys below a folder. Those that cannot be read are left out, as there.
fn sysctl(folder: &Path, name: &str, lines: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let file = entry.file_name().to_string_lossy().replace('.', "/");
        let whole = format!("{name}/{file}");
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            // Tables of neighbours and of flags have hundreds of keys that no auditor asks for.
            if file != "neigh" {
                sysctl(&entry.path(), &whole, lines);
            }
        } else if let Ok(value) = fs::read_to_string(entry.path()) {
            let key = whole.replace('/', ".");
            lines.extend(value.lines().map(|line| format!("{key} = {line}\n")));
        }
    }
}

/// What `isoaudit check` says of the description.
pub(crate) fn check(folder: &Path) -> Report {
    let mut sources = SourceMap::default();
    let loader = Loader::new(folder, MAX_BYTES);
    let options = audit::Options::default();
    let path = Path::new("topology.yaml");
    match audit::run(&mut sources, &loader, path, &options, &audit::Unwatched) {
        Ok(report) => report,
        Err(found) => panic!("{}: {:?}", folder.display(), found.sorted()),
    }
}
