//! Commands that leave a program to a daemon of their own and end, so that nothing is left to guard.

/// The process managers that start programs in the background, and the commands of each that do.
const MANAGERS: [(&str, &[&str]); 2] = [
    ("pm2", &["start", "restart", "reload", "startOrRestart", "startOrReload", "resurrect"]),
    ("forever", &["start"]),
];

/// Returns what to know of a command that leaves its program to a daemon, such as `npx pm2 start app.js`; `None` for any other.
pub(crate) fn describe_daemon<'w>(words: impl IntoIterator<Item = &'w str>) -> Option<String> {
    let words: Vec<&str> = words
        .into_iter()
        .flat_map(str::split_whitespace)
        .map(|word| word.trim_matches(['\'', '"']))
        .collect();
    let found = words.windows(2).find_map(|pair| {
        let program = pair[0].rsplit('/').next().unwrap_or_default();
        let (manager, commands) = MANAGERS.iter().find(|(name, _)| *name == program)?;
        commands.contains(&pair[1]).then_some((*manager, pair[1]))
    });
    let (manager, command) = found?;
    if words.contains(&"--no-daemon") {
        return None;
    }
    let instead = if manager == "pm2" { "node server.js or pm2-runtime start" } else { "node server.js" };
    Some(format!(
        "{manager} {command} leaves the program to a daemon and ends, so that heapbeat neither measures nor replaces it: start the program itself, \
         such as {instead}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_leaves_its_program_to_a_daemon_is_recognized() {
        let cases = [
            (&["pm2", "start", "app.js"][..], Some("pm2 start")),
            (&["npx", "pm2", "start", "app.js"], Some("pm2 start")),
            (&["node_modules/.bin/pm2", "reload", "all"], Some("pm2 reload")),
            (&["sh", "-c", "migrate && pm2 start 'app.js'"], Some("pm2 start")),
            (&["forever", "start", "app.js"], Some("forever start")),
            (&["pm2", "start", "app.js", "--no-daemon"], None),
            (&["pm2-runtime", "start", "app.js"], None),
            (&["pm2", "logs"], None),
            (&["node", "server.js", "start"], None),
            (&["npm", "start"], None),
        ];
        for (words, expected) in cases {
            let said = describe_daemon(words.iter().copied());
            assert_eq!(said.is_some(), expected.is_some(), "{words:?}: {said:?}");
            assert!(said.unwrap_or_default().starts_with(expected.unwrap_or_default()), "{words:?}");
        }
    }
}
