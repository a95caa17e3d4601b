//! The processor time of processes, from `/proc` (proc(5)).

use std::{fs, time::Duration};

use database::Db;

/// Ticks in a second (`USER_HZ`), which is 100 on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// The processor time of this process, in all of its threads.
pub(crate) fn of_this_process() -> Duration {
    read_stat("self").map(|stat| stat.time).unwrap_or_default()
}

/// The memory of this process that is in RAM, in bytes.
pub(crate) fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() * 1024
}

/// The server that a database is on.
pub(crate) struct PostgresProcesses {
    /// The process that starts all others.
    main: u32,
}

impl PostgresProcesses {
    pub(crate) async fn find(db: &Db) -> Self {
        let row = db.query_opt("SELECT pg_backend_pid() AS pid", &[]).await.unwrap().unwrap();
        let pid: i32 = row.get("pid");
        // Zero if the server is on another machine: then there is nothing to read.
        Self { main: read_stat(&pid.to_string()).map_or(0, |stat| stat.parent) }
    }

    /// The processor time of all of its processes, those that have ended included.
    pub(crate) fn processor_time(&self) -> Duration {
        let main = read_stat(&self.main.to_string());
        let ended = main.as_ref().map(|stat| stat.time + stat.ended_children).unwrap_or_default();
        let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let children = processes
            .filter_map(|process| read_stat(process.file_name().to_str()?))
            .filter(|stat| stat.parent == self.main);
        ended + children.map(|stat| stat.time).sum::<Duration>()
    }
}

struct ProcessStat {
    parent: u32,
    time: Duration,
    ended_children: Duration,
}

fn read_stat(process: &str) -> Option<ProcessStat> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program, which may have blanks, is in parentheses. The state follows it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |first: usize| {
        let sum = fields[first].parse::<f64>().ok()? + fields[first + 1].parse::<f64>().ok()?;
        Some(Duration::from_secs_f64(sum / TICKS_PER_SECOND))
    };
    Some(ProcessStat { parent: fields[1].parse().ok()?, time: ticks(11)?, ended_children: ticks(13)? })
}
