//! Writes a description of a leaf and spine fabric of any size: `fabric DEVICES OUT_DIR`.
//!
//! Sites of about a hundred devices stand in two countries, Sweden and the Netherlands. Each has a border firewall,
//! two spines, leaves that route for their hosts, and a switch under each leaf. The sites of a country meet at its core
//! router; one line joins the two cores. One rule of one Dutch site, left over from a move, admits a Swedish
//! network; the claims say which statements it breaks. The same size gives the same bytes.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The fewest devices that make two sites in each country.
const FEWEST_DEVICES: usize = 54;
/// Devices that a site has if there is room for more sites.
const SITE_DEVICES: usize = 100;
/// Sites of one country: one second octet each, half of the octet's values.
const MOST_SITES: usize = 128;
/// Leaves of one site: two third octets each.
const MOST_LEAVES: usize = 120;
/// Hosts in one network, `.10` and up.
const MOST_HOSTS: usize = 240;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(devices), Some(out), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("usage: fabric DEVICES OUT_DIR".into());
    };
    let devices = devices.parse::<usize>().map_err(|error| format!("`{devices}`: {error}"))?;
    for (name, text) in fabric(devices)? {
        let path = Path::new(&out).join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, text)?;
    }
    Ok(())
}

/// The files of a fabric with this many devices, each with its path.
///
/// # Errors
/// The number of devices is too small for two sites in each country or too large for the address plan.
pub(crate) fn fabric(devices: usize) -> Result<Vec<(String, String)>, String> {
    let sites = plan(devices)?;
    let mut files = vec![("topology.yaml".to_owned(), core(&sites)), ("common.rules".to_owned(), common())];
    let mut chance = Chance(devices as u64);
    for site in &sites {
        files.push((format!("sites/{}.yaml", site.name), site.description()));
        files.push((format!("sites/{}.rules", site.name), site.rules(&sites, &mut chance)));
    }
    Ok(files)
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound.max(1) as u64) as usize
    }
}

/// A country with its half of 10.0.0.0/8.
struct Country {
    code: &'static str,
    cities: &'static [&'static str],
    base: usize,
    core: &'static str,
}

const COUNTRIES: [Country; 2] = [
    Country { code: "SE", cities: &["sto", "got", "mal", "upp", "lul"], base: 0, core: "core-se" },
    Country { code: "NL", cities: &["ams", "rtm", "ein", "grq", "mst"], base: 128, core: "core-nl" },
];

/// One site.
struct Site {
    name: String,
    /// The position of its country.
    country: usize,
    /// The second octet of its addresses.
    octet: usize,
    /// The number of its leaves.
    leaves: usize,
    /// The number of its hosts, of both tiers.
    hosts: usize,
}

/// How many sites there are, and how large each is.
fn plan(devices: usize) -> Result<Vec<Site>, String> {
    if devices < FEWEST_DEVICES {
        return Err(format!("a fabric has {FEWEST_DEVICES} devices or more"));
    }
    let in_sites = devices - COUNTRIES.len();
    let count = (in_sites / SITE_DEVICES / 2).clamp(2, MOST_SITES) * 2;
    let mut sites = Vec::new();
    for index in 0..count {
        let (country, number) = (index % 2, index / 2);
        let size = in_sites / count + usize::from(index < in_sites % count);
        let leaves = (size / 24).clamp(2, MOST_LEAVES);
        let hosts = size - 3 - 2 * leaves;
        if hosts > leaves * 2 * MOST_HOSTS {
            return Err(format!("{devices} devices are more than the address plan has room for"));
        }
        let Country { cities, base, .. } = &COUNTRIES[country];
        let name = format!("{}{}", cities[number % cities.len()], number / cities.len() + 1);
        sites.push(Site { name, country, octet: base + number, leaves, hosts });
    }
    Ok(sites)
}

/// The end of a point-to-point line: 172.16.0.0/12 in pairs. A site has one for its border and two for each leaf.
fn line_address(site: &Site, line: usize, end: usize) -> String {
    let number = (site.octet * (1 + 2 + 2 * MOST_LEAVES) + line) * 2 + end;
    format!("172.{}.{}.{}", 16 + (number >> 16), (number >> 8) & 255, number & 255)
}

/// A line of a site, by its purpose.
enum Line {
    Border,
    Spine(usize),
    Leaf { spine: usize, leaf: usize },
}

impl Site {
    fn line(&self, line: &Line, end: usize) -> String {
        let number = match line {
            Line::Border => 0,
            Line::Spine(spine) => 1 + spine,
            Line::Leaf { spine, leaf } => 3 + 2 * leaf + spine,
        };
        line_address(self, number, end)
    }

