//! The command line: what it refuses and how it says so, who wins among flag, variable and file,
//! and how the service starts and stops.

mod backup;

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use crate::server::{
    Admin, Home, OPERATOR_TOKEN, Server, eventually, run, run_on, slackwater, user,
};

/// `slackwater serve` on this data, which is expected to end by itself.
fn serve(home: &Home) -> Command {
    let mut command = slackwater();
    command.args(["serve", "--data"]).arg(home.data());
    command
}

#[tokio::test]
async fn bad_arguments_and_configuration_end_with_2_and_say_what_is_wrong() {
    let home = Home::new();
    let file = home.path("slackwater.toml");
    let file = file.to_str().unwrap();

    for (arguments, word) in [
        (&["--no-such-flag"][..], "--no-such-flag"),
        (&["--listen", "nonsense"], "nonsense"),
        (&["--listen", "127.0.0.1:99999"], "99999"),
        (&["--drain", "soon"], "drain"),
        (&["--public-url", "nonsense"], "public_url"),
        (&["--cache-mb", "many"], "cache-mb"),
        (&["--admin-token", "short"], "SLACKWATER_ADMIN_TOKEN"),
        (&["--config", "/no/such/file.toml"], "/no/such/file.toml"),
        (&["--log", "a=b=c"], "log"),
    ] {
        let (code, out, err) = run(serve(&home).args(arguments)).await;
        assert_eq!(code, 2, "{arguments:?}: {err}");
        assert!(err.contains(word) && out.is_empty(), "{arguments:?}: {out}{err}");
    }
    for (text, word) in [
        ("listne = \"127.0.0.1:0\"", "listne"),
        ("drain = 8", "drain"),
        ("listen = ", "listen"),
        ("admin_token = \"a-long-enough-one\"", "admin_token"),
        ("[serve]\nlisten = \"127.0.0.1:0\"", "serve"),
    ] {
        std::fs::write(file, text).unwrap();
        let (code, _, err) = run(serve(&home).args(["--config", file])).await;
        assert_eq!(code, 2, "{text}: {err}");
        assert!(err.contains(file) && err.contains(word), "{text}: {err}");
    }
    for (name, value) in [
        ("SLACKWATER_ADMIN_TOKEN", "short"),
        ("SLACKWATER_ADMIN_TOKEN", ""),
        ("SLACKWATER_DRAIN", "x"),
    ] {
        let (code, _, err) = run(serve(&home).env(name, value)).await;
        assert_eq!(code, 2, "{name}={value}: {err}");
    }
    for arguments in [&[][..], &["explode"], &["backup"], &["restore"], &["check", "x"]] {
        let (code, _, err) = run(slackwater().args(arguments)).await;
        assert_eq!(code, 2, "{arguments:?}: {err}");
    }
    assert!(!home.data().exists(), "nothing was made");
}

#[tokio::test]
async fn a_secret_is_not_repeated_where_it_is_refused() {
    let home = Home::new();
    let (code, out, err) = run(serve(&home).env("SLACKWATER_ADMIN_TOKEN", "s3cr3t!")).await;
    assert_eq!(code, 2);
    assert!(!out.contains("s3cr3t!") && !err.contains("s3cr3t!"), "{err}");
    let (_, help, _) = run(slackwater()
        .args(["serve", "--help"])
        .env("SLACKWATER_ADMIN_TOKEN", "s3cr3t-of-the-environment"))
    .await;
    assert!(help.contains("SLACKWATER_ADMIN_TOKEN") && !help.contains("s3cr3t"), "{help}");
}

#[tokio::test]
async fn what_cannot_be_done_ends_with_1() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = serve(&home);
    command.args(["--listen", &address]).env("SLACKWATER_ADMIN_TOKEN", OPERATOR_TOKEN);
    let (code, _, err) = run(&mut command).await;
    assert_eq!(code, 1, "{err}");
    assert!(err.contains(&address), "{err}");

    let file = home.path("a-file");
    std::fs::write(&file, "x").unwrap();
    let (code, _, err) = run(slackwater().args(["serve", "--data"]).arg(&file)).await;
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("a-file"), "{err}");

    let nowhere = home.path("nowhere");
    let (code, _, err) = run_on(&nowhere, &["check"]).await;
    assert_eq!(code, 1, "{err}");
    let dest = home.path("backup");
    let (code, _, err) = run_on(&nowhere, &["backup", dest.to_str().unwrap()]).await;
    assert_eq!(code, 1, "{err}");
    assert!(!nowhere.exists() && !dest.exists(), "looking makes nothing");
}

#[tokio::test]
async fn data_in_use_is_refused_to_a_second_process() {
    let server = Server::start().await;
    let data = server.home.data();
    let mut second = slackwater();
    second.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&data);
    let (served, checked) = tokio::join!(run(&mut second), run_on(&data, &["check"]));
    for (code, out, err) in [served, checked] {
        assert_eq!(code, 1, "{err}");
        assert!(err.contains("in use") && !out.contains("listening"), "{out}{err}");
    }
    server.get("/readyz").await.expect(200);
}

#[tokio::test]
async fn damaged_data_ends_with_3() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;
    for n in 0..50 {
        scim.create_user(&format!("user{n}")).await;
    }
    let home = server.stop().await;
    let file = home.data().join("slackwater.redb");
    let good = std::fs::read(&file).unwrap();

    let mut no_header = good.clone();
    no_header[..64].fill(0xa5);
    let mut no_pages = good.clone();
    no_pages[4096..].fill(0xa5);
    let cut = good[..good.len() / 3].to_vec();
    for (what, bytes) in
        [("no header", no_header), ("no pages", no_pages), ("cut", cut), ("empty", vec![])]
    {
        std::fs::write(&file, &bytes).unwrap();
        let (code, out, err) = run(serve(&home).args(["--listen", "127.0.0.1:0"])).await;
        assert_eq!(code, 3, "{what}: {out}{err}");
        assert!(err.contains("damaged"), "{what}: {err}");
        let (code, out, err) = run_on(&home.data(), &["check"]).await;
        assert_eq!(code, 3, "check, {what}: {out}{err}");
    }

    std::fs::write(&file, &good).unwrap();
    let (code, _, err) = run_on(&home.data(), &["check"]).await;
    assert_eq!(code, 0, "{err}");
}

