//! Memory of this process according to Linux; zero on other systems.

use std::fs;

/// Resets the peak (`clear_refs` in proc(5)), and returns the current size in MB.
pub(crate) fn reset_peak() -> f64 {
    let _ = fs::write("/proc/self/clear_refs", "5");
    read("VmRSS:")
}

/// The peak since then, in MB.
pub(crate) fn peak() -> f64 {
    read("VmHWM:")
}

fn read(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0");
    line.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1024.0
}