    fn country(&self) -> &'static Country {
        &COUNTRIES[self.country]
    }

    /// The network of a tier under a leaf, less its last octet.
    fn network(&self, leaf: usize, tier: usize) -> String {
        format!("10.{}.{}", self.octet, 2 * leaf + tier)
    }

    /// Hosts in turn over leaves and tiers: leaf, tier, number in its network.
    fn host(&self, index: usize) -> (usize, usize, usize) {
        (index / 2 % self.leaves, index % 2, index / 2 / self.leaves)
    }

    fn host_address(&self, index: usize) -> String {
        let (leaf, tier, number) = self.host(index);
        format!("{}.{}", self.network(leaf, tier), number + 10)
    }

    fn description(&self) -> String {
        let name = &self.name;
        let mut text =
            format!("# Site {name}: {} leaves, {} hosts.\nisoaudit: 1\n\nnodes:\n", self.leaves, self.hosts);
        self.border(&mut text);
        for spine in 0..2 {
            self.spine(&mut text, spine);
        }
        for leaf in 0..self.leaves {
            self.leaf(&mut text, leaf);
        }
        let tiers = ["app", "db"];
        for index in 0..self.hosts {
            let (leaf, tier, number) = self.host(index);
            let group = if tier == 0 && leaf == 0 && number == 0 { "probes" } else { "servers" };
            let _ = writeln!(
                text,
                "  {name}-{}{leaf}-{number}: {{ group: {group}, site: {name}, gateway: {}.1, interfaces: {{ eth0: \
                 {{ ipv4: {}/24, zone: {} }} }} }}",
                tiers[tier],
                self.network(leaf, tier),
                self.host_address(index),
                tiers[tier]
            );
        }
        self.links(&mut text, tiers);
        text
    }

    fn border(&self, text: &mut String) {
        let (name, octet) = (&self.name, self.octet);
        let (own, core) = (self.line(&Line::Border, 0), self.line(&Line::Border, 1));
        let spines = [self.line(&Line::Spine(0), 1), self.line(&Line::Spine(1), 1)];
        let _ =
            writeln!(text, "  {name}-fw:\n    role: firewall\n    site: {name}\n    policy: {name}.rules");
        let _ = writeln!(text, "    interfaces:\n      wan0: {{ ipv4: {own}/31, zone: wan }}");
        for spine in 0..2 {
            let address = self.line(&Line::Spine(spine), 0);
            let _ = writeln!(text, "      sp{spine}: {{ ipv4: {address}/31, zone: fabric }}");
        }
        let _ = writeln!(text, "    routes:\n      - {{ to: default, via: {core} }}");
        let _ = writeln!(text, "      - {{ to: 10.{octet}.0.0/16, via: [{}] }}", spines.join(", "));
    }

    fn spine(&self, text: &mut String, spine: usize) {
        let name = &self.name;
        let (up, firewall) = (self.line(&Line::Spine(spine), 1), self.line(&Line::Spine(spine), 0));
        let _ = writeln!(text, "  {name}-sp{spine}:\n    group: fabric\n    site: {name}\n    interfaces:");
        let _ = writeln!(text, "      up: {{ ipv4: {up}/31, zone: fabric }}");
        for leaf in 0..self.leaves {
            let address = self.line(&Line::Leaf { spine, leaf }, 0);
            let _ = writeln!(text, "      l{leaf}: {{ ipv4: {address}/31, zone: fabric }}");
        }
        let _ = writeln!(text, "    routes:\n      - {{ to: default, via: {firewall} }}");
        for leaf in 0..self.leaves {
            let via = self.line(&Line::Leaf { spine, leaf }, 1);
            let _ = writeln!(text, "      - {{ to: {}.0/23, via: {via} }}", self.network(leaf, 0));
        }
    }

    fn leaf(&self, text: &mut String, leaf: usize) {
        let name = &self.name;
        let lines = [Line::Leaf { spine: 0, leaf }, Line::Leaf { spine: 1, leaf }];
        let _ = writeln!(text, "  {name}-l{leaf}:\n    group: fabric\n    site: {name}\n    interfaces:");
        for (spine, line) in lines.iter().enumerate() {
            let _ = writeln!(text, "      up{spine}: {{ ipv4: {}/31, zone: fabric }}", self.line(line, 1));
        }
        let _ = writeln!(text, "      dn: {{ trunk: [app, db] }}");
        for (tier, (zone, tag)) in [("app", 110), ("db", 120)].iter().enumerate() {
            let network = self.network(leaf, tier);
            let _ = writeln!(
                text,
                "      dn.{tag}: {{ ipv4: {network}.1/24, zone: {zone}, vlan: {zone}, policy-in: {{ file: \
                 ../common.rules, name: acl-{zone} }} }}"
            );
        }
        let spines: Vec<String> = lines.iter().map(|line| self.line(line, 0)).collect();
        let _ = writeln!(text, "    routes: [{{ to: default, via: [{}] }}]", spines.join(", "));
        let ports = (0..self.hosts).filter(|index| self.host(*index).0 == leaf);
        let ports = ports.map(|index| {
            let (_, tier, number) = self.host(index);
            let zone = ["app", "db"][tier];
            format!("{zone}{number}: {{ access: {zone} }}")
        });
        let ports: Vec<String> =
            std::iter::once("up: { trunk: [app, db] }".to_owned()).chain(ports).collect();
        let _ = writeln!(
            text,
            "  {name}-sw{leaf}: {{ role: switch, site: {name}, interfaces: {{ {} }} }}",
            ports.join(", ")
        );
    }

    fn links(&self, text: &mut String, tiers: [&str; 2]) {
        let (name, core) = (&self.name, self.country().core);
        text.push_str("\nlinks:\n");
        let mut link = |from: String, to: String| {
            let _ = writeln!(text, "  - endpoints: [\"{name}-{from}\", \"{to}\"]");
        };
        for leaf in 0..self.leaves {
            link(format!("sw{leaf}:up"), format!("{name}-l{leaf}:dn"));
        }
        for spine in 0..2 {
            link(format!("fw:sp{spine}"), format!("{name}-sp{spine}:up"));
            for leaf in 0..self.leaves {
                link(format!("sp{spine}:l{leaf}"), format!("{name}-l{leaf}:up{spine}"));
            }
        }
        for index in 0..self.hosts {
            let (leaf, tier, number) = self.host(index);
            let zone = tiers[tier];
            link(format!("sw{leaf}:{zone}{number}"), format!("{name}-{zone}{leaf}-{number}:eth0"));
        }
        let code = self.country().code;
        let _ =
            writeln!(text, "  - {{ endpoints: [\"{name}-fw:wan0\", \"{core}:{name}\"], transit: [{code}] }}");
    }

    /// The rules of the border: the template, between it rules for single hosts, as they pile up over the years.
    fn rules(&self, sites: &[Site], chance: &mut Chance) -> String {
        let (name, octet) = (&self.name, self.octet);
        let networks = |tier: usize| -> String {
            let all: Vec<String> =
                (0..self.leaves).map(|l| format!("{}.0/24", self.network(l, tier))).collect();
            all.join(", ")
        };
        let mut text = format!(
            "# The border of {name}.\ndefine site = {{ 10.{octet}.0.0/16 }}\ndefine country = {{ 10.{}.0.0/9 }}\n\
             define abroad = {{ 10.{}.0.0/9 }}\ndefine apps = {{ {} }}\ndefine dbs = {{ {} }}\n\npolicy {name}-fw \
             {{\n  default deny\n",
            self.country().base,
            128 - self.country().base,
            networks(0),
            networks(1)
        );
        text.push_str("  rule open { allow from any to any state established }\n");
        match self.name.as_str() {
            "sto1" => {
                text.push_str("  rule move-2024 { allow from $site to 10.128.0.0/16 service tcp/443 }\n")
            }
            "ams1" => text.push_str("  rule move-2024 { allow from 10.0.0.0/16 to $apps service tcp/443 }\n"),
            _ => {}
        }
        text.push_str("  rule abroad { deny from $abroad to any log }\n");
        let others: Vec<&Site> =
            sites.iter().filter(|site| site.country == self.country && site.name != self.name).collect();
        for number in 0..2 * self.leaves + 8 {
            let from = others[chance.below(others.len())];
            let source = from.host_address(chance.below(from.hosts));
            let target = self.host_address(chance.below(self.hosts));
            let port = [22, 3306, 6379, 8080, 9100, 9200][chance.below(6)];
            let _ =
                writeln!(text, "  rule h{number} {{ allow from {source} to {target} service tcp/{port} }}");
        }
        text.push_str(
            "  rule web { allow from $country to $apps service { tcp/443, tcp/8443 } }\n  rule replicate { allow \
             from $country to $dbs service tcp/5432 }\n  rule out { allow from $site to $country service { \
             tcp/443, tcp/8443, tcp/5432 } }\n  rule quiet { deny from self \
             to any }\n}\n",
        );
        text
    }
}

