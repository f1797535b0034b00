//! `heapbeat alerts test`: has the edge send a test message through each alert channel, and prints what came back.

use std::io::{self, Write as _};

use heapbeat_shared::text::printable;
use serde::Deserialize;

use crate::admin_client::{AdminClient, AdminError, TOKEN};
use crate::output::print_document;

const EXAMPLES: &str = "\
The message is marked as a test. A channel that accepts it is no longer regarded as failing, and gets what waits for it within a minute. \
HEAPBEAT_ADMIN_TOKEN must have the value of the Worker's secret ADMIN_TOKEN.

Exit codes: 0 every channel accepted it; 1 one did not, or the edge did not answer; 2 wrong command line.

Examples:
  HEAPBEAT_ADMIN_TOKEN=… heapbeat alerts test --url https://heapbeat.example.workers.dev
";

/// Checks the edge's alert channels
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct AlertsArgs {
    #[command(subcommand)]
    command: AlertsCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AlertsCommand {
    Test(TestArgs),
}

/// Sends a test message through each alert channel
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
struct TestArgs {
    /// Address of the edge
    #[arg(long, value_name = "URL")]
    url: String,
    /// Prints the response of the edge, as JSON
    #[arg(long)]
    json: bool,
}

/// The response of the edge.
#[derive(Debug, Deserialize)]
struct AlertTest {
    channels: Vec<ChannelTest>,
}

/// What one channel did with the message.
#[derive(Debug, Deserialize)]
struct ChannelTest {
    channel: String,
    kind: String,
    accepted: bool,
    result: String,
    reply: String,
}

/// Runs the subcommand, and returns the exit code.
pub(crate) fn run(arguments: &AlertsArgs) -> u8 {
    let AlertsCommand::Test(arguments) = &arguments.command;
    match test(arguments) {
        Ok(true) => 0,
        Ok(false) => super::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "heapbeat: {error}");
            super::FAILURE
        }
    }
}

/// Tests the channels, and prints the results. Returns whether all of them accepted the message.
fn test(arguments: &TestArgs) -> Result<bool, AdminError> {
    let client = AdminClient::new(&arguments.url, std::env::var(TOKEN).ok())?;
    let (test, raw): (AlertTest, String) = client.post("/api/v1/alerts/test")?;
    print_document(&if arguments.json { format!("{raw}\n") } else { describe_results(&test) });
    Ok(!test.channels.is_empty() && test.channels.iter().all(|channel| channel.accepted))
}

/// Lists the results, one line per channel.
fn describe_results(test: &AlertTest) -> String {
    if test.channels.is_empty() {
        return "The edge has no alert channels: ALERTS is not set.\n".to_owned();
    }
    let mut lines = String::new();
    for ChannelTest { channel, kind, result, reply, .. } in &test.channels {
        let mut line = format!("{channel} ({kind}): {result}");
        if !reply.is_empty() {
            line = format!("{line}, with the reply: {reply}");
        }
        // The service, or whoever answers at the address, chose the text.
        lines += &printable(&line, usize::MAX);
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_of_each_channel_is_a_line() {
        let response = r#"{"channels":[
            {"channel":"ops","kind":"slack","accepted":true,"result":"accepted","reply":""},
            {"channel":"dev","kind":"discord","accepted":false,
             "result":"the service refused the message: status 401","reply":"Invalid\n token"}]}"#;
        let test: AlertTest = serde_json::from_str(response).unwrap();
        assert_eq!(
            describe_results(&test),
            "ops (slack): accepted\n\
             dev (discord): the service refused the message: status 401, with the reply: Invalid token\n"
        );
        let hostile = r#"{"channels":[{"channel":"\u001b[2Jops","kind":"slack","accepted":true,"result":"\u202eok","reply":""}]}"#;
        let test: AlertTest = serde_json::from_str(hostile).unwrap();
        assert_eq!(describe_results(&test), "[2Jops (slack): ok\n");
        let none = AlertTest { channels: vec![] };
        assert_eq!(describe_results(&none), "The edge has no alert channels: ALERTS is not set.\n");
    }
}
