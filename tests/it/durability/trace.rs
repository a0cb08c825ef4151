//! Reads the log of `strace -f`, and checks the order in it.
//!
//! A line is written when a call begins and finished when it ends. Where another thread comes in
//! between, there are two: `12 fdatasync(7 <unfinished ...>` and, later,
//! `12 <... fdatasync resumed>) = 0`. What a call reads stands at its end, what it writes at its
//! start.

use std::collections::BTreeMap;

/// The methods that write.
const WRITES: [&str; 4] = ["POST /scim/", "PUT /scim/", "PATCH /scim/", "DELETE /scim/"];

/// A line of the log: `12 fdatasync(7) = 0`.
struct Line<'a> {
    thread: &'a str,
    call: &'a str,
    part: Part,
    text: &'a str,
}

/// Which part of a call a line shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    Start,
    End,
}

impl<'a> Line<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let (thread, rest) = line.trim_start().split_once(' ')?;
        let rest = rest.trim_start();
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let (call, text) = resumed.split_once(" resumed>")?;
            return Some(Self { thread, call, part: Part::End, text });
        }
        let (call, text) = rest.split_once('(')?;
        let part = if text.ends_with("<unfinished ...>") { Part::Start } else { Part::Whole };
        Some(Self { thread, call, part, text })
    }

    fn starts(&self) -> bool {
        self.part != Part::End
    }

    fn ends(&self) -> bool {
        self.part != Part::Start
    }

    fn is_sync(&self) -> bool {
        matches!(self.call, "fdatasync" | "fsync")
    }

    /// Whether it brought in a request to write. Only what is quoted is data.
    fn reads_write(&self) -> bool {
        let reads = matches!(self.call, "read" | "readv" | "recvfrom" | "recvmsg");
        let data = self.text.split('"').nth(1).unwrap_or_default();
        reads && self.ends() && WRITES.iter().any(|write| data.starts_with(write))
    }

    /// Whether it brought in another request.
    fn reads_other(&self) -> bool {
        let reads = matches!(self.call, "read" | "readv" | "recvfrom" | "recvmsg");
        let data = self.text.split('"').nth(1).unwrap_or_default();
        reads && self.ends() && !self.reads_write() && data.contains(" /")
    }

    /// Whether it begins to send an answer, and which status.
    fn answers(&self) -> Option<&'a str> {
        let writes = matches!(self.call, "write" | "writev" | "sendto" | "sendmsg");
        let data = self.text.split('"').nth(1)?;
        (writes && self.starts()).then_some(data)?.strip_prefix("HTTP/1.1 ")?.get(..3)
    }
}

/// Checks the log of a server whose client sends one request at a time. Answers how many writes
/// were answered with success, or the first answer that came too early.
pub(super) fn check_order(log: &str) -> Result<usize, String> {
    let mut checked = 0;
    // Where the request under way was read, if it is one to write.
    let mut read_at: Option<usize> = None;
    // By thread: where its sync began.
    let mut syncing: BTreeMap<&str, usize> = BTreeMap::new();
    // Where the latest-begun sync that has ended well had begun.
    let mut synced_from: Option<usize> = None;
    for (number, line) in log.lines().enumerate() {
        let Some(line) = Line::read(line) else { continue };
        if line.is_sync() && line.starts() {
            syncing.insert(line.thread, number);
        }
        if line.is_sync() && line.ends() {
            let began = syncing.remove(line.thread);
            if line.text.trim_end().ends_with("= 0") {
                synced_from = synced_from.max(began);
            }
        }
        if line.reads_write() {
            read_at = Some(number);
        } else if line.reads_other() {
            read_at = None;
        }
        let Some(status) = line.answers() else { continue };
        let Some(read) = read_at.take() else { continue };
        if !status.starts_with('2') {
            continue;
        }
        if synced_from.is_none_or(|began| began <= read) {
            return Err(format!(
                "line {}: an answer {status} to the request read in line {} was written, and no \
                 sync that began after that had ended",
                number + 1,
                read + 1
            ));
        }
        checked += 1;
    }
    Ok(checked)
}
