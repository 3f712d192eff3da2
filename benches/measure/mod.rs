//! What every benchmark here does: each contender runs in a process of its own, so that its peak memory is its own;
//! rounds are interleaved, so that a busy minute of the machine meets all; what is told are medians.
#![allow(dead_code, reason = "no benchmark needs all of it")]

use std::error::Error;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Instant;

/// What may go wrong in a benchmark ends it.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Measured values by name, in the order measured.
pub(crate) type Rows = Vec<(String, f64)>;

/// Numbers that look random, the same in every run (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// Small numbers far more often than large ones.
    pub(crate) fn skewed(&mut self, bound: usize) -> usize {
        let share = self.next() as f64 / u64::MAX as f64;
        ((share * share * bound as f64) as usize).min(bound.saturating_sub(1))
    }

    pub(crate) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// Seconds that this thread has run. Where the system does not tell, seconds on the wall: on a busy machine
/// those measure the others as well.
pub(crate) fn clock() -> f64 {
    // The system brings the number up to date when the thread gives way.
    std::thread::yield_now();
    ran("/proc/thread-self/schedstat").unwrap_or_else(wall)
}

/// Seconds on the wall.
pub(crate) fn wall() -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_secs_f64()
}

/// Seconds that all threads of this process have run together.
pub(crate) fn processor() -> f64 {
    std::thread::yield_now();
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    tasks.filter_map(|task| ran(&task.path().join("schedstat").to_string_lossy())).sum()
}

fn ran(path: &str) -> Option<f64> {
    let text = std::fs::read_to_string(path).ok()?;
    text.split(' ').next()?.parse::<f64>().ok().map(|nanoseconds| nanoseconds / 1e9)
}

/// The largest resident size of this process so far, in MB (10^6 bytes); 0 where the system does not tell.
pub(crate) fn peak_memory() -> f64 {
    peak_of("/proc/self/status")
}

fn peak_of(path: &str) -> f64 {
    let status = std::fs::read_to_string(path).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) * 1024.0 / 1e6
}

/// Runs a process; returns its seconds on the wall and of processor time, its largest resident size in MB, and its code.
/// Processor time is that of all children of this process so far, in ticks of the system (mostly 10 ms).
pub(crate) fn process(command: &mut Command) -> Outcome<(f64, f64, f64, Option<i32>)> {
    let start = Instant::now();
    let mut child = command.spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut memory = 0.0_f64;
    let code = loop {
        memory = memory.max(peak_of(&status));
        if let Some(ended) = child.try_wait()? {
            break ended.code();
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    };
    let wall = start.elapsed().as_secs_f64();
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, in parentheses, may hold anything; cutime and cstime are the 14th and 15th after it.
    let fields: Vec<&str> =
        stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(f64::NAN);
    Ok((wall, (ticks(13) + ticks(14)) / TICKS_PER_SECOND, memory, code))
}

/// USER_HZ, which Linux tells every program as 100 (proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// The words of a child process, if this is one.
pub(crate) fn child() -> Option<Vec<String>> {
    let mut words = std::env::args().skip(1);
    (words.next()? == "--child").then(|| words.collect())
}

/// What a child tells its parent.
pub(crate) fn tell(rows: &[(&str, f64)]) {
    for (name, value) in rows {
        println!("{name}\t{value}");
    }
}

/// Runs this program as a child with these words; returns what it tells.
pub(crate) fn run(words: &[&str]) -> Outcome<Rows> {
    let output = Command::new(std::env::current_exe()?).arg("--child").args(words).output()?;
    if !output.status.success() {
        return Err(format!("{words:?} failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let rows = text.lines().filter_map(|line| line.split_once('\t'));
    rows.map(|(name, value)| Ok((name.to_owned(), value.parse()?))).collect()
}

/// Runs every contender once a round, in turn; returns the median of each value of each.
pub(crate) fn medians(contenders: &[Vec<&str>], rounds: usize) -> Outcome<Vec<Rows>> {
    let mut all: Vec<Vec<Rows>> = vec![Vec::new(); contenders.len()];
    for _ in 0..rounds {
        for (words, runs) in contenders.iter().zip(&mut all) {
            runs.push(run(words)?);
        }
    }
    Ok(all.iter().map(|runs| median_rows(runs)).collect())
}

fn median_rows(runs: &[Rows]) -> Rows {
    let first = runs.first().cloned().unwrap_or_default();
    let of_name = |name: &str| {
        let mut values: Vec<f64> =
            runs.iter().flatten().filter(|(n, _)| n == name).map(|(_, v)| *v).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    };
    first.into_iter().map(|(name, _)| (name.clone(), of_name(&name))).collect()
}

/// A value of a contender; not a number if it told none of that name.
pub(crate) fn value(rows: &Rows, name: &str) -> f64 {
    rows.iter().find(|(known, _)| known == name).map_or(f64::NAN, |(_, value)| *value)
}

/// A number among the words of the command line.
pub(crate) fn number(default: usize) -> usize {
    std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(default)
}
