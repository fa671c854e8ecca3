//! A command beside a server changes no schema under it.

use genkan_db::testing::Scratch;
use genkan_store::MIGRATIONS;
use genkan_store::environment::Kind;

use super::Instance;

#[tokio::test]
async fn only_migrate_and_the_servers_change_the_schema() {
    let (newest, older) = MIGRATIONS.split_last().unwrap();
    for database in Scratch::each_with(older).await {
        let instance = Instance::bare(database);
        for words in [["org", "list"], ["event", "list"], ["keys", "list"]] {
            let refused = instance.run(&words);
            refused.failed(1, "The schema of the database is older than this program.");
            refused.failed(1, "genkan migrate");
        }
        instance
            .run(&["doctor"])
            .fails_after_an_answer("Something is wrong");

        let migrated = instance.json(&["migrate"]);
        assert_eq!(migrated["version"], newest.version);
        assert_eq!(instance.json(&["migrate"])["version"], newest.version);
        instance
            .run(&["org", "list"])
            .failed(1, "The database is empty: the instance was never started.");
        instance.set_up(Kind::Production).await;
        instance.json(&["org", "list"]);
    }
}
