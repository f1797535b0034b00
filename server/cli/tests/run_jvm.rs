//! `heapbeat run` with a real Java virtual machine, if a JDK is installed.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::process::{Command, Stdio};

use heapbeat_test_support::programs::{is_installed, start_in_directory};
use heapbeat_test_support::wait_for;

/// Allocates 150 MB, drops them, and waits. G1 collects nothing of that by itself, as the heap has room.
const DROPPED: &str = "public class Dropped {
    public static void main(String[] args) throws Exception {
        byte[][] kept = new byte[600][];
        for (int i = 0; i < kept.length; i++) { kept[i] = new byte[1 << 18]; java.util.Arrays.fill(kept[i], (byte) 1); }
        kept = null;
        Thread.sleep(600_000);
    }
}
";

#[test]
fn a_collection_by_jcmd_gives_the_memory_of_a_jvm_back() {
    if !(is_installed("java") && is_installed("jcmd") && is_installed("javac")) {
        return;
    }
    // So far below the limit that no forecast asks for a replacement, however busy the machine is.
    let run = ["run", "--side-port", "0", "--port", "0", "--no-listen", "--limit", "2GB", "--"];
    // From source, which keeps the compiler's memory as well; so it is compiled first.
    let program = "javac Dropped.java && exec java -XX:+UseG1GC -Xms16m -Xmx300m Dropped";
    let command = [&run[..], &["sh", "-c", program]].concat();
    let thresholds = [
        ("HEAPBEAT_ALERT_AT", "120MB"),
        ("HEAPBEAT_PURGE_AT", "130MB"),
        ("HEAPBEAT_RECYCLE_AT", "1.8GB"),
        ("HEAPBEAT_SHED_AT", "1.9GB"),
    ];
    let (_directory, server) = start_in_directory(&[("Dropped.java", DROPPED)], &command, &thresholds);
    server.wait_for_log("requested a full collection from process");
    server.wait_for_log("memory pressure cleared");
    // In MB.
    let small = |memory: f64| (memory > 0.0 && memory < 110.0).then_some(());
    wait_for("the memory to be given back", || small(server.health()["memory"]["rss"].as_f64()?));
    assert!(server.exit_kinds().is_empty(), "it was not replaced");
}

/// Fills 60 MB of its heap, says so, and waits.
const KEPT: &str = "public class Kept {
    public static void main(String[] args) throws Exception {
        byte[][] kept = new byte[240][];
        for (int i = 0; i < kept.length; i++) { kept[i] = new byte[1 << 18]; java.util.Arrays.fill(kept[i], (byte) 1); }
        System.out.println(kept.length);
        Thread.sleep(600_000);
    }
}
";

#[test]
fn the_resident_part_of_the_heap_of_a_jvm_is_told_from_what_is_outside() {
    if !(is_installed("java") && is_installed("javac")) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("Kept.java"), KEPT).unwrap();
    let compiled = Command::new("javac").arg("Kept.java").current_dir(directory.path()).status().unwrap();
    assert!(compiled.success());
    for collector in ["-XX:+UseSerialGC", "-XX:+UseParallelGC", "-XX:+UseG1GC"] {
        let mut java = Command::new("java");
        java.args([collector, "-Xms16m", "-Xmx300m", "Kept"]).current_dir(directory.path());
        let mut java = java.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = [0; 4];
        std::io::Read::read_exact(java.stdout.as_mut().unwrap(), &mut said).unwrap();
        let pid = java.id().to_string();
        let check = ["check-memory", "--pid", &pid, "--once", "--json", "--limit", "512MB"];
        let output = Command::new(env!("CARGO_BIN_EXE_heapbeat")).args(check).output().unwrap();
        java.kill().unwrap();
        java.wait().unwrap();
        let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let mb = |figure: &serde_json::Value| figure.as_f64().unwrap() / 1_048_576.0;
        let (resident, total) = (mb(&value["sample"]["heap_resident"]), mb(&value["sample"]["rss"]));
        // Of the 300 MB that the heap may have, and of what is outside of it.
        assert!(
            (60.0..200.0).contains(&resident) && total > resident + 10.0,
            "{collector}: {resident} of {total}"
        );
        assert_eq!(value["forecast"]["runtime_max_bytes"], 300 << 20, "{collector}");
    }
}
