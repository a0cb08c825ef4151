//! Equipment over HTTP: lists up, the report down.

mod mail;

use serde_json::{Value, json};

use crate::server::{Answer, ScimClient, Server, encode, eventually};

const REPORT: &str = "/tenants/acme/reports/disabled-with-equipment";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// A server with the tenant acme, whose waves settle quickly.
struct Acme {
    server: Server,
    scim: ScimClient,
}

impl Acme {
    async fn start() -> Self {
        Self::on(Server::start().await).await
    }

    async fn on(server: Server) -> Self {
        let scim = server.tenant("acme", "200ms").await;
        Self { server, scim }
    }

    async fn upload(&self, list: &Value) -> Answer {
        self.server.admin().put("/tenants/acme/equipment", list).await
    }

    async fn upload_csv(&self, csv: impl Into<reqwest::Body>) -> Answer {
        let request = self.server.admin().request(reqwest::Method::PUT, "/tenants/acme/equipment");
        let sent = request.header("content-type", "text/csv").body(csv).send().await;
        Answer::read(sent.unwrap()).await.unwrap()
    }

    async fn report(&self, query: &str) -> Vec<Value> {
        self.server.admin().all(&format!("{REPORT}{query}")).await
    }

    /// The ids of the assets in the report.
    async fn assets(&self, query: &str) -> Vec<String> {
        let items = self.report(query).await;
        items.iter().map(|item| item["asset_id"].as_str().unwrap().to_owned()).collect()
    }

    async fn create(&self, body: Value) -> String {
        self.scim.post("/Users", &body).await.expect(201).id()
    }

    /// What was told of equipment, when there is so much of it.
    async fn told(&self, count: usize) -> Vec<Value> {
        eventually("entries about equipment", || async {
            let mut feed = self.server.admin().feed("acme").await;
            feed.retain(|entry| entry["type"] == "equipment.unreturned");
            if feed.len() == count { Ok(feed) } else { Err(format!("{feed:?}")) }
        })
        .await
    }
}

#[tokio::test]
async fn who_is_disabled_or_deleted_and_holds_something_is_reported() {
    let acme = Acme::start().await;
    let work = json!([{"type": "work", "value": "eve@example.com", "primary": true}]);
    let eve = acme.create(json!({"userName": "eve", "displayName": "Eve", "emails": work})).await;
    let ada =
        acme.create(json!({"userName": "ada", (ENTERPRISE): {"manager": {"value": eve}}})).await;
    let bob = acme.create(json!({"userName": "bob"})).await;
    acme.create(json!({"userName": "joe"})).await;
    let list = json!([
        {"asset_id": "L-1", "name": "ThinkPad", "holder": "ada"},
        {"asset_id": "L-2", "name": "Phone", "holder": "bob"},
        {"asset_id": "L-3", "name": "Phone", "holder": "joe"},
        {"asset_id": "L-4", "name": "Phone", "holder": "nobody"},
    ]);

    let uploaded = acme.upload(&list).await.expect(200).json();

    let expected =
        json!({"assets": 4, "matched": 3, "unmatched": 1, "unmatched_holders": ["nobody"]});
    assert_eq!(uploaded, expected);
    assert_eq!(acme.report("").await, Vec::<Value>::new());
    acme.scim.disable(&ada).await;
    acme.scim.delete_user(&bob).await;
    let report = acme.report("").await;
    assert_eq!(report.len(), 2);
    let of_ada = report.iter().find(|item| item["account"] == json!(ada)).unwrap();
    for (key, value) in [
        ("asset_id", json!("L-1")),
        ("name", json!("ThinkPad")),
        ("user_name", json!("ada")),
        ("status", json!("disabled")),
        ("age_days", json!(0)),
        ("manager", json!("eve")),
        ("state", json!("held")),
    ] {
        assert_eq!(of_ada[key], value, "{key}");
    }
    let manager =
        json!({"id": eve, "user_name": "eve", "display_name": "Eve", "email": "eve@example.com"});
    assert_eq!(of_ada["manager_account"], manager);
    let account = acme.server.admin().account("acme", &ada).await;
    assert_eq!(of_ada["since"], account["status_since"]);
    assert_eq!(acme.told(2).await.len(), 2);
}

