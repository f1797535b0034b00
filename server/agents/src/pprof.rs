//! From an agent's profile to the format of pprof.

use heapbeat_pprof::{ProfileBuilder, ProfileHeader, SourceLine};

use crate::protocol::{Hello, ProfileAnswer};

/// Encodes an agent's profile. `time_nanos` is the wall time in nanoseconds since 1970. Frames that do not exist are left out.
pub fn encode(profile: &ProfileAnswer, hello: &Hello, time_nanos: u64) -> Vec<u8> {
    let mut builder = ProfileBuilder::default();
    for stack in &profile.stacks {
        let locations = stack
            .frames
            .iter()
            .filter_map(|index| {
                let index = usize::try_from(*index).ok()?;
                let (function, file, line) = profile.frames.get(index)?;
                let source = SourceLine { function: function.clone(), file: file.clone(), number: *line };
                // The runtime's functions have no addresses; their numbers take the place of these.
                Some(builder.location(index + 1, || vec![source]))
            })
            .collect();
        builder.add_sample(locations, [stack.count, stack.bytes], ("runtime", &hello.runtime));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to five minutes")]
    let duration_nanos = (profile.seconds.clamp(0.0, 300.0) * 1e9) as u64;
    builder.encode(&ProfileHeader {
        values: [("inuse_objects", "count"), ("inuse_space", "bytes")],
        period: profile.interval.max(1),
        time_nanos,
        duration_nanos,
        program: &hello.program,
        comment: &format!("{} {}", hello.runtime, hello.version),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::HeapStack;
    use heapbeat_test_support::pprof::Profile;

    #[test]
    fn another_decoder_reads_the_stacks() {
        let hello = Hello {
            runtime: "node".into(),
            version: "22.1.0".into(),
            protocol: 1,
            program: "/app/server.js".into(),
            heap_limit: None,
        };
        let answer = ProfileAnswer {
            seconds: 30.0,
            interval: 524_288,
            frames: vec![("leak".into(), "a.js".into(), 7), ("main".into(), "m.js".into(), 1)],
            stacks: vec![HeapStack { bytes: 1 << 40, count: 3, frames: vec![0, 1, 99] }],
            ..ProfileAnswer::default()
        };
        let read = Profile::decode_bytes(&encode(&answer, &hello, 5));
        assert_eq!(read.stack(&read.sample[0]), [("leak", "a.js", 7), ("main", "m.js", 1)]);
        assert_eq!(read.sample[0].value, [3, 1 << 40]);
        assert_eq!((read.time_nanos, read.duration_nanos, read.period), (5, 30_000_000_000, 524_288));
        assert_eq!(read.text(read.mapping[0].filename), "/app/server.js");
    }
}
