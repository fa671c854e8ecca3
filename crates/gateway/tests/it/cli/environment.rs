//! `genkan environment`.

use super::Instance;

#[tokio::test]
async fn lifetimes_change_within_their_rules() {
    let instance = Instance::development().await;
    let before = instance.json(&["environment", "show"]);
    assert_eq!(before["session_idle_timeout_secs"], 7 * 86_400);

    let update = ["environment", "update", "--session-idle-timeout", "12h"];
    assert_eq!(instance.json(&update)["session_idle_timeout_secs"], 12 * 3_600);
    assert_eq!(
        instance.json(&["environment", "show"])["session_idle_timeout_secs"],
        12 * 3_600
    );

    let refused: &[(&[&str], &str)] = &[
        (&[], "There is nothing to change."),
        (&["--session-idle-timeout", "8d"], "Write 1m to 7d."),
        (&["--session-idle-timeout", "0s"], "write a whole number"),
        (
            &["--session-absolute-timeout", "1h"],
            "longer than the whole session",
        ),
        (
            &["--access-token-lifetime", "12h"],
            "as long as an unused session",
        ),
        (&["--client-access-token-lifetime", "31d"], "Write 1s to 30d."),
    ];
    for (words, message) in refused {
        instance
            .run(&[&["environment", "update"], *words].concat())
            .failed(2, message);
    }
}
