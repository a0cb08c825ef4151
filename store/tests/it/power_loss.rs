//! Power loss: what was answered before the power went is on the disk.
//!
//! A process of its own writes to a file system on a loop device and prints each answer; the file
//! system is then shut down without flushing its log, which drops all that was not flushed. The
//! answers that count are those seen before the shutdown, since a flush that is under way in that
//! instant may return without having done its work.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use store::check::check;
use store::conformance::fixture::{Fixture, add, new_group, tenant_id, user, value};
use store::{RedbStore, RedbStoreOptions, Store};

const CYCLES: u16 = 10;
const ANSWERS_A_CYCLE: usize = 60;
const ANSWERS_WAIT_MAX: Duration = Duration::from_secs(30);
/// How the writer, which is this executable again, is told where to write, and from which number.
const WRITES_TO: &str = "writes-to=";
const WRITES_FROM: &str = "writes-from=";
/// Tells the file system to stop at once, without flushing its log.
const SHUT_DOWN: &str = "\
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";

fn argument(prefix: &str) -> Option<String> {
    std::env::args().find_map(|argument| argument.strip_prefix(prefix).map(ToOwned::to_owned))
}

fn open(directory: &Path) -> RedbStore {
    RedbStore::open(directory, &RedbStoreOptions::default()).unwrap()
}

/// No test by itself: the process that the power is taken from. It runs until it is killed.
#[test]
fn the_writer_of_the_power_loss_test() {
    let (Some(directory), Some(from)) = (argument(WRITES_TO), argument(WRITES_FROM)) else {
        return;
    };
    let store = open(Path::new(&directory));
    let tenant = store.snapshot().unwrap().tenant(&tenant_id("acme")).unwrap().unwrap().key;
    let acme = Fixture { store: &store, tenant };
    for number in from.parse::<u16>().unwrap().. {
        let create = acme.new_user(number, &format!("user-{number}"), None);
        if acme.commit(create.with(add(1, &[&value(number)]))).is_err() {
            return;
        }
        println!("answered {number}");
    }
}

struct Mounted {
    image: PathBuf,
    at: PathBuf,
    is_up: bool,
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("{program}: {error}")),
    }
}

impl Mounted {
    fn new(directory: &Path) -> Result<Self, String> {
        let (image, at) = (directory.join("image"), directory.join("mounted"));
        std::fs::create_dir(&at).unwrap();
        std::fs::File::create(&image).unwrap().set_len(96 << 20).unwrap();
        run("mkfs.ext4", &["-q", "-F", &image.to_string_lossy()])?;
        run("python3", &["-c", "import fcntl"])?;
        let mut mounted = Self { image, at, is_up: false };
        mounted.mount()?;
        Ok(mounted)
    }

    fn mount(&mut self) -> Result<(), String> {
        let (image, at) = (self.image.to_string_lossy(), self.at.to_string_lossy());
        run("mount", &["-o", "loop", &image, &at])?;
        self.is_up = true;
        Ok(())
    }

    fn unmount(&mut self) -> Result<(), String> {
        run("umount", &[&self.at.to_string_lossy()])?;
        self.is_up = false;
        Ok(())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.is_up {
            // The directory under it stays; nothing else can be done here.
            let _ = self.unmount();
        }
    }
}

/// Ends with the test that started it.
struct Writer(Child);

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_writer(data: &Path, from: u16) -> (Writer, Arc<Mutex<Vec<u16>>>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["power_loss::the_writer_of_the_power_loss_test", "--exact", "--nocapture"])
        .arg(format!("{WRITES_TO}{}", data.display()))
        .arg(format!("{WRITES_FROM}{from}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let answered = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&answered);
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            // The name of the test may stand in front of the first.
            let number: Option<u16> =
                line.rsplit_once("answered ").and_then(|(_, number)| number.parse().ok());
            seen.lock().unwrap().extend(number);
        }
    });
    (Writer(child), answered)
}

#[test]
fn what_was_answered_survives_power_loss() {
    let directory = tempfile::tempdir().unwrap();
    let mut mounted = match Mounted::new(directory.path()) {
        Ok(mounted) => mounted,
        Err(reason) => return println!("skipped: no file system to take the power from: {reason}"),
    };
    let data = mounted.at.join("data");
    let store = open(&data);
    let acme = Fixture::new(&store, "acme");
    acme.apply([new_group(1, "Everybody")]);
    let tenant = acme.tenant;
    drop(store);

    let mut all: Vec<u16> = Vec::new();
    for cycle in 0..CYCLES {
        let (writer, answered) = start_writer(&data, cycle * 6_000 + 1);
        let started = Instant::now();
        while answered.lock().unwrap().len() < ANSWERS_A_CYCLE + usize::from(cycle) * 7 {
            assert!(started.elapsed() < ANSWERS_WAIT_MAX, "the writer is answered nothing");
            std::thread::park_timeout(Duration::from_millis(1));
        }
        // Before the shutdown, not after.
        all.extend(answered.lock().unwrap().iter());
        run("python3", &["-c", SHUT_DOWN, &mounted.at.to_string_lossy()]).unwrap();
        drop(writer);
        mounted.unmount().unwrap();
        mounted.mount().unwrap();

        let store = open(&data);
        let snapshot = store.snapshot().unwrap();
        for number in &all {
            let found = snapshot.user(tenant, user(*number)).unwrap();
            assert!(found.is_some(), "cycle {cycle}: {number} was answered and is lost");
        }
        let report = check(&snapshot);
        assert!(report.is_clean(), "cycle {cycle}: {:#?}", report.problems);
    }
    println!("{CYCLES} times, {} answers", all.len());
}
