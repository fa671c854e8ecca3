//! `genkan import`

use genkan_db::testing::{self, Scratch};
use genkan_store::MIGRATIONS;
use genkan_store::environment::Kind;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::Instance;

const ORGANIZATIONS: &str = "\
external_id,name,domains,metadata.plan
acme-1,\"Acme, Inc.\",acme.test;acme.example,gold
zen-2,Zenith,,
";

const USERS: &str = r#"{"email":"ada@acme.test","given_name":"Ada","external_id":"hr-1","memberships":[{"organization":"acme-1","roles":["admin"]}]}
{"email":"bob@acme.test","memberships":[{"organization":"acme-1"},{"organization":"zen-2","roles":["member"]}]}
"#;

async fn on_each_engine(test: impl Fn(&Instance)) {
    testing::on_each(Scratch::each_with(MIGRATIONS).await, async |scratch| {
        test(&Instance::on(scratch, Kind::Production).await);
    })
    .await;
}

fn write(instance: &Instance, name: &str, text: &str) {
    std::fs::write(instance.path().join(name), text).unwrap();
}

/// How many were created, updated, unchanged and rejected.
fn counts(summary: &Value) -> [u64; 4] {
    ["created", "updated", "unchanged", "rejected"].map(|name| summary[name].as_u64().unwrap())
}

#[tokio::test]
async fn a_file_is_imported_and_a_second_time_changes_nothing() {
    on_each_engine(|instance| {
        write(instance, "o.csv", ORGANIZATIONS);
        write(instance, "u.jsonl", USERS);
        let imported = instance.json(&["import", "organizations", "o.csv"]);
        assert_eq!(counts(&imported), [2, 0, 0, 0]);
        let imported = instance.json(&["import", "users", "u.jsonl"]);
        assert_eq!(counts(&imported), [2, 0, 0, 0]);

        let acme = instance.json(&["org", "show", "acme-1"]);
        assert_eq!(
            (&acme["display_name"], &acme["metadata"]),
            (&json!("Acme, Inc."), &json!({"plan": "gold"}))
        );
        assert_eq!(acme["domains"].as_array().unwrap().len(), 2);
        let ada = instance.json(&["user", "show", "ada@acme.test"]);
        assert_eq!(ada["external_id"], "hr-1");
        assert_eq!(ada.to_string().matches("\"admin\"").count(), 1, "{ada}");
        let bob = instance.json(&["user", "show", "bob@acme.test"]);
        assert_eq!(bob.to_string().matches("\"member\"").count(), 2, "{bob}");

        let again = instance.json(&["import", "organizations", "o.csv"]);
        assert_eq!(counts(&again), [0, 0, 2, 0]);
        let again = instance.json(&["import", "users", "u.jsonl"]);
        assert_eq!(counts(&again), [0, 0, 2, 0]);

        // What a line says replaces what was there; what it leaves out stays.
        write(
            instance,
            "o.csv",
            "external_id,name,domains\nacme-1,Acme Ltd,\nzen-2,,zen.test\n",
        );
        let changed = instance.json(&["import", "organizations", "o.csv"]);
        assert_eq!(counts(&changed), [0, 2, 0, 0]);
        let acme = instance.json(&["org", "show", "acme-1"]);
        assert_eq!(
            (&acme["display_name"], &acme["metadata"]),
            (&json!("Acme Ltd"), &json!({"plan": "gold"}))
        );
        assert_eq!(acme["domains"].as_array().unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn an_import_stops_at_a_mistake_and_leaves_nothing_half_done() {
    on_each_engine(|instance| {
        // The second organization is added before its domain turns out to be taken.
        let text = "external_id,name,domains\na,Acme,acme.test\nb,Other,other.test;acme.test\nc,Third,\n";
        write(instance, "o.csv", text);
        instance
            .run(&["import", "organizations", "o.csv"])
            .fails_after_an_answer("line 3: another organization has one of these domains");
        let listed = instance.json(&["org", "list"]);
        assert_eq!(listed["organizations"].as_array().unwrap().len(), 1);
        assert_eq!(listed["organizations"][0]["external_id"], "a");
        instance
            .run(&["org", "show", "b"])
            .failed(3, "There is no organization");
    })
    .await;
}

#[tokio::test]
async fn lines_with_mistakes_can_be_left_out_and_come_back_in_a_file() {
    on_each_engine(|instance| {
        write(instance, "o.csv", ORGANIZATIONS);
        instance.json(&["import", "organizations", "o.csv"]);
        let text = "email,organization,roles\n\
                    ada@acme.test,acme-1,admin\n\
                    nonsense,acme-1,\n\
                    bob@acme.test,nowhere,\n\
                    eve@acme.test,acme-1,wizard\n\
                    too,many,cells,here\n\
                    max@acme.test,zen-2,\n";
        write(instance, "u.csv", text);
        let itself = ["import", "users", "u.csv", "--continue-on-error", "--rejects", "./u.csv"];
        instance.run(&itself).failed(2, "is the file that is imported");
        assert_eq!(std::fs::read_to_string(instance.path().join("u.csv")).unwrap(), text);
        let ran = instance.run(&["import", "users", "u.csv", "--continue-on-error", "--json"]);
        assert_eq!(ran.code, 1);
        let summary: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(counts(&summary), [2, 0, 0, 4]);
        for told in ["line 3: email", "line 4: there is no organization \"nowhere\"", "line 5: there is no role \"wizard\"", "line 6: it has 4 cells"] {
            assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
        }
        instance.run(&["user", "show", "eve@acme.test"]).failed(3, "");
        let path = instance.path().join("u.rejects.csv");
        let rejects = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            rejects,
            "email,organization,roles\nnonsense,acme-1,\nbob@acme.test,nowhere,\neve@acme.test,acme-1,wizard\ntoo,many,cells,here\n"
        );
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        // An earlier file may hold corrections: it stays, and another one lies beside it.
        let ran = instance.run(&["import", "users", "u.csv", "--continue-on-error"]);
        assert!(ran.stderr.contains("u.rejects-2.csv"), "{}", ran.stderr);
        assert_eq!(std::fs::read_to_string(instance.path().join("u.rejects-2.csv")).unwrap(), rejects);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), rejects);
        let into = |file| ["import", "users", "u.csv", "--continue-on-error", "--rejects", file];
        instance.run(&into("u.rejects.csv")).failed(2, "there already: u.rejects.csv");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), rejects);
        // Before anything is imported.
        instance.run(&into("nowhere/r.csv")).failed(1, "cannot be made: nowhere/r.csv");
        let to_nobody = instance.run(&into("/dev/null"));
        assert_eq!(to_nobody.code, 1, "{}", to_nobody.stderr);

        // Without a mistake there is none.
        write(instance, "good.csv", "email\nkim@acme.test\n");
        instance.json(&["import", "users", "good.csv", "--continue-on-error"]);
        assert!(!instance.path().join("good.rejects.csv").exists());
    })
    .await;
}