/// Policies that every site shares.
fn common() -> String {
    "# The lists of the leaves: stateless, as switches filter. What they let through the borders judge.\n\
     policy acl-app {\n  default deny\n  rule web { allow from any to 10.0.0.0/8 service { tcp/443, tcp/8443 } \
     stateless }\n  rule db { allow from any to 10.0.0.0/8 service tcp/5432 stateless }\n  rule answers { allow \
     from any to 10.0.0.0/8 service tcp flags ack/ack stateless }\n}\n\n\
     policy acl-db {\n  default deny\n  rule replicate { allow from any to 10.0.0.0/8 service tcp/5432 stateless \
     }\n  rule answers { allow from any to 10.0.0.0/8 service tcp flags ack/ack stateless }\n}\n"
        .to_owned()
}

/// The main file: what is shared, the cores, the claims.
fn core(sites: &[Site]) -> String {
    let mut text =
        format!("# {} sites in two countries.\nisoaudit: 1\nname: fabric\ninclude:\n", sites.len());
    for site in sites {
        let _ = writeln!(text, "  - sites/{}.yaml", site.name);
    }
    text.push_str("\nsites:\n");
    for site in sites {
        let _ = writeln!(text, "  {}: {{ jurisdiction: {} }}", site.name, site.country().code);
    }
    text.push_str(SHARED);
    for (index, country) in COUNTRIES.iter().enumerate() {
        let other = &COUNTRIES[1 - index];
        let first = sites.iter().find(|site| site.country == index).map_or("", |site| site.name.as_str());
        let _ = writeln!(text, "  {}:\n    group: fabric\n    site: {first}\n    interfaces:", country.core);
        let _ = writeln!(text, "      sea: {{ ipv4: 192.0.2.{index}/31, zone: wan }}");
        let own = || sites.iter().filter(|site| site.country == index);
        for site in own() {
            let address = site.line(&Line::Border, 1);
            let _ = writeln!(text, "      {}: {{ ipv4: {address}/31, zone: wan }}", site.name);
        }
        let _ = writeln!(text, "    routes:");
        let _ = writeln!(text, "      - {{ to: 10.{}.0.0/9, via: 192.0.2.{} }}", other.base, 1 - index);
        for site in own() {
            let via = site.line(&Line::Border, 0);
            let _ = writeln!(text, "      - {{ to: 10.{}.0.0/16, via: {via} }}", site.octet);
        }
    }
    text.push_str("\nlinks:\n  - { endpoints: [\"core-se:sea\", \"core-nl:sea\"], transit: [SE, DK, NL] }\n");
    text.push_str(&claims(sites));
    text
}

