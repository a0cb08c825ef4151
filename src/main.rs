//! The `slackwater` command; see [`slackwater::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    slackwater::cli::run()
}