#[tokio::test]
async fn a_line_that_is_too_long_holds_up_no_other() {
    let instance = Instance::new().await;
    let long = "x".repeat(2 << 20);
    let csv = format!("email,name\na@acme.test,A\nb@acme.test,\"{long}\"\nc@acme.test,C\nnonsense,N\n");
    let json = format!(
        "{{\"email\":\"d@acme.test\"}}\n{{\"email\":\"e@acme.test\",\"name\":\"{long}\"}}\n{{\"email\":\"f@acme.test\"}}\n{{\"email\":\"nonsense\"}}\n"
    );
    for (file, text, line) in [("l.csv", csv, 3), ("l.jsonl", json, 2)] {
        write(&instance, file, &text);
        let ran = instance.run(&["import", "users", file, "--continue-on-error", "--json"]);
        let summary: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(counts(&summary), [2, 0, 0, 2], "{}", ran.stderr);
        assert!(
            ran.stderr
                .contains(&format!("line {line}: it is longer than 1 MiB")),
            "{}",
            ran.stderr
        );
        assert!(ran.stderr.contains("not copied to the rejects"), "{}", ran.stderr);
        let told = format!(
            " has 1 of them: correct them there and import that file. The others are too long to be copied: correct them in {file}."
        );
        assert!(ran.stderr.contains(&told), "{}", ran.stderr);
        let rejects =
            std::fs::read_to_string(instance.path().join(file.replace("l.", "l.rejects."))).unwrap();
        assert!(rejects.contains("nonsense") && rejects.len() < 100, "{rejects}");
    }
}

#[tokio::test]
async fn a_dry_run_checks_and_changes_nothing() {
    let instance = Instance::new().await;
    write(&instance, "o.csv", ORGANIZATIONS);
    let checked = instance.json(&["import", "organizations", "o.csv", "--dry-run"]);
    assert_eq!(
        (counts(&checked), &checked["dry_run"]),
        ([2, 0, 0, 0], &json!(true))
    );
    let listed = instance.json(&["org", "list"]);
    assert_eq!(listed["organizations"], json!([]));
    write(&instance, "o.csv", "external_id,name,domains\na,Acme,gmail.com\n");
    instance
        .run(&["import", "organizations", "o.csv", "--dry-run"])
        .fails_after_an_answer("line 2: domain \"gmail.com\"");
}

