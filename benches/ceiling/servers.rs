//! The servers: started for a run, with data of their own that goes with them.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::connection::{self, Connection};

const OPERATOR: &str = "operator-token-of-the-benchmark";
/// Ticks of `/proc/PID/stat` in a second, as Linux gives them to programs.
const TICKS_PER_SECOND: f64 = 100.0;

/// A server that runs.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// What paths of SCIM begin with.
    prefix: String,
    token: String,
    _data: tempfile::TempDir,
}

impl Server {
    /// Starts a program: arguments, where its data go, more options.
    fn start(program: &Path, before: &[String], options: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut child = Command::new(program)
            .args(before)
            .arg(data.path())
            .args(options)
            .env("SLACKWATER_ADMIN_TOKEN", OPERATOR)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("listening on http://").map(str::to_owned))
            .expect("the server says where it listens");
        let (prefix, token) = (String::new(), "none".to_owned());
        Self { child, address: address.parse().unwrap(), prefix, token, _data: data }
    }

    /// Builds the smallest server, if it has changed, and starts it with these options.
    pub(crate) fn smallest(options: &[&str]) -> Self {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/smallest-server");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("smallest-server");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--release", "--locked", "--quiet", "--manifest-path"])
            .arg(package.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .status()
            .unwrap();
        assert!(built.success(), "the smallest server is not built");
        let program: PathBuf = target.join("release/smallest-server");
        Self::start(&program, &[], options)
    }

    /// Starts Slackwater as it is shipped, with these options too, and makes a tenant.
    pub(crate) async fn slackwater(options: &[String]) -> Self {
        let mut arguments = ["serve", "--listen", "127.0.0.1:0"].map(str::to_owned).to_vec();
        arguments.extend_from_slice(options);
        arguments.push("--data".to_owned());
        let program = Path::new(env!("CARGO_BIN_EXE_slackwater"));
        let mut server = Self::start(program, &arguments, &[]);
        let made = server.admin("POST", "/tenants", &json!({"id": "acme"})).await;
        // No limit to the rate; and no wave settles while requests are measured.
        let settings = json!({
            "rate_limit": {"requests_per_second": 1_000_000, "burst": 1_000_000},
            "reconcile": {"settle": "1h", "max_delay": "1h"},
        });
        server.admin("PATCH", "/tenants/acme/settings", &settings).await;
        server.prefix.push_str("/scim/v2/acme");
        server.token = made["scim"]["token"].as_str().unwrap().to_owned();
        server
    }

    /// Appends a request of SCIM: the same for both servers, but for path and token.
    pub(crate) fn write(&self, method: &str, path: &str, body: &[u8], to: &mut Vec<u8>) {
        let Self { address, token, prefix, .. } = self;
        connection::write((*address, token), method, format_args!("{prefix}{path}"), body, to);
    }

    async fn admin(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let request = format!(
            "{method} /admin/v1{path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {OPERATOR}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len(),
        );
        let mut connection = Connection::open(self.address).await;
        let (status, answer) = connection.ask(request.as_bytes()).await;
        assert!(matches!(status, 200 | 201), "{path}: {status}");
        serde_json::from_slice(answer).unwrap()
    }

    /// Processor time so far, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        cpu_of(&self.child.id().to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Processor time of this process so far, in seconds.
pub(crate) fn own_cpu() -> f64 {
    cpu_of("self")
}

fn cpu_of(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, behind_name) = stat.rsplit_once(") ").unwrap();
    let ticks = behind_name.split(' ').skip(11).take(2).map(|n| n.parse::<f64>().unwrap());
    ticks.sum::<f64>() / TICKS_PER_SECOND
}
