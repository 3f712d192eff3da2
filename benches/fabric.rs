//! `check` on a generated fabric, against reading the same files into their types.
//!
//! `cargo bench --bench fabric` writes fabrics of 1,000 and 10,000 devices below `target`, and judges each claim by
//! itself in a process of its own: reading, compiling, deciding, writing the report as text. What it tells of a claim
//! is the whole in multiples of reading (wall, processor time, peak memory), both on one thread; and how much faster the
//! part after reading is on two. Two rows are of the program itself, as a user runs it on all claims. `-- 5000` takes
//! other sizes, one tenth of the number and the number.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a benchmark talks to a terminal")]

#[path = "../examples/fabric.rs"]
#[allow(dead_code, reason = "only the files of a fabric are asked for, not the command line around them")]
mod fabric;
mod measure;

use isoaudit::audit::{self, Options, Unwatched};
use isoaudit::report::{self, Look};
use isoaudit::source::{DEFAULT_MAX_BYTES, Loader, SourceMap};
use measure::{Outcome, Rows, value};
use std::fs;
use std::path::{Path, PathBuf};

const ROUNDS: usize = 3;
/// Stands for all claims together.
const ALL: &str = "all";
/// Stands for the program itself, with all claims.
const PROGRAM: &str = "program";

fn main() -> Outcome<()> {
    if let Some(words) = measure::child() {
        let [folder, claim, threads] = &words[..] else { return Err("a child has three words".into()) };
        return match claim.as_str() {
            PROGRAM => program(Path::new(folder), threads),
            _ => check(Path::new(folder), claim, threads.parse()?),
        };
    }
    let devices = measure::number(10_000);
    let mut before: Vec<Rows> = Vec::new();
    for devices in [devices / 10, devices] {
        before = compare(devices, &before)?;
    }
    Ok(())
}

/// Reads a fabric and judges a claim of it, and tells what that took.
fn check(folder: &Path, claim: &str, threads: usize) -> Outcome<()> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let (mut sources, path) = (SourceMap::default(), Path::new("topology.yaml"));
    let loader = Loader::new(folder, DEFAULT_MAX_BYTES);
    let (wall, processor) = (measure::wall(), measure::processor());
    let description = isoaudit::input::read(&mut sources, &loader, path, &Default::default());
    let description = description.map_err(|found| format!("{:?}", found.sorted()))?;
    let (read_wall, read_processor) = (measure::wall() - wall, measure::processor() - processor);
    let read_memory = measure::peak_memory();
    let claims = if claim == ALL { Vec::new() } else { vec![claim.to_owned()] };
    let options = Options { claims, ..Options::default() };
    let judged = audit::judge(&sources, 0, path, description, &options, &Unwatched);
    let text = report::text::report(&[judged], &sources, &Look::PLAIN);
    measure::tell(&[
        ("read wall", read_wall),
        ("read processor", read_processor),
        ("read memory", read_memory),
        ("wall", measure::wall() - wall),
        ("processor", measure::processor() - processor),
        ("memory", measure::peak_memory()),
        ("bytes", text.len() as f64),
    ]);
    Ok(())
}

/// Runs the program on a fabric as a user does, and tells what its process took.
fn program(folder: &Path, threads: &str) -> Outcome<()> {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_isoaudit"));
    command.args(["check", "topology.yaml", "--threads", threads]).current_dir(folder);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let (wall, processor, memory, code) = measure::process(&mut command)?;
    // The fabric breaks a claim.
    if code != Some(1) {
        return Err(format!("the program ended with {code:?}").into());
    }
    measure::tell(&[("wall", wall), ("processor", processor), ("memory", memory)]);
    Ok(())
}

/// Writes a fabric; returns its folder and its claims, each with its kind.
fn write(devices: usize) -> Outcome<(PathBuf, Vec<(String, String)>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/fabric-{devices}"));
    for (name, text) in fabric::fabric(devices)? {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
    }
    let loader = Loader::new(&folder, DEFAULT_MAX_BYTES);
    let description = isoaudit::input::read(
        &mut SourceMap::default(),
        &loader,
        "topology.yaml".as_ref(),
        &Default::default(),
    );
    let description = description.map_err(|found| format!("{:?}", found.sorted()))?;
    let claims = description.claims.iter();
    let claims = claims.map(|claim| (claim.id.value.clone(), claim.statement.word().to_owned())).collect();
    Ok((folder, claims))
}

/// Measures a fabric, and prints it beside the smaller one; returns the rows on one thread.
fn compare(devices: usize, before: &[Rows]) -> Outcome<Vec<Rows>> {
    let (folder, mut claims) = write(devices)?;
    let folder = folder.to_string_lossy();
    claims.push((ALL.to_owned(), "together".to_owned()));
    let mut contenders: Vec<Vec<&str>> = ["1", "2"]
        .iter()
        .flat_map(|threads| claims.iter().map(|(claim, _)| vec![&*folder, claim.as_str(), threads]))
        .collect();
    contenders.extend(["1", "2"].map(|threads| vec![&*folder, PROGRAM, threads]));
    let mut single = measure::medians(&contenders, ROUNDS)?;
    let programs = single.split_off(2 * claims.len());
    let double = single.split_off(claims.len());
    println!("\n{devices} devices; reading is 1");
    println!(
        "{:<36} {:>8} {:>6} {:>9} {:>7} {:>9} {:>9} {:>7}",
        "", "wall s", "wall", "processor", "memory", "memory MB", "2 threads", "growth"
    );
    let of_reading = |rows: &Rows, name: &str| value(rows, name) / value(rows, &format!("read {name}"));
    let after = |rows: &Rows| value(rows, "wall") - value(rows, "read wall");
    for (position, (claim, kind)) in claims.iter().enumerate() {
        let (one, two) = (&single[position], &double[position]);
        let growth = before.get(position).map(|rows| value(one, "wall") / value(rows, "wall"));
        println!(
            "{:<36} {:>8.3} {:>6.2} {:>9.2} {:>7.2} {:>9.1} {:>9.2} {:>7}",
            format!("{kind} {claim}"),
            value(one, "wall"),
            of_reading(one, "wall"),
            of_reading(one, "processor"),
            of_reading(one, "memory"),
            value(one, "memory"),
            after(one) / after(two),
            show(growth)
        );
    }
    if let Some(rows) = single.first() {
        for (threads, program) in programs.iter().enumerate() {
            let of_reading = |name: &str| value(program, name) / value(rows, &format!("read {name}"));
            println!(
                "{:<36} {:>8.3} {:>6.2} {:>9.2} {:>7.2} {:>9.1}  {:.3} s of processor time",
                format!("the program, all claims, --threads {}", threads + 1),
                value(program, "wall"),
                of_reading("wall"),
                of_reading("processor"),
                of_reading("memory"),
                value(program, "memory"),
                value(program, "processor")
            );
        }
        let growth = before.first().map(|smaller| value(rows, "read wall") / value(smaller, "read wall"));
        println!(
            "{:<36} {:>8.3} {:>6.2} {:>9.2} {:>7.2} {:>9.1} {:>9} {:>7}",
            "reading",
            value(rows, "read wall"),
            1.0,
            1.0,
            1.0,
            value(rows, "read memory"),
            "",
            show(growth)
        );
    }
    Ok(single)
}

fn show(ratio: Option<f64>) -> String {
    ratio.map_or(String::new(), |ratio| format!("{ratio:.1}"))
}