#[tokio::test]
async fn a_file_is_read_as_its_name_or_the_option_says() {
    let instance = Instance::new().await;
    write(&instance, "o.txt", ORGANIZATIONS);
    instance
        .run(&["import", "organizations", "o.txt"])
        .failed(2, "--format");
    instance
        .run(&["import", "organizations", "missing.csv"])
        .failed(3, "missing.csv");
    let imported = instance.json(&["import", "organizations", "o.txt", "--format", "csv"]);
    assert_eq!(counts(&imported), [2, 0, 0, 0]);
    let ran = instance.run_with(USERS, &["import", "users", "-", "--format", "jsonl", "--json"]);
    assert_eq!(counts(&ran.json()), [2, 0, 0, 0]);
    write(&instance, "o.csv", "external_id,name,colour\na,Acme,red\n");
    instance.run(&["import", "organizations", "o.csv"]).failed(
        1,
        "The heading has the column \"colour\", which organizations do not have.",
    );
}

/// What a spreadsheet of a German or Indian desk saves: mark, semicolons, CRLF.
#[tokio::test]
async fn a_table_of_a_spreadsheet_is_imported() {
    on_each_engine(|instance| {
        let organizations =
            "\u{feff}external_id;name;domains\r\nacme-1;\"Acme; Inc.\";\"acme.test;acme.example\"\r\n";
        write(instance, "o.csv", organizations);
        let imported = instance.json(&["import", "organizations", "o.csv"]);
        assert_eq!(counts(&imported), [1, 0, 0, 0]);
        let acme = instance.json(&["org", "show", "acme-1"]);
        assert_eq!(acme["display_name"], "Acme; Inc.");
        assert_eq!(acme["domains"].as_array().unwrap().len(), 2);

        let users = "\u{feff}email;given_name;organization;roles\r\nada@acme.test;Ada;acme-1;admin\r\n\
                     संपर्क@acme.test;संपर्क;acme-1;\r\nnonsense;;acme-1;\r\n";
        write(instance, "u.csv", users);
        let ran = instance.run(&["import", "users", "u.csv", "--continue-on-error", "--json"]);
        assert_eq!(counts(&serde_json::from_str(&ran.stdout).unwrap()), [2, 0, 0, 1]);
        assert!(ran.stderr.contains("line 4: email"), "{}", ran.stderr);
        let shown = instance.json(&["user", "show", "संपर्क@acme.test"]);
        assert_eq!(shown["email"], "संपर्क@acme.test");
    })
    .await;
}

#[tokio::test]
async fn a_file_that_cannot_be_read_as_it_is_says_why_before_anything_is_imported() {
    let instance = Instance::new().await;
    let path = instance.path().join("u.csv");
    std::fs::write(&path, b"\xff\xfee\0m\0a\0i\0l\0\n\0").unwrap();
    instance
        .run(&["import", "users", "u.csv"])
        .failed(1, "it is UTF-16: save the file as UTF-8");
    write(&instance, "u.csv", "email,e-mail\nada@acme.test,\n");
    instance
        .run(&["import", "users", "u.csv", "--continue-on-error"])
        .failed(
            1,
            "The heading has the column \"e-mail\", which users do not have.",
        );
    write(&instance, "u.csv", "email,email\nada@acme.test,\n");
    instance
        .run(&["import", "users", "u.csv"])
        .failed(1, "The heading has the column \"email\" twice.");
    std::fs::write(&path, b"email,name\nada@acme.test,J\xfcrgen\n").unwrap();
    instance
        .run(&["import", "users", "u.csv"])
        .fails_after_an_answer("line 2: it is not UTF-8, perhaps Latin-1");
}

