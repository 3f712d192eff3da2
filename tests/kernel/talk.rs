//! Conversations: each packet is made of what the kernel has made of those before it.

use super::bench::{Bench, From};
use super::beside::{Probe, Seen, Spot, observe};
use super::frame::{Shape, error_about, reply};
use super::probes::Asker;
use super::random::families;
use isoaudit::header::{Packet, proto, tcp_flags};
use std::net::IpAddr;

/// What was sent, and what became of it.
pub(crate) type Sent = (Probe, Seen);

/// What may be said in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The first packet.
    Opens,
    /// Whoever got it answers.
    Answers,
    /// Its sender goes on.
    GoesOn,
    /// It is sent again as it was.
    Repeats,
    /// Whoever got it, or somebody else, tells its sender that something is wrong with it.
    Complains,
    /// Its sender, or somebody else, tells whoever answered.
    ComplainsBack,
    /// Somebody else sends to where it seemed to come from.
    ComesIn,
    /// Somebody else sends what looks alike.
    LooksAlike,
}

/// How often each is said, in this order, behind the opening.
const TURNS: &[(Turn, usize)] = &[
    (Turn::Repeats, 25),
    (Turn::Complains, 25),
    (Turn::Answers, 85),
    (Turn::GoesOn, 60),
    (Turn::ComplainsBack, 25),
    (Turn::ComesIn, 40),
    (Turn::LooksAlike, 30),
    (Turn::Answers, 30),
    (Turn::Complains, 40),
];

/// A conversation between two hosts, and what others have to say.
struct Talk {
    opening: Probe,
    /// The line of its destination, or that of some host.
    far: From,
}

/// Holds a conversation on the bench.
pub(crate) fn talk(asker: &mut Asker<'_>, bench: &mut Bench) -> Vec<Sent> {
    let mut turns = vec![Turn::Opens];
    turns.extend(TURNS.iter().filter(|(_, share)| asker.chance.percent(*share)).map(|(turn, _)| *turn));
    if asker.chance.percent(20) && turns.len() > 1 {
        // Something comes before anything is open.
        turns.swap(0, 1);
    }
    let mut sent = Vec::new();
    let Some(talk) = Talk::new(asker) else { return sent };
    for turn in turns {
        if let Some(probe) = talk.say(turn, asker, &sent) {
            let seen = observe(bench, &probe);
            sent.push((probe, seen));
        }
    }
    sent
}

impl Talk {
    /// `None` of a network without hosts.
    fn new(asker: &mut Asker<'_>) -> Option<Talk> {
        let family = asker.chance.pick(families(asker.spec));
        let own = asker.owned[family as usize].iter().copied();
        let hosts: Vec<IpAddr> = own.filter(|address| asker.line_of(*address).is_some()).collect();
        let (src, host) = (asker.chance.pick(&hosts), asker.chance.pick(&hosts));
        let (near, far) = (asker.line_of(src)?, asker.line_of(host)?);
        let dst = if asker.chance.percent(55) { host } else { asker.address(family, 20) };
        let mut packet = asker.transport(src, dst);
        packet.flags = if packet.proto == proto::TCP { tcp_flags::SYN } else { 0 };
        Some(Talk { opening: Probe { from: near, packet, shape: asker.shape() }, far })
    }

    fn say(&self, turn: Turn, asker: &mut Asker<'_>, sent: &[Sent]) -> Option<Probe> {
        let Probe { from: near, packet, shape } = self.opening.clone();
        let (far, form, echo) = self.got(asker, sent);
        let (from, packet, shape) = match turn {
            Turn::Opens => (near, packet, shape),
            Turn::Answers => {
                let shape = Shape { tcp: (5000, 1009), echo, ..asker.shape() };
                (far, reply(&form)?, shape)
            }
            Turn::GoesOn => {
                let flags = if packet.proto == proto::TCP { tcp_flags::ACK } else { 0 };
                let shape = Shape { tcp: (1009, 5009), echo: shape.echo, ..asker.shape() };
                (near, Packet { flags, ..packet }, shape)
            }
            Turn::Repeats => (near, packet, Shape { echo: shape.echo, ..asker.shape() }),
            Turn::Complains => {
                let at_end = asker.chance.percent(50);
                let (from, teller) = if at_end { (far, form.dst) } else { anybody(asker, &form) };
                let (packet, about) = error_about(&form, teller, &Shape { echo, ..shape });
                (from, packet, Shape { about: about.about, ..asker.shape() })
            }
            Turn::ComplainsBack => {
                let answer = reply(&packet)?;
                let at_end = asker.chance.percent(50);
                let (from, teller) = if at_end { (near, packet.src) } else { anybody(asker, &packet) };
                let (packet, about) = error_about(&answer, teller, &Shape { tcp: (5000, 1009), ..shape });
                (from, packet, Shape { about: about.about, ..asker.shape() })
            }
            Turn::ComesIn => {
                let (from, src) = anybody(asker, &form);
                let has_ports = proto::has_ports(form.proto);
                let (sport, dport) = if has_ports { (asker.port(), form.sport) } else { (0, 0) };
                (from, Packet { src, dst: form.src, sport, dport, ..form }, asker.shape())
            }
            Turn::LooksAlike => {
                let (from, src) = anybody(asker, &packet);
                (from, Packet { src, ..packet }, Shape { echo: shape.echo, ..asker.shape() })
            }
        };
        Some(Probe { from, packet, shape })
    }

    /// Who got the first packet, as what, with which identifier. Before it was sent, whoever should.
    fn got(&self, asker: &Asker<'_>, sent: &[Sent]) -> (From, Packet, u16) {
        let opening = &self.opening;
        let is_opening = |(probe, _): &&Sent| probe.shape.marker == opening.shape.marker;
        let Some((_, seen)) = sent.iter().find(is_opening) else {
            return (self.far, opening.packet, opening.shape.echo);
        };
        let echo = seen.echo.unwrap_or(opening.shape.echo);
        let lines = asker.spec.links.iter().enumerate();
        for (link, it) in lines.filter(|(_, link)| asker.spec.nodes[link.ends[0].node].is_host) {
            let from = From::Line { link, to: 1 };
            let spots = [Spot::Node(it.ends[0].node), Spot::Line(link)];
            let there = |(spot, _): &&(Spot, Packet)| spots.contains(spot) && from != opening.from;
            if let Some((_, form)) = seen.arrived.iter().rfind(there) {
                return (from, *form, echo);
            }
        }
        // A hairpin brings it back to where it came from, as another.
        let other = seen.arrived.iter().rfind(|(_, form)| *form != opening.packet);
        other.map_or((self.far, opening.packet, echo), |(_, form)| (opening.from, *form, echo))
    }
}

/// Somebody on some line, with an address that may be its own.
fn anybody(asker: &mut Asker<'_>, like: &Packet) -> (From, IpAddr) {
    let address = asker.address(like.family(), 80);
    let is_honest = asker.chance.percent(70);
    let at_home = asker.line_of(address).filter(|_| is_honest);
    (at_home.unwrap_or_else(|| asker.origin()), address)
}