#[tokio::test]
async fn a_flag_beats_a_variable_and_a_variable_beats_the_file() {
    let home = Home::new();
    let file = home.path("slackwater.toml");
    let text = "public_url = \"https://file.test\"\nlisten = \"127.0.0.1:0\"\ndrain = \"1s\"\n";
    std::fs::write(&file, text).unwrap();

    for (flag, variable, expected) in [
        (None, None, "https://file.test"),
        (None, Some("https://variable.test/"), "https://variable.test"),
        (Some("https://flag.test/x/"), Some("https://variable.test"), "https://flag.test/x"),
    ] {
        let mut command = home.serve();
        command.env("SLACKWATER_ADMIN_TOKEN", OPERATOR_TOKEN).env("SLACKWATER_CONFIG", &file);
        if let Some(variable) = variable {
            command.env("SLACKWATER_PUBLIC_URL", variable);
        }
        if let Some(flag) = flag {
            command.args(["--public-url", flag]);
        }
        let server = Server::launch(&home, command).await;
        let body = json!({"id": "acme"});
        let made = server.admin().post("/tenants", &body).await.expect(201).json();
        assert_eq!(made["scim"]["endpoint"], format!("{expected}/scim/v2/acme"));
        server.admin().delete("/tenants/acme").await.expect(204);
        server.stop().await;
    }
}

#[tokio::test]
async fn the_first_start_prints_an_operator_token_and_no_later_one_does() {
    let home = Home::new();
    let first = Server::launch(&home, home.serve()).await;
    let [said, token] = first.said.as_slice() else { panic!("{:?}", first.said) };
    assert_eq!(said, "operator token:");
    assert!(token.len() >= 64 && token.chars().all(|c| c.is_ascii_hexdigit()), "{token}");
    let token = token.clone();
    Admin::new(&first.url, &token).create_tenant("acme").await;
    let logs = first.stop().await.logs();
    assert!(!logs.contains(&token), "{logs}");

    let second = Server::launch(&home, home.serve()).await;
    assert_eq!(second.said, Vec::<String>::new());
    let admin = Admin::new(&second.url, &token);
    admin.get("/tenants/acme").await.expect(200);
    Admin::new(&second.url, OPERATOR_TOKEN).get("/tenants").await.expect(401);
    second.stop().await;

    // A token of the environment takes its place, as long as it is given.
    let third = Server::start_in(&home).await;
    third.admin().get("/tenants/acme").await.expect(200);
    Admin::new(&third.url, &token).get("/tenants").await.expect(401);
}

/// A write whose head the server has read, and whose body it waits for.
async fn write_under_way(server: &Server, token: &str, body: &str) -> TcpStream {
    let address = server.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /scim/v2/acme/Users HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/scim+json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

#[tokio::test]
async fn a_stop_lets_a_request_in_flight_end_and_takes_no_new_ones() {
    let mut server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;
    let body = user("bob").to_string();
    let mut stream = write_under_way(&server, &scim.token, &body).await;

    server.ask_to_stop().await;
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    eventually("end of the listening", || async {
        match TcpStream::connect(&address).await {
            Ok(_) => Err("it still listens".to_owned()),
            Err(_) => Ok(()),
        }
    })
    .await;
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();

    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert_eq!(server.ended().await.0.code(), Some(0));
    let again = Server::start_in(&server.home).await;
    let accounts = again.admin().all("/tenants/acme/accounts").await;
    assert_eq!(accounts[0]["user_name"], "bob");
}

#[tokio::test]
async fn a_request_that_does_not_end_holds_a_stop_up_for_the_drain_time_only() {
    let home = Home::new();
    let mut command = home.serve();
    command.args(["--drain", "700ms"]).env("SLACKWATER_ADMIN_TOKEN", OPERATOR_TOKEN);
    let mut server = Server::launch(&home, command).await;
    let scim = server.tenant("acme", "60s").await;
    let _stream = write_under_way(&server, &scim.token, &user("bob").to_string()).await;

    let began = Instant::now();
    server.ask_to_stop().await;
    let (status, _) = server.ended().await;

    assert_eq!(status.code(), Some(0), "{}", home.logs());
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(600) && took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn an_idle_server_stops_at_once_and_remembers_everything() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "60s").await;
    let bob = scim.create_user("bob").await;
    // A connection that is kept open and idle.
    scim.get("/Users").await.expect(200);

    let began = Instant::now();
    let home = server.stop().await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());

    let again = Server::start_in(&home).await;
    assert_eq!(again.admin().role_of("acme", &bob).await.as_deref(), Some("default"));
}

#[tokio::test]
async fn a_wave_that_was_open_at_a_stop_is_reconciled_after_the_start() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "500ms").await;
    server.admin().map_roles("acme", &[("Staff", "loanee")]).await;
    let (bob, staff) = (scim.create_user("bob").await, scim.create_group("Staff").await);
    scim.add_member(&staff, &bob).await;
    let home = server.stop().await;

    let again = Server::start_in(&home).await;
    again.admin().wait_until_settled("acme").await;

    assert_eq!(again.admin().role_of("acme", &bob).await.as_deref(), Some("loanee"));
    assert_eq!(again.admin().waves("acme").await.len(), 1);
}
