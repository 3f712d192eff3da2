//! The command line.
#![forbid(unsafe_code)]
fn main() {
    let path = std::path::PathBuf::from(std::env::args().nth(1).unwrap_or_default());
    let mut sources = isoaudit::source::SourceMap::default();
    let loader = isoaudit::source::Loader::new(path.parent().unwrap_or(std::path::Path::new(".")), 1 << 28);
    let file = std::path::PathBuf::from(path.file_name().unwrap_or_default());
    let look = isoaudit::report::Look::PLAIN;
    let t = std::time::Instant::now();
    match isoaudit::audit::run(&mut sources, &loader, &file, &Default::default(), &isoaudit::audit::Unwatched)
    {
        Ok(report) => println!("{}", (isoaudit::report::FORMATS[0].report)(&[report], &sources, &look)),
        Err(found) => println!("{}", (isoaudit::report::FORMATS[0].errors)(&found.sorted(), &sources, &look)),
    }
    eprintln!("{:?}", t.elapsed());
}
