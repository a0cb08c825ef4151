//! What happens by itself: sweeps, the longest wait, and the end of a lock.

use serde_json::{Value, json};

use crate::server::{Admin, Server, eventually};

async fn until_role(admin: &Admin, id: &str, role: &str) -> Value {
    eventually(&format!("role {role}"), || async {
        let account = admin.account("acme", id).await;
        if account["role"] == role { Ok(account) } else { Err(account.to_string()) }
    })
    .await
}

#[tokio::test]
async fn a_sweep_puts_every_account_back_to_what_the_rules_give() {
    let server = Server::start().await;
    let (admin, scim) = (server.admin(), server.tenant("acme", "100ms").await);
    let bob = scim.create_user("bob").await;
    admin.wait_until_settled("acme").await;
    let path = format!("/tenants/acme/accounts/{bob}/role");
    admin.put(&path, &json!({"role": "admin"})).await.expect(200);

    let often = json!({"reconcile": {"sweep_min": "100ms", "sweep_max": "300ms"}});
    admin.set_settings("acme", &often).await;

    let account = until_role(admin, &bob, "default").await;
    assert_eq!(account["why"]["rule"], "default");
}

#[tokio::test]
async fn nobody_waits_longer_than_max_delay_in_a_wave_that_goes_on() {
    let server = Server::start().await;
    let (admin, scim) = (server.admin(), server.tenant("acme", "60s").await);
    admin.set_settings("acme", &json!({"reconcile": {"max_delay": "500ms"}})).await;
    admin.map_roles("acme", &[("Staff", "loanee")]).await;

    let (bob, staff) = (scim.create_user("bob").await, scim.create_group("Staff").await);
    scim.add_member(&staff, &bob).await;
    until_role(admin, &bob, "loanee").await;

    // The group was marked too, when the mapping was bound to it; its mark goes a moment later.
    eventually("nothing is owed to bob", || async {
        let account = admin.account("acme", &bob).await;
        if account["pending"] == false { Ok(()) } else { Err(account.to_string()) }
    })
    .await;
    assert_eq!(admin.waves("acme").await[0]["state"], "open");
}

#[tokio::test]
async fn a_sweep_leaves_those_who_wait_for_an_open_wave_to_it() {
    let server = Server::start().await;
    let (admin, scim) = (server.admin(), server.tenant("acme", "100ms").await);
    admin.map_roles("acme", &[("Staff", "loanee")]).await;
    let (bob, staff) = (scim.create_user("bob").await, scim.create_group("Staff").await);
    let eve = scim.create_user("eve").await;
    admin.wait_until_settled("acme").await;
    admin.set_settings("acme", &json!({"reconcile": {"settle": "60s"}})).await;
    scim.add_member(&staff, &bob).await;
    let path = format!("/tenants/acme/accounts/{eve}/role");
    admin.put(&path, &json!({"role": "admin"})).await.expect(200);

    let often = json!({"reconcile": {"sweep_min": "100ms", "sweep_max": "200ms"}});
    admin.set_settings("acme", &often).await;
    until_role(admin, &eve, "default").await;

    let waiting = admin.account("acme", &bob).await;
    assert_eq!((&waiting["role"], &waiting["pending"]), (&json!("default"), &json!(true)));
}
