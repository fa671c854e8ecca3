//! Migrates a database from before messages of sign-ins were request and answer.

use genkan_db::testing::on_each_engine;
use genkan_db::{Db, p};
use genkan_store::{MIGRATIONS, Timestamp, TraceId, login_message, login_trace};

use crate::support::World;

const TRACE: &str = "err_000000000000000000001";

const ROWS: [&str; 2] = [
    "INSERT INTO login_traces (id, cause, remedy, trace, created_at)
     VALUES ('err_000000000000000000001', 'audience_mismatch', 'Enter it.', '[]', 1)",
    "INSERT INTO login_messages (trace_id, message, expires_at)
     VALUES ('err_000000000000000000001', '<Response/>', 1000)",
];

#[tokio::test]
async fn a_message_of_an_earlier_version_goes_and_its_trace_stays() {
    on_each_engine(async |db: Db| {
        let before = MIGRATIONS
            .iter()
            .position(|step| step.name == "user_attributes")
            .unwrap();
        db.migrate(&MIGRATIONS[..before]).await.unwrap();
        for sql in ROWS {
            db.tx(async |tx| tx.exec(sql, p![]).await).await.unwrap();
        }
        db.migrate(MIGRATIONS).await.unwrap();

        let world = World::of(db);
        let id = TraceId::parse(TRACE).unwrap();
        let trace = world.tx(async |tx| login_trace::find(tx, &id).await).await;
        assert_eq!(trace.unwrap().cause, "audience_mismatch");
        let now = Timestamp::from_micros(10);
        let message = world.tx(async |tx| login_message::find(tx, &id, now).await).await;
        assert_eq!(message, None);
    })
    .await;
}
