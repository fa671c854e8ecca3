//! Strangers do not drown the log.

use genkan_testkit::{Gateway, Logs};

#[tokio::test]
async fn a_flood_of_refused_requests_leaves_ten_lines_for_each_reason_and_their_number() {
    let gateway = Gateway::start().await;
    let logs = Logs::capture("info");
    let count = |text: &str| logs.text().lines().filter(|line| line.contains(text)).count();
    for _ in 0..40 {
        assert_eq!(
            gateway
                .get("/nothing-here")
                .header("accept", "text/html")
                .send()
                .await
                .status,
            404
        );
    }
    assert_eq!(count("There is no page here"), 10);

    // A person's page beside them is found by its number.
    let page = gateway.get("/login/lri_000000000000000000001").send().await;
    let number = page.headers["x-request-id"].to_str().unwrap();
    assert_eq!(count(number), 1, "{}", logs.text());

    // Applications, or who says to be one.
    for _ in 0..40 {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "skc_000000000000000000009"),
        ];
        let refused = gateway.post("/oauth/token").form(&form).send().await;
        assert_eq!(refused.status, 401);
    }
    assert_eq!(count("refused a request of an application"), 10);

    genkan::jobs::write_tally(gateway.app()).await;
    assert_eq!(count("more requests were refused than have a line"), 1);
    for told in ["30 × There is no page here", "30 × token: unknown_client"] {
        assert_eq!(count(told), 1, "{told} is not in {}", logs.text());
    }
    // The next minute has lines again, and nothing more is told.
    let _ = gateway
        .get("/nothing-here")
        .header("accept", "text/html")
        .send()
        .await;
    assert_eq!(count("There is no page here"), 12, "ten, their number, and one");
    genkan::jobs::write_tally(gateway.app()).await;
    assert_eq!(count("more requests were refused than have a line"), 1);
}
