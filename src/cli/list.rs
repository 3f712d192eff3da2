//! `isoaudit list`: which places a selector selects, certainly and possibly.

use super::Outcome;
use super::args::ListArgs;
use super::console::Console;
use super::exit::Exit;
use super::failure::Failure;
use super::inputs::single;
use super::output::{Outputs, unsupported};
use super::pipeline::{self, Description, ReadOptions};
use isoaudit::claim::select::select;
use isoaudit::claim::selector;
use isoaudit::diag::Diagnostics;
use isoaudit::model::{Network, Node, Reading, Segment, Transit};
use isoaudit::report::Detail;
use isoaudit::report::listing::{Listed, Listing};
use isoaudit::source::{SourceMap, Span};

/// Selects, then writes.
pub(super) fn run(arguments: &ListArgs, console: &Console) -> Outcome {
    let outputs = Outputs::new(&arguments.formats, Detail::Normal)?;
    let mut sources = SourceMap::default();
    let listing = listing(arguments, &mut sources).map_err(|failure| outputs.refuse(failure, console))?;
    outputs.deliver(console, |format, look| {
        let render = format.listing.ok_or_else(|| unsupported(format, "list"))?;
        Ok(render(&listing, &sources, look))
    })?;
    Ok(Exit::Fine)
}

fn listing(arguments: &ListArgs, sources: &mut SourceMap) -> Result<Listing, Failure> {
    let input = single(&arguments.input, &arguments.source, "list")?;
    let read = pipeline::read(sources, &input, &ReadOptions::default());
    let Description { network, .. } = read.map_err(|wrong| Failure::input(wrong, std::mem::take(sources)))?;
    let text = arguments.selector.as_str();
    let id = sources.add("command line", text);
    let mut wrong = Diagnostics::default();
    let span = Span::new(id, 0, text.len());
    let Some(selector) = selector::parse(text, span, &network, &mut wrong) else {
        return Err(Failure::input(wrong, std::mem::take(sources)));
    };
    let certain = select(&network, &selector.expr, Reading::Must);
    let possible = select(&network, &selector.expr, Reading::May);
    let nodes = network
        .nodes_by_id()
        .filter(|(id, _)| possible.nodes[id.index()])
        .map(|(id, node)| listed_node(&network, node, certain.nodes[id.index()]));
    let segments = network.segments_by_id().filter(|(id, _)| possible.segments[id.index()]);
    let segments =
        segments.map(|(id, segment)| listed_segment(&network, segment, certain.segments[id.index()]));
    Ok(Listing {
        topology: network.name.clone(),
        selector: text.to_owned(),
        places: nodes.chain(segments).collect(),
    })
}

fn listed_node(network: &Network, node: &Node, certain: bool) -> Listed {
    let site = node.site.map(|site| &network.sites[site.index()]);
    let place = site.map_or_else(String::new, |site| {
        let country = site.jurisdiction.as_ref().map_or("?", |code| code.value.as_str());
        format!(" at {} ({country})", site.name)
    });
    Listed {
        name: node.name.clone(),
        is_segment: false,
        certain,
        about: format!("{}{place}", node.role.word()),
        span: Some(node.span),
    }
}

fn listed_segment(network: &Network, segment: &Segment, certain: bool) -> Listed {
    let ends: Vec<String> = segment.attached.iter().take(4).map(|id| network.interface_name(*id)).collect();
    let more = if segment.attached.len() > 4 {
        format!(" and {} more", segment.attached.len() - 4)
    } else {
        String::new()
    };
    let crosses = match &segment.transit {
        Transit::Known(codes) if codes.is_empty() => String::new(),
        Transit::Known(codes) => {
            let codes: Vec<&str> = codes.iter().map(|code| code.value.as_str()).collect();
            format!(", crosses {}", codes.join(", "))
        }
        Transit::Unknown(..) => ", which countries it crosses is not known".to_owned(),
    };
    Listed {
        name: segment.name.clone(),
        is_segment: true,
        certain,
        about: format!("segment of {}{more}{crosses}", ends.join(", ")),
        span: Some(segment.span),
    }
}
