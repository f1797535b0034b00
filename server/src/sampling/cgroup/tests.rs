//! Tests against directory trees that are laid out as the kernel's are.

use std::fs;

use tempfile::TempDir;

use super::*;

const V1_MOUNT: &str = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
const V2_MOUNT: &str = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";

/// Creates a root directory with `files`, and a process that is in `cgroup` and sees `mountinfo`.
fn tree(cgroup: &str, mountinfo: &str, files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    write_file(&root, "proc/self/cgroup", cgroup);
    write_file(&root, "proc/self/mountinfo", mountinfo);
    for (path, text) in files {
        write_file(&root, path, text);
    }
    root
}

fn write_file(root: &TempDir, path: &str, text: &str) {
    let path = root.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn find(root: &TempDir) -> Option<Cgroup> {
    Cgroup::find(&root.path().join("proc/self"), root.path())
}

#[test]
fn version_2_with_a_limit_of_its_own() {
    let root = tree(
        "0::/api\n",
        V2_MOUNT,
        &[
            ("sys/fs/cgroup/memory.stat", "anon 1\n"),
            ("sys/fs/cgroup/api/memory.max", "536870912\n"),
            ("sys/fs/cgroup/api/memory.current", "209715200\n"),
            (
                "sys/fs/cgroup/api/memory.stat",
                "anon 104857600\nfile 99\nsock 3145728\ninactive_anon 7\ninactive_file 52428800\n",
            ),
            (
                "sys/fs/cgroup/api/memory.events",
                "low 0\nhigh 3\nmax 5\noom 2\noom_kill 1\noom_group_kill 0\n",
            ),
            ("sys/fs/cgroup/api/memory.swap.current", "8388608\n"),
            ("sys/fs/cgroup/api/memory.pressure", "some avg10=7.50 total=9\nfull avg10=0.10 total=1\n"),
        ],
    );
    let mut cgroup = find(&root).unwrap();
    assert_eq!(cgroup.version(), CgroupVersion::V2);
    let memory = cgroup.read().unwrap();
    let expected = CgroupMemory {
        version: CgroupVersion::V2,
        limit: Some(Bytes::from_mb(512)),
        usage: Bytes::from_mb(200),
        inactive_file: Bytes::from_mb(50),
        anon: Bytes::from_mb(100),
        sockets: Bytes::from_mb(3),
        events: OomEvents { high: 3, max: 5, oom: 2, oom_kill: 1 },
        swap: Some(Bytes::from_mb(8)),
        stall: Some(Stall { some: 750, full: Some(10) }),
    };
    assert_eq!(memory, expected);
    assert_eq!(memory.working_set(), Bytes::from_mb(150));
}

#[test]
fn version_1_with_a_limit_of_its_own() {
    let root = tree(
        "4:memory:/api\n0::/\n",
        V1_MOUNT,
        &[
            ("sys/fs/cgroup/memory/api/memory.limit_in_bytes", "536870912\n"),
            ("sys/fs/cgroup/memory/api/memory.usage_in_bytes", "209715200\n"),
            (
                "sys/fs/cgroup/memory/api/memory.stat",
                "rss 1\ntotal_rss 178257920\ntotal_inactive_file 52428800\n",
            ),
            ("sys/fs/cgroup/memory/api/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"),
            ("sys/fs/cgroup/memory/api/memory.failcnt", "17\n"),
            ("sys/fs/cgroup/memory/api/memory.memsw.usage_in_bytes", "218103808\n"),
        ],
    );
    let mut cgroup = find(&root).unwrap();
    assert_eq!(cgroup.version(), CgroupVersion::V1);
    let memory = cgroup.read().unwrap();
    assert_eq!((memory.limit, memory.usage), (Some(Bytes::from_mb(512)), Bytes::from_mb(200)));
    assert_eq!(memory.events, OomEvents { high: 0, max: 17, oom: 0, oom_kill: 4 });
    assert_eq!((memory.swap, memory.stall), (Some(Bytes::from_mb(8)), None));
    assert_eq!(memory.working_set(), Bytes::from_mb(170), "anonymous memory is more than usage less cache");
}

#[test]
fn the_smallest_limit_of_all_ancestors_is_used() {
    let base = "sys/fs/cgroup/pod";
    let groups = |own: &str, pod: &str| {
        tree(
            "0::/pod/api\n",
            V2_MOUNT,
            &[
                (&format!("{base}/memory.max"), pod),
                (&format!("{base}/memory.current"), "300\n"),
                (&format!("{base}/api/memory.max"), own),
                (&format!("{base}/api/memory.current"), "200\n"),
            ],
        )
    };
    // own limit, the pod's limit, effective limit, usage that counts against it
    let cases = [
        ("max", "max", None, 200),
        ("1000", "max", Some(1000), 200),
        ("max", "1000", Some(1000), 300),
        ("1000", "2000", Some(1000), 200),
        ("2000", "1000", Some(1000), 300),
        ("1000", "1000", Some(1000), 200),
    ];
    for (own, pod, limit, usage) in cases {
        let memory = find(&groups(own, pod)).unwrap().read().unwrap();
        assert_eq!((memory.limit, memory.usage), (limit.map(Bytes), Bytes(usage)), "own {own}, pod {pod}");
    }
}

#[test]
fn the_value_for_no_limit_of_version_1_is_none() {
    for none in ["9223372036854771712\n", "9223372036854775807\n", "18446744073709551615\n"] {
        let root = tree(
            "4:memory:/\n",
            V1_MOUNT,
            &[
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", none),
                ("sys/fs/cgroup/memory/memory.usage_in_bytes", "5\n"),
            ],
        );
        assert_eq!(find(&root).unwrap().read().unwrap().limit, None, "{none}");
    }
}

#[test]
fn a_resized_container_is_noticed() {
    let max = "sys/fs/cgroup/memory.max";
    let root = tree("0::/\n", V2_MOUNT, &[(max, "max\n"), ("sys/fs/cgroup/memory.current", "5\n")]);
    let mut cgroup = find(&root).unwrap();
    for (text, limit) in
        [("max", None), ("1000", Some(Bytes(1000))), ("2000", Some(Bytes(2000))), ("max", None)]
    {
        write_file(&root, max, text);
        assert_eq!(cgroup.read().unwrap().limit, limit);
    }
}

#[test]
fn in_a_hybrid_the_controller_is_where_its_files_are() {
    let mounts = format!("{V1_MOUNT}41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    let v1 = ("sys/fs/cgroup/memory/memory.usage_in_bytes", "1\n");
    let v2 = ("sys/fs/cgroup/unified/memory.current", "2\n");
    let cases =
        [("both", vec![v1, v2], Some(1)), ("only version 2", vec![v2], Some(2)), ("neither", vec![], None)];
    for (name, files, usage) in cases {
        let root = tree("4:memory:/\n0::/\n", &mounts, &files);
        assert_eq!(find(&root).map(|mut c| c.read().unwrap().usage), usage.map(Bytes), "{name}");
    }
}

#[test]
fn a_container_that_sees_its_hosts_names_uses_what_is_there() {
    let root = tree(
        "0::/kubepods/pod1/abc\n",
        V2_MOUNT,
        &[("sys/fs/cgroup/memory.max", "1000\n"), ("sys/fs/cgroup/memory.current", "10\n")],
    );
    let memory = find(&root).unwrap().read().unwrap();
    assert_eq!((memory.limit, memory.usage), (Some(Bytes(1000)), Bytes(10)));
}

#[test]
fn files_that_are_missing_cost_only_their_figures() {
    let root = tree("0::/\n", V2_MOUNT, &[("sys/fs/cgroup/memory.current", "10\n")]);
    let expected = CgroupMemory { usage: Bytes(10), ..CgroupMemory::default() };
    assert_eq!(find(&root).unwrap().read(), Some(expected));
    assert!(find(&tree("0::/\n", V2_MOUNT, &[])).is_none(), "no file at all");
    assert!(find(&tree("", V2_MOUNT, &[("sys/fs/cgroup/memory.current", "10\n")])).is_none(), "in no group");
    assert!(find(&tempfile::tempdir().unwrap()).is_none(), "no /proc");
}