#[tokio::test]
async fn holders_are_found_in_four_ways_in_their_order() {
    let acme = Acme::start().await;
    let email = |address: &str| json!([{"type": "work", "value": address, "primary": true}]);
    let one = acme.create(json!({"userName": "one", "externalId": "x-1"})).await;
    let two = acme.create(json!({"userName": "x-1", "emails": email("one")})).await;
    let three =
        acme.create(json!({"userName": "three", "emails": email("Three@Example.com")})).await;
    let csv = format!(
        "holder,name,asset_id\r\n{two},by id,A\r\nx-1,by externalId,B\r\nONE,by userName,C\r\n\
         three@example.com,by e-mail,D\r\n"
    );

    let uploaded = acme.upload_csv(csv).await.expect(200).json();

    assert_eq!(uploaded["matched"], 4);
    for user in [&one, &two, &three] {
        acme.scim.disable(user).await;
    }
    let holders = acme.report("").await;
    let held =
        |asset: &str| holders.iter().find(|i| i["asset_id"] == asset).unwrap()["account"].clone();
    assert_eq!(
        [held("A"), held("B"), held("C"), held("D")],
        [two, one.clone(), one, three].map(Value::from)
    );
}

#[tokio::test]
async fn a_bad_row_is_named_and_changes_nothing() {
    let acme = Acme::start().await;
    let ada = acme.scim.create_user("ada").await;
    acme.scim.disable(&ada).await;
    acme.upload_csv("asset_id,name,holder\nL-1,n,ada\n").await.expect(200);

    for (csv, line, column) in [
        ("asset_id,name,holder\nM-1,n,ada\n,n,ada\n", 3, Some("asset_id")),
        ("asset_id,name,holder\nM-1,n,ada\nM-1,n,bob\n", 3, Some("asset_id")),
        ("asset_id,name,holder\nM-1,n\n", 2, Some("holder")),
        ("asset_id,name,holder\nM-1,n,a,b\n", 2, None),
        ("asset_id,name,holder,colour\n", 1, Some("colour")),
        ("asset_id,name\n", 1, Some("holder")),
    ] {
        let problem = acme.upload_csv(csv).await.expect_problem(422, "line").json();
        assert_eq!((&problem["line"], &problem["column"]), (&json!(line), &json!(column)), "{csv}");
        assert!(problem["reason"].is_string(), "{problem}");
    }
    let row = json!({"asset_id": "M-1", "name": "n", "holder": "ada"});
    let bad = json!({"asset_id": "M-2", "name": "n", "holder": ""});
    let problem = acme.upload(&json!([row, bad])).await.expect_problem(422, "line 2").json();
    assert_eq!((&problem["line"], &problem["column"]), (&json!(2), &json!("holder")));
    acme.upload(&row).await.expect_problem(422, "array");

    assert_eq!(acme.assets("").await, ["L-1"]);
}

#[tokio::test]
async fn a_list_in_an_unknown_form_or_too_large_is_refused() {
    let acme = Acme::start().await;
    let admin = acme.server.admin();
    let put = || admin.request(reqwest::Method::PUT, "/tenants/acme/equipment");
    let read = async |request: reqwest::RequestBuilder| {
        Answer::read(request.send().await.unwrap()).await.unwrap()
    };

    let xml = read(put().header("content-type", "text/xml").body("<a/>")).await;
    xml.expect_problem(415, "text/csv");
    let zipped = put().header("content-type", "text/csv").header("content-encoding", "gzip");
    read(zipped.body("x")).await.expect_problem(415, "encoded");
    let large = acme.upload_csv(vec![b'a'; (32 << 20) + 1]).await;
    large.expect_problem(413, "larger");
    admin.put("/tenants/nope/equipment", &json!([])).await.expect_problem(404, "tenant");
}

#[tokio::test]
async fn the_report_comes_as_csv_without_formulas() {
    let acme = Acme::start().await;
    let ada = acme.scim.create_user("ada").await;
    acme.scim.disable(&ada).await;
    let list = json!([
        {"asset_id": "L-1", "name": "=HYPERLINK(\"http://evil\",\"x\")", "holder": "ada"},
        {"asset_id": "L-2", "name": "Phone, \"new\"", "holder": "ada"},
    ]);
    acme.upload(&list).await.expect(200);

    let request = acme.server.admin().request(reqwest::Method::GET, &format!("{REPORT}?limit=1"));
    let sent = request.header("accept", "text/csv").send().await;
    let answer = Answer::read(sent.unwrap()).await.unwrap().expect(200);

    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    let csv = String::from_utf8(answer.body).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 3, "{csv}");
    assert!(lines[0].starts_with("asset_id,name,account,user_name,status,since"), "{csv}");
    assert!(lines[1].starts_with("L-1,\"'=HYPERLINK("), "{csv}");
    assert!(lines[2].starts_with("L-2,\"Phone, \"\"new\"\"\","), "{csv}");
}

