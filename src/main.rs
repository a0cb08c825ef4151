//! The `slackwater` command; see [`slackwater::cli`].

use std::process::ExitCode;

/// What one request allocates is freed on other threads, by the writer, the recorder and the
/// connection: glibc's allocator spends a seventh of the processor's time on that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    slackwater::cli::run()
}
