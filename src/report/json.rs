//! The report for programs.
use super::Report;
use super::listing::Listing;
use super::style::Look;
use super::trace::Trace;
use crate::diag::Diagnostic;
use crate::source::SourceMap;

/// r
pub fn report(_: &[Report], _: &SourceMap, _: &Look) -> String {
    String::new()
}
/// e
pub fn errors(_: &[Diagnostic], _: &SourceMap, _: &Look) -> String {
    String::new()
}
/// t
pub fn trace(_: &Trace, _: &SourceMap, _: &Look) -> String {
    String::new()
}
/// l
pub fn listing(_: &Listing, _: &SourceMap, _: &Look) -> String {
    String::new()
}
