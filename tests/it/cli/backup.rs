//! Backup, restore and check: what was backed up is what is restored, also while writes go on.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::server::{Home, OPERATOR_TOKEN, ScimClient, Server, replay, run, run_on, slackwater};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A tenant with a bit of everything.
async fn fill(scim: &ScimClient, server: &Server) {
    server.admin().map_roles("acme", &[("Staff", "loanee")]).await;
    let group = scim.create_group("Staff").await;
    for n in 0..20 {
        let user = scim.create_user(&format!("user{n}")).await;
        match n % 4 {
            0 => scim.add_member(&group, &user).await,
            1 => drop(scim.disable(&user).await),
            2 => scim.delete_user(&user).await,
            _ => {}
        }
    }
    scim.add_member(&group, "somebody-who-is-not-here-yet").await;
    server.admin().wait_until_settled("acme").await;
}

/// Accounts, groups, feed, settings and waves: everything that can be seen of a tenant.
async fn everything(server: &Server) -> Vec<Value> {
    let admin = server.admin();
    let mut seen = admin.all("/tenants/acme/accounts").await;
    seen.extend(admin.all("/tenants/acme/groups").await);
    seen.extend(admin.feed("acme").await);
    seen.extend(admin.waves("acme").await);
    seen.extend(admin.all("/tenants/acme/tokens").await);
    seen.push(admin.get("/tenants/acme/settings").await.expect(200).json());
    seen
}

/// `slackwater backup` through the running service.
async fn backup_online(server: &Server, dest: &Path) -> (i32, String, String) {
    let address = server.url.strip_prefix("http://").unwrap();
    let mut command = slackwater();
    command.arg("backup").arg(dest).arg("--data").arg(server.home.data());
    command.env("SLACKWATER_LISTEN", address).env("SLACKWATER_ADMIN_TOKEN", OPERATOR_TOKEN);
    run(&mut command).await
}

/// Restores into a new home, and checks what came out.
async fn restored(src: &Path) -> Home {
    let home = Home::new();
    let (code, out, err) = run_on(&home.data(), &["restore", text(src)]).await;
    assert_eq!(code, 0, "{out}{err}");
    let (code, out, err) = run_on(&home.data(), &["check"]).await;
    assert_eq!(code, 0, "{out}{err}");
    home
}

#[tokio::test]
async fn a_backup_of_stopped_and_of_running_data_restores_to_the_same() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "200ms").await;
    fill(&scim, &server).await;
    let expected = everything(&server).await;
    let (online, offline) = (server.home.path("online"), server.home.path("offline"));

    let (code, out, err) = backup_online(&server, &online).await;
    assert_eq!(code, 0, "{out}{err}");
    let home = server.stop().await;
    let (code, out, err) = run_on(&home.data(), &["backup", text(&offline)]).await;
    assert_eq!(code, 0, "{out}{err}");

    for src in [online, offline] {
        let again = Server::start_in(&restored(&src).await).await;
        assert_eq!(everything(&again).await, expected);
        let client = ScimClient::new(&format!("{}/scim/v2/acme", again.url), &scim.token);
        client.create_user("somebody else").await;
        let found = client.find("/Users", "userName eq \"user0\"").await;
        assert_eq!(found["totalResults"], 1);
    }
}

#[tokio::test]
async fn a_backup_under_writes_is_the_state_of_one_instant() {
    let server = Server::start().await;
    let scim = server.tenant("acme", "100ms").await;
    fill(&scim, &server).await;
    let stop = AtomicBool::new(false);
    let group = scim.create_group("Everyone").await;

    let writes = async {
        let mut answered = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let user = scim.create_user(&format!("late{}", answered.len())).await;
            scim.add_member(&group, &user).await;
            answered.push(user);
        }
        answered
    };
    let backups = async {
        let mut made = Vec::new();
        for n in 0..3 {
            let dest = server.home.path(&format!("backup{n}"));
            let before = server.admin().feed("acme").await.len();
            let (code, out, err) = backup_online(&server, &dest).await;
            assert_eq!(code, 0, "{out}{err}");
            made.push((dest, before));
        }
        stop.store(true, Ordering::Relaxed);
        made
    };
    let (answered, made) = tokio::join!(writes, backups);
    assert!(!answered.is_empty());

    for (src, before) in made {
        let again = Server::start_in(&restored(&src).await).await;
        let feed = again.admin().feed("acme").await;
        assert!(feed.len() >= before, "what was answered before the backup is in it");
        assert_eq!(replay(&feed), again.admin().roles("acme").await);
    }
}

#[tokio::test]
async fn a_restore_goes_into_an_empty_directory_only() {
    let server = Server::start().await;
    server.tenant("acme", "60s").await.create_user("bob").await;
    let home = server.stop().await;
    let dest = home.path("backup");
    let (code, _, err) = run_on(&home.data(), &["backup", text(&dest)]).await;
    assert_eq!(code, 0, "{err}");
    let bytes = std::fs::read(&dest).unwrap();

    let (code, _, err) = run_on(&home.data(), &["restore", text(&dest)]).await;
    assert_eq!(code, 1, "{err}");
    let again = Server::start_in(&home).await;
    assert_eq!(again.admin().all("/tenants/acme/accounts").await.len(), 1);
    let (code, _, err) = run_on(&again.home.data(), &["restore", text(&dest)]).await;
    assert_eq!(code, 1, "{err}");
    again.stop().await;

    let other = home.path("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("a-file"), "x").unwrap();
    let (code, _, err) = run_on(&other, &["restore", text(&dest)]).await;
    assert_eq!(code, 1, "{err}");
    let (code, _, err) = run_on(&home.data(), &["backup", text(&dest)]).await;
    assert_eq!(code, 1, "a backup overwrites nothing: {err}");
    assert_eq!(std::fs::read(&dest).unwrap(), bytes);
}

#[tokio::test]
async fn a_damaged_backup_is_refused_and_leaves_nothing_behind() {
    let server = Server::start().await;
    server.tenant("acme", "60s").await.create_user("bob").await;
    let home = server.stop().await;
    let dest = home.path("backup");
    let (code, _, err) = run_on(&home.data(), &["backup", text(&dest)]).await;
    assert_eq!(code, 0, "{err}");
    let good = std::fs::read(&dest).unwrap();

    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let cut = good[..good.len() - 7].to_vec();
    let longer = [good.as_slice(), b"x"].concat();
    for (what, bytes) in [
        ("flipped", flipped),
        ("cut", cut),
        ("longer", longer),
        ("empty", vec![]),
        ("another file", b"something else altogether".to_vec()),
    ] {
        let src = home.path("damaged");
        std::fs::write(&src, bytes).unwrap();
        let target = home.path(what);
        let (code, out, err) = run_on(&target, &["restore", text(&src)]).await;
        assert!(code == 3 || code == 1, "{what}: {code} {out}{err}");
        std::fs::write(&src, &good).unwrap();
        let (code, out, err) = run_on(&target, &["restore", text(&src)]).await;
        assert_eq!(code, 0, "after {what}: {out}{err}");
    }
}

#[tokio::test]
async fn a_backup_through_a_service_needs_its_token() {
    let server = Server::start().await;
    let dest = server.home.path("backup");
    let address = server.url.strip_prefix("http://").unwrap();
    let mut command = slackwater();
    command.arg("backup").arg(&dest).arg("--data").arg(server.home.data());
    command.env("SLACKWATER_LISTEN", address).env("SLACKWATER_ADMIN_TOKEN", "a-wrong-token");
    let (code, _, err) = run(&mut command).await;
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("401") && !dest.exists(), "{err}");
}