const SHARED: &str = r#"
zones: { app: {}, db: {}, fabric: {}, wan: {} }
vlans: { app: { id: 110 }, db: { id: 120 } }
groups:
  servers: { role: host, forwarding: off }
  probes: { role: host, forwarding: off, labels: { probe: web } }
  fabric: { role: router }
defaults: { kind: linux, ipv6: off, interfaces: { antispoof: strict } }
assume: { static-neighbours: "leaf ports run ARP inspection and DHCP snooping" }

nodes:
"#;

fn claims(sites: &[Site]) -> String {
    let last = sites.last().map_or("", |site| site.name.as_str());
    format!(
        r#"
claims:
  - id: dutch-data-out-of-reach
    isolated: {{ from: "jurisdiction:SE", to: "jurisdiction:NL and zone:db", trusts: "role:router or role:firewall or role:switch" }}
  - id: dutch-apps-out-of-reach
    title: broken by the rule that the move left behind
    isolated: {{ from: "jurisdiction:SE", to: "jurisdiction:NL and zone:app", trusts: "role:router or role:firewall or role:switch" }}
  - {{ id: swedish-traffic-stays-home, confined: {{ within: "jurisdiction:SE", trusts: "role:router or role:firewall or role:switch" }} }}
  - {{ id: {last}-has-one-door, only-via: {{ from: "site:{last}", to: "not site:{last}", via: ["{last}-fw:wan0"] }} }}
  - {{ id: probes-talk, reachable: {{ from: "label:probe=web and site:sto1", to: "label:probe=web and jurisdiction:SE", packets: tcp/443 }} }}
  - {{ id: replicas-talk, reachable: {{ from: "node:ams1-db0-0", to: "node:{last}-db1-0", packets: tcp/5432 }} }}
"#
    )
}