/// A customer sends a list of its people, with some of somebody else's among them.
#[tokio::test]
async fn the_file_of_one_organization_joins_and_renames_its_own_people_alone() {
    on_each_engine(|instance| {
        write(
            instance,
            "o.csv",
            "external_id,name,domains\nacme,Acme,acme.test\nevil,Evil,evil.test\n",
        );
        instance.json(&["import", "organizations", "o.csv"]);
        // Ada belongs to Acme; Paul has proved his mailbox; Nora is nobody's.
        write(
            instance,
            "u.csv",
            "email,name,email_verified,organization,roles\nada@acme.test,Ada,,acme,admin\n\
             paul@home.test,Paul,yes,,\nnora@home.test,Nora,,,\n",
        );
        instance.json(&["import", "users", "u.csv"]);
        let state = |address: &str| instance.json(&["user", "show", address]);
        let (ada, paul) = (state("ada@acme.test"), state("paul@home.test"));

        // The second column is a name of the attacker's choice.
        let attack = "email,name,organization,roles,external_id,metadata.staff\n\
            ada@acme.test,Mallory,,,,\n\
            ada@acme.test,,evil,admin,,\n\
            paul@home.test,Mallory,,,,\n\
            eve@acme.test,Eve,,,,\n\
            max@evil.test,Max,acme,admin,,\n\
            max@evil.test,Max,,,hr-1,\n\
            max@evil.test,Max,,,,yes\n\
            nora@home.test,Nora Evil,,,,\n\
            max@evil.test,Max,evil,admin,,\n";
        write(instance, "evil.csv", attack);
        let words = [
            "import",
            "users",
            "evil.csv",
            "--organization",
            "evil",
            "--continue-on-error",
            "--json",
        ];
        let ran = instance.run(&words);
        let summary: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(counts(&summary), [1, 1, 0, 7], "{}", ran.stderr);
        for told in [
            "line 2: ada@acme.test is not this organization's alone: invite them",
            "line 3: ada@acme.test is not this organization's alone: invite them",
            "line 4: paul@home.test is not this organization's alone: invite them",
            "line 5: the domain of eve@acme.test is another organization's: invite them",
            "line 6: the file is of one organization, and the line names \"acme\"",
            "line 7: external_id and metadata are your application's to say",
            "line 8: external_id and metadata are your application's to say",
        ] {
            assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
        }
        assert_eq!((state("ada@acme.test"), state("paul@home.test")), (ada, paul));
        instance.run(&["user", "show", "eve@acme.test"]).failed(3, "");

        let max = state("max@evil.test");
        assert_eq!(max["memberships"][0]["provisioning_method"], "FILE");
        assert_eq!(max["memberships"][0]["roles"], json!(["admin"]));
        assert_eq!(state("nora@home.test")["name"], "Nora Evil");
        // The same file once more changes nothing.
        assert_eq!(
            counts(&serde_json::from_str(&instance.run(&words).stdout).unwrap()),
            [0, 0, 2, 7]
        );
    })
    .await;
}

#[tokio::test]
async fn a_customers_file_gives_roles_to_a_member_who_belongs_elsewhere_and_no_name() {
    on_each_engine(|instance| {
        write(instance, "o.csv", "external_id,name\nacme,Acme\nevil,Evil\n");
        instance.json(&["import", "organizations", "o.csv"]);
        write(instance, "evil.csv", "email,name\nnora@home.test,Nora\n");
        instance.json(&["import", "users", "evil.csv", "--organization", "evil"]);
        instance.json(&[
            "user",
            "membership",
            "add",
            "nora@home.test",
            "--organization",
            "acme",
        ]);
        write(
            instance,
            "evil.csv",
            "email,name,roles\nnora@home.test,Mallory,\n",
        );
        instance
            .run(&["import", "users", "evil.csv", "--organization", "evil"])
            .fails_after_an_answer(
                "line 2: nora@home.test is not this organization's alone, so its file does not change",
            );
        write(instance, "evil.csv", "email,roles\nnora@home.test,member\n");
        let imported = instance.json(&["import", "users", "evil.csv", "--organization", "evil"]);
        assert_eq!(counts(&imported), [0, 1, 0, 0]);
        instance
            .run(&["import", "users", "evil.csv", "--organization", "nowhere"])
            .failed(3, "There is no organization \"nowhere\"");
    })
    .await;
}

/// The word of the system before is a proof; that of a customer is not, or its claim of
/// a domain would reach whoever comes there later.
#[tokio::test]
async fn a_customers_file_proves_no_address() {
    on_each_engine(|instance| {
        write(instance, "o.csv", "external_id,name\nacme,Acme\nevil,Evil\n");
        instance.json(&["import", "organizations", "o.csv"]);
        write(instance, "u.csv", "email\nada@home.test\n");
        instance.json(&["import", "users", "u.csv"]);
        let of_evil = ["import", "users", "evil.csv", "--organization", "evil"];
        write(instance, "evil.csv", "email,email_verified\nada@home.test,yes\n");
        instance.json(&of_evil);
        assert_eq!(
            instance.json(&["user", "show", "ada@home.test"])["email_verified"],
            true
        );
        // Had that been a proof, she would have something of her own.
        write(instance, "evil.csv", "email,name\nada@home.test,Ada\n");
        assert_eq!(counts(&instance.json(&of_evil)), [0, 1, 0, 0]);
        // When she proves it she does, and that a file made her a member is no word of hers.
        write(instance, "u.csv", "email,email_verified\nada@home.test,yes\n");
        instance.json(&["import", "users", "u.csv"]);
        write(instance, "evil.csv", "email,name\nada@home.test,Mallory\n");
        instance
            .run(&of_evil)
            .fails_after_an_answer("is not this organization's alone");
    })
    .await;
}
