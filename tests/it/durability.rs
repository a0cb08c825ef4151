//! An answer with a success status is on disk: shown by the order of system calls.
//!
//! A killed process loses nothing that the kernel has, and a power cut cannot be had in a test.
//! But the kernel can be asked what the server does: for every answer of success to a write, a
//! `fdatasync` must have begun after the request was read, and have ended well before the answer
//! was written.

mod trace;

use std::process::Stdio;

use serde_json::json;
use tokio::process::Command;

use self::trace::check_order;
use crate::server::{Home, OPERATOR_TOKEN, Server, eventually, user};

/// What the order is read from.
const CALLS: &str = "trace=fdatasync,fsync,read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg";
/// Writes of each kind.
const ROUNDS: usize = 40;

/// Why system calls cannot be traced here, if so.
async fn obstacle() -> Option<String> {
    let tried = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .await;
    match tried {
        Err(error) => Some(format!("there is no strace: {error}")),
        Ok(output) if !output.status.success() => {
            Some(String::from_utf8_lossy(&output.stderr).into_owned())
        }
        Ok(_) => None,
    }
}

#[tokio::test]
async fn no_answer_of_success_is_written_before_its_data_is_on_disk() {
    if let Some(reason) = obstacle().await {
        eprintln!("skipped: system calls cannot be traced: {reason}");
        return;
    }
    let home = Home::new();
    let log = home.path("strace.log");
    // -D: the tracer is the grandchild, so that our child is the server itself.
    let mut strace = Command::new("strace");
    strace.args(["-D", "-f", "-s", "48", "-e", CALLS, "-o"]).arg(&log);
    strace.arg(env!("CARGO_BIN_EXE_slackwater"));
    let mut command = home.serve_by(strace);
    command.env("SLACKWATER_ADMIN_TOKEN", OPERATOR_TOKEN);
    let server = Server::launch(&home, command).await;
    let scim = server.tenant("acme", "60s").await;

    let group = scim.create_group("Everyone").await;
    let mut writes = 1;
    for n in 0..ROUNDS {
        let id = scim.create_user(&format!("user{n}")).await;
        let path = format!("/Users/{id}");
        scim.set(&id, "displayName", &format!("User {n}")).await;
        scim.put(&path, &user(&format!("user{n}"))).await.expect(200);
        scim.add_member(&group, &id).await;
        scim.disable(&id).await;
        writes += 5;
        if n % 2 == 0 {
            scim.delete_user(&id).await;
            writes += 1;
        }
    }
    let bulk = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [{"method": "POST", "path": "/Users", "bulkId": "b", "data": user("bulk")}],
    });
    scim.post("/Bulk", &bulk).await.expect(200);
    writes += 1;
    server.kill().await;

    let log = eventually("end of the trace", || async {
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        let ended = log.contains("+++ killed by SIGKILL +++");
        if ended { Ok(log) } else { Err(format!("{} bytes of it", log.len())) }
    })
    .await;
    let checked = check_order(&log).unwrap_or_else(|violation| panic!("{violation}"));
    assert_eq!(checked, writes, "every write is seen in the trace");
    eprintln!("{checked} writes, each answered after its fdatasync had returned");
}

const READ: &str =
    r#"11 recvfrom(9, "POST /scim/v2/acme/Users HTTP/1.1"..., 8192, 0, NULL, NULL) = 310"#;
const ANSWER: &str =
    r#"11 sendto(9, "HTTP/1.1 201 Created\r\ncontent-t"..., 420, MSG_NOSIGNAL, NULL, 0) = 420"#;

#[test]
fn the_right_order_passes() {
    for sync in [
        &["12 fdatasync(7) = 0"][..],
        &[
            "12 fdatasync(7 <unfinished ...>",
            "11 read(5, \"\", 8) = 0",
            "12 <... fdatasync resumed>) = 0",
        ],
    ] {
        let log = [&[READ], sync, &[ANSWER]].concat().join("\n");
        assert_eq!(check_order(&log), Ok(1), "{log}");
    }
}

#[test]
fn a_read_that_was_interrupted_counts_from_its_end() {
    let log = [
        "11 recvfrom(9,  <unfinished ...>",
        "12 fdatasync(7) = 0",
        r#"11 <... recvfrom resumed>"POST /scim/v2/acme/Users HTTP/1.1"..., 8192, 0, NULL, NULL) = 310"#,
        ANSWER,
    ];
    check_order(&log.join("\n")).expect_err("the sync began before the request was there");
}

#[test]
fn an_answer_before_the_end_of_the_sync_is_found() {
    for log in [
        vec![READ, ANSWER, "12 fdatasync(7) = 0"],
        vec!["12 fdatasync(7) = 0", READ, ANSWER],
        vec![READ, "12 fdatasync(7 <unfinished ...>", ANSWER, "12 <... fdatasync resumed>) = 0"],
        vec![READ, "12 fdatasync(7) = -1 EIO (Input/output error)", ANSWER],
        vec!["12 fdatasync(7 <unfinished ...>", READ, "12 <... fdatasync resumed>) = 0", ANSWER],
        vec![READ, ANSWER],
    ] {
        let log = log.join("\n");
        check_order(&log).expect_err(&log);
    }
}

#[test]
fn an_answer_whose_writing_was_interrupted_counts_from_its_start() {
    let log = [
        READ,
        "12 fdatasync(7 <unfinished ...>",
        r#"11 writev(9, [{iov_base="HTTP/1.1 201 Created\r\ncontent"..., iov_len=400}], 1 <unfinished ...>"#,
        "12 <... fdatasync resumed>) = 0",
        "11 <... writev resumed>) = 400",
    ];
    check_order(&log.join("\n")).expect_err("the answer left before the sync had ended");
}

#[test]
fn answers_that_promise_nothing_need_no_sync() {
    let look_up = READ.replace("POST", "GET");
    let refusal = ANSWER.replace("201 Created", "409 Conflict");
    assert_eq!(check_order(&[look_up.as_str(), ANSWER].join("\n")), Ok(0));
    assert_eq!(check_order(&[READ, &refusal].join("\n")), Ok(0));
}
