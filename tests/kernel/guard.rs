//! A test of the kernel runs in a process of its own, whose namespaces nobody else shares.

use super::sys;
use std::process::Command;

/// Set in the process that may build namespaces.
const INSIDE: &str = "ISOAUDIT_INSIDE_NAMESPACES";

/// Runs the body of a test of this name in a process with its own namespaces, or says why it cannot. What is missing is a failure
/// if `ISOAUDIT_REQUIRE_KERNEL` is 1.
pub(crate) fn isolated(name: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    if let Err(reason) = run(name) {
        let required = std::env::var("ISOAUDIT_REQUIRE_KERNEL").is_ok_and(|value| value == "1");
        assert!(!required, "{name}: the kernel is required, but {reason}");
        println!("SKIPPED {name}: {reason}");
    }
}

/// Starts the process. An error is why it could not be started; a test that fails in it panics here.
fn run(name: &str) -> Result<(), String> {
    missing()?;
    let this = std::env::current_exe().map_err(|error| format!("this program is not found: {error}"))?;
    let mut command = Command::new(this);
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]).env(INSIDE, "1");
    sys::isolate(&mut command);
    let output = command.output().map_err(|error| format!("namespaces are not allowed here: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("running") && !line.starts_with("test "))
    {
        println!("{line}");
    }
    assert!(output.status.success(), "{name} failed in its namespaces\n{text}\n{errors}");
    Ok(())
}

/// What this machine lacks, if anything: tools, and what only a process with namespaces can try.
fn missing() -> Result<(), String> {
    let tools = ["ip", "nft", "iptables-nft-restore", "ip6tables-nft-restore", "iptables-legacy-restore"];
    for tool in tools {
        let found = Command::new(tool).arg("--version").output();
        found.map_err(|error| {
            format!("`{tool}` does not run ({error}): install iproute2, nftables and iptables")
        })?;
    }
    let mut probe = Command::new("sh");
    let script = "echo 1 > /proc/sys/net/ipv4/ip_forward && ip link add name a type veth peer name b \
                  && nft add table inet probe && nft add chain inet probe c '{ type filter hook input priority 0; }' \
                  && nft add rule inet probe c log group 7";
    probe.args(["-c", script]);
    sys::isolate(&mut probe);
    let output = probe.output().map_err(|error| format!("namespaces are not allowed here: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("this kernel lacks veth, nf_tables or the right to use them: {}", errors.trim()))
}
