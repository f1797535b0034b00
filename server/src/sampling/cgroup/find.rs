//! Finds the memory controller of a process in `/proc/self/cgroup` and `/proc/self/mountinfo`. Pure.
//!
//! Both formats are those of proc(5). The path in `cgroup` counts from the root of the hierarchy, a mount may show only
//! a part of it (`docker run` on version 1 mounts the container's own group as if it were the root), and both
//! versions may be mounted at the same time, the memory controller being in one of them.

use std::path::{Component, Path, PathBuf};

use super::CgroupVersion;

/// A possible path of the process's memory group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CgroupPath {
    pub(super) version: CgroupVersion,
    /// Mount point of the hierarchy.
    pub(super) mount: PathBuf,
    /// The group below the mount point.
    pub(super) path: PathBuf,
}

/// Returns the possible paths in the order to try them: version 1 first, because if both are mounted and version 1 has the memory
/// controller, version 2 has not.
pub(super) fn candidates(cgroup: &str, mountinfo: &str) -> Vec<CgroupPath> {
    let mut places = Vec::new();
    for version in [CgroupVersion::V1, CgroupVersion::V2] {
        let Some(group) = cgroup.lines().find_map(|line| group_of(line, version)) else { continue };
        for mount in mountinfo.lines().filter_map(|line| mount_of(line, version)) {
            places.push(CgroupPath { version, path: visible(group, &mount.root), mount: mount.point });
        }
    }
    places
}

/// Returns the group's path if this line of `cgroup` (`id:controllers:path`) belongs to the memory controller of `version`.
fn group_of(line: &str, version: CgroupVersion) -> Option<&Path> {
    let mut fields = line.splitn(3, ':');
    let (id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let fits = match version {
        CgroupVersion::V1 => controllers.split(',').any(|name| name == "memory"),
        CgroupVersion::V2 => id == "0" && controllers.is_empty(),
    };
    fits.then_some(Path::new(path))
}

struct Mount {
    /// The part of the hierarchy that is mounted.
    root: PathBuf,
    /// The mount point.
    point: PathBuf,
}

/// Returns the mount if this line of `mountinfo` is a memory hierarchy of `version`.
fn mount_of(line: &str, version: CgroupVersion) -> Option<Mount> {
    let (place, kind) = line.split_once(" - ")?;
    let mut kind = kind.split(' ');
    let (filesystem, _source, options) = (kind.next()?, kind.next()?, kind.next()?);
    let fits = match version {
        CgroupVersion::V1 => filesystem == "cgroup" && options.split(',').any(|option| option == "memory"),
        CgroupVersion::V2 => filesystem == "cgroup2",
    };
    let mut place = place.split(' ').skip(3);
    let (root, point) = (unescape(place.next()?), unescape(place.next()?));
    fits.then(|| Mount { root: root.into(), point: point.into() })
}

/// Returns the path of `group` below a mount that shows only `root`. A group outside of it, also by a name such as `/../other` in a
/// cgroup namespace, is not visible; then the mount point itself is the best guess.
fn visible(group: &Path, root: &Path) -> PathBuf {
    let plain = group.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    match group.strip_prefix(root) {
        Ok(rest) if plain => rest.to_owned(),
        _ => PathBuf::new(),
    }
}

/// Decodes mountinfo's escapes: a space, tab, newline and backslash are written as a backslash and three octal digits.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let code = after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) if code.is_ascii() => {
                plain.push(char::from(code));
                rest = &after[3..];
            }
            _ => {
                plain.push('\\');
                rest = after;
            }
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const V1_MOUNT: &str = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";
    const V2_MOUNT: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn the_group_is_found_where_it_is_mounted() {
        let docker_v1 =
            "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro,relatime master:19 - cgroup cgroup rw,memory\n";
        let both = format!("{V1_MOUNT}41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
        let spaced = r"30 23 0:26 / /sys/fs/c\040group rw - cgroup2 cgroup2 rw";
        // name, cgroup, mountinfo, places as "version mount path"
        let cases: [(&str, &str, &str, &[&str]); 10] = [
            ("v2", "0::/system.slice/api.service", V2_MOUNT, &["V2 /sys/fs/cgroup system.slice/api.service"]),
            ("v2 in a namespace", "0::/", V2_MOUNT, &["V2 /sys/fs/cgroup "]),
            ("v2, above the namespace's root", "0::/../neighbour", V2_MOUNT, &["V2 /sys/fs/cgroup "]),
            ("v1", "8:pids:/\n4:memory:/api", V1_MOUNT, &["V1 /sys/fs/cgroup/memory api"]),
            ("v1 with company", "4:cpu,memory:/api", V1_MOUNT, &["V1 /sys/fs/cgroup/memory api"]),
            ("v1 in docker", "4:memory:/docker/abc", docker_v1, &["V1 /sys/fs/cgroup/memory "]),
            ("v1 in docker, deeper", "4:memory:/docker/abc/x", docker_v1, &["V1 /sys/fs/cgroup/memory x"]),
            (
                "hybrid",
                "4:memory:/api\n0::/api.scope",
                &both,
                &["V1 /sys/fs/cgroup/memory api", "V2 /sys/fs/cgroup/unified api.scope"],
            ),
            ("a space in the mount point", "0::/", spaced, &["V2 /sys/fs/c group "]),
            ("nothing mounted", "0::/", "22 1 8:1 / / rw - ext4 /dev/vda rw", &[]),
        ];
        for (name, cgroup, mountinfo, expected) in cases {
            let places: Vec<_> = candidates(cgroup, mountinfo)
                .iter()
                .map(|p| format!("{:?} {} {}", p.version, p.mount.display(), p.path.display()))
                .collect();
            assert_eq!(places, expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(cgroup in "(\\PC|\n|:|/){0,60}", mountinfo in "(\\PC|\n| |\\\\|cgroup2| - ){0,80}") {
            let _ = candidates(&cgroup, &mountinfo);
        }
    }
}
