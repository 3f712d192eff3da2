//! Counterexamples on the kernel of this machine.

use super::*;
use serde_json::Value;
use std::sync::Mutex;
use std::thread;

/// Whether counterexamples can happen here; if not, why. With `ISOAUDIT_REQUIRE_KERNEL=1` they have to.
fn can_reproduce() -> bool {
    let script = "mount -t tmpfs none /run && ip netns add a && ip -n a link add name b type bridge \
                  && ip netns exec a nft add table inet t && ip netns exec a iptables-save";
    let mut probe = Command::new("unshare");
    probe.args(["--user", "--map-root-user", "--mount", "--net", "sh", "-c", script]);
    let output = probe.stdin(Stdio::null()).output();
    let reason = match output {
        Ok(output) if output.status.success() => return true,
        Ok(output) => stderr(&output),
        Err(error) => error.to_string(),
    };
    let required = std::env::var("ISOAUDIT_REQUIRE_KERNEL").is_ok_and(|value| value == "1");
    assert!(!required, "the kernel is required, but {reason}");
    println!("SKIPPED: {reason}");
    false
}

fn folders(below: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(below)];
    while let Some(path) = open.pop() {
        if path.join("topology.yaml").is_file() {
            found.push(path);
        } else if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    found.sort();
    found
}

/// The first finding of each broken claim in which something arrives.
fn findings(topology: &str) -> Vec<String> {
    let document: Value = serde_json::from_str(&stdout(&run(&["check", topology, "-f", "json"]))).unwrap();
    let claims = document["topologies"][0]["claims"].as_array().unwrap().iter();
    let broken = claims.filter(|claim| claim["verdict"] == "violated" && claim["kind"] != "reachable");
    broken.map(|claim| claim["findings"][0]["fingerprint"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_shipped_as_a_counterexample_happens_on_the_kernel() {
    if !can_reproduce() {
        return;
    }
    let shipped =
        ["topologies", "examples/first", "tests/corpus/translation", "tests/corpus/translation-dumped"];
    let topologies = Mutex::new(shipped.iter().flat_map(|folder| folders(folder)).collect::<Vec<_>>());
    let reproduced = Mutex::new(0);
    let work = || {
        while let Some(folder) = { topologies.lock().unwrap().pop() } {
            let topology = folder.display().to_string();
            for finding in findings(&topology) {
                let output = run(&["reproduce", &topology, &finding]);
                let told = stdout(&output) + &stderr(&output);
                assert_eq!(code(&output), 0, "{topology} {finding}\n{told}");
                assert!(told.contains("reproduced: the kernel did what the finding says"), "{told}");
                *reproduced.lock().unwrap() += 1;
            }
        }
    };
    thread::scope(|scope| {
        let threads = [(); 4].map(|()| scope.spawn(work));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    assert!(*reproduced.lock().unwrap() > 20, "{reproduced:?}");
}

#[test]
fn a_packet_that_the_kernel_drops_is_counted_only_up_to_there() {
    if !can_reproduce() {
        return;
    }
    let topology = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/first").display().to_string();
    let script = stdout(&run(&["reproduce", &topology, "no-way-out", "--script"]));
    let rule = "meta l4proto 17 th dport { 123 } accept";
    assert_eq!(script.matches(rule).count(), 1, "{script}");
    for (script, count) in [(script.clone(), 1), (script.replace(rule, &rule.replace("accept", "drop")), 0)] {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "--net", "sh", "-s"]);
        command.env("ISOAUDIT", env!("CARGO_BIN_EXE_isoaudit")).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let told = stdout(&output);
        let firewall = told.lines().skip_while(|line| *line != "isoaudit-seen 1 n0").nth(1).unwrap();
        let document: Value = serde_json::from_str(firewall).unwrap();
        let counted = |name: &str| {
            let entries = document["nftables"].as_array().unwrap();
            let counter = entries.iter().map(|entry| &entry["counter"]).find(|one| one["name"] == name);
            counter.unwrap()["packets"].as_u64().unwrap()
        };
        assert_eq!((counted("p1rx"), counted("p1tx")), (1, count), "{told}{}", stderr(&output));
    }
}

/// Two hosts and a router whose policy is this.
fn with_policy(folder: &Folder, policy: &str) -> String {
    folder.write("r.rules", policy);
    let topology = r#"isoaudit: 1
defaults: { kind: linux, ipv6: off, interfaces: { antispoof: strict } }
zones: { left: {}, right: {} }
nodes:
  a: { role: host, gateway: 10.1.0.1, interfaces: { eth0: { ipv4: 10.1.0.10/24, zone: left } } }
  b: { role: host, gateway: 10.2.0.1, interfaces: { eth0: { ipv4: 10.2.0.10/24, zone: right } } }
  r:
    role: router
    policy: r.rules
    interfaces: { l: { ipv4: 10.1.0.1/24, zone: left }, r: { ipv4: 10.2.0.1/24 } }
links: [ { endpoints: ["a:eth0", "r:l"] }, { endpoints: ["b:eth0", "r:r"] } ]
claims:
  - { id: apart, isolated: { from: "zone:left", to: "node:b" } }
  - { id: talk, reachable: { from: "node:b", to: "node:a", packets: udp/53 } }
"#;
    folder.write("topology.yaml", topology)
}

#[test]
fn what_cannot_be_reproduced_is_refused_with_the_reason() {
    let folder = Folder::new("reproduce-refused");
    let open = "policy r {\n  default deny\n  rule web { allow from any to any service tcp/443 }\n}\n";
    let topology = with_policy(&folder, open);
    for (finding, reason) in [
        ("aprat", "did you mean `apart`?"),
        ("talk", "`talk` breaks because nothing arrives"),
        ("0123456789abcdef", "violated are apart"),
    ] {
        let output = run(&["reproduce", &topology, finding]);
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{finding}");
        assert!(stderr(&output).contains(reason), "{finding}: {}", stderr(&output));
    }
    let closed = "policy r {\n  default deny\n}\n";
    let topology = with_policy(&folder, closed);
    let output = run(&["reproduce", &topology, "apart"]);
    assert!(code(&output) == 2 && stderr(&output).contains("not violated"), "{}", stderr(&output));
}