#[tokio::test]
async fn the_report_can_be_narrowed() {
    let acme = Acme::start().await;
    let eve = acme.scim.create_user("eve@example.com").await;
    let managed = json!({"userName": "ada", (ENTERPRISE): {"manager": {"value": eve}}});
    let ada = acme.create(managed).await;
    let unknown = json!({"userName": "bob", (ENTERPRISE): {"manager": {"value": "m-77"}}});
    let bob = acme.create(unknown).await;
    acme.upload_csv("asset_id,name,holder\nL-1,,ada\nL-2,,bob\n").await.expect(200);
    acme.scim.disable(&ada).await;
    acme.scim.disable(&bob).await;
    acme.told(2).await;

    let manager = format!("?manager={}", encode("EVE@example.com"));
    assert_eq!(acme.assets(&manager).await, ["L-1"]);
    assert_eq!(acme.assets("?manager=m-77").await, ["L-2"]);
    assert_eq!(acme.assets("?min_age=1d").await, Vec::<String>::new());
    assert_eq!(acme.assets("?min_age=0s").await, ["L-1", "L-2"]);

    acme.scim.enable(&ada).await;
    acme.upload_csv("asset_id,name,holder\nL-1,,ada\n").await.expect(200);
    assert_eq!(acme.assets("").await, Vec::<String>::new());
    assert_eq!(acme.assets("?state=re_enabled").await, ["L-1"]);
    assert_eq!(acme.assets("?state=returned").await, ["L-2"]);
    assert_eq!(acme.assets("?state=all").await, ["L-1", "L-2"]);
    for bad in ["?state=lost", "?min_age=long", "?cursor=x", "?limit=0"] {
        acme.server.admin().get(&format!("{REPORT}{bad}")).await.expect(400);
    }
}

#[tokio::test]
async fn ten_thousand_assets_are_taken_whole_and_read_in_pages() {
    use std::fmt::Write as _;

    let acme = Acme::start().await;
    let ada = acme.scim.create_user("ada").await;
    acme.scim.disable(&ada).await;
    let mut csv = "asset_id,name,holder\n".to_owned();
    for number in 0..10_000 {
        let holder = if number % 4 == 0 { "ada" } else { "nobody" };
        writeln!(csv, "L-{number:05},Phone,{holder}").unwrap();
    }

    let started = std::time::Instant::now();
    let uploaded = acme.upload_csv(csv.clone()).await.expect(200).json();
    println!("10,000 assets were taken in {:?}", started.elapsed());
    assert_eq!((&uploaded["assets"], &uploaded["matched"]), (&json!(10_000), &json!(2_500)));
    assert_eq!(uploaded["unmatched_holders"], json!(["nobody"]));
    let assets = acme.assets("").await;
    let expected: Vec<String> = (0..2_500).map(|number| format!("L-{:05}", number * 4)).collect();
    assert!(assets == expected, "{} items", assets.len());

    // A smaller list, and what was read before a restart is read after it.
    acme.upload_csv("asset_id,name,holder\nL-1,Phone,ada\n").await.expect(200);
    assert_eq!(acme.assets("").await, ["L-1"]);
    let home = acme.server.stop().await;
    let server = Server::start_in(&home).await;
    assert_eq!(server.admin().all(REPORT).await.len(), 1);
}

#[tokio::test]
async fn a_bad_schedule_is_refused_with_its_key() {
    let acme = Acme::start().await;
    let admin = acme.server.admin();
    let equipment = json!({"schedule": "0 8 * * 1", "time_zone": "Europe/Berlin", "email": []});
    let settings = admin.set_settings("acme", &json!({"equipment": equipment})).await;
    assert_eq!(settings["equipment"], equipment);

    for (patch, key) in [
        (json!({"schedule": "at eight"}), "equipment.schedule"),
        (json!({"time_zone": "Mars"}), "equipment.time_zone"),
        (json!({"email": ["x"]}), "equipment.email[0]"),
    ] {
        let patch = json!({"equipment": patch});
        let answer = admin.patch("/tenants/acme/settings", &patch).await;
        assert_eq!(answer.expect_problem(422, key).json()["key"], key);
    }
    let kept = admin.get("/tenants/acme/settings").await.json();
    assert_eq!(kept["equipment"], equipment);
}
