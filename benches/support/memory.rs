//! What a process takes of the machine's memory, as Linux tells it.

/// A line of `/proc/PID/status`, such as `VmRSS` or `VmHWM`, in MiB.
pub(crate) fn memory_mib(process: u32, line: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let mut lines = status.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(name, _)| *name == line).expect("a line of that name");
    value.trim().strip_suffix(" kB").unwrap().parse::<f64>().unwrap() / 1_024.0
}
