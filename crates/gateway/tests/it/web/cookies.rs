//! The cookies of a browser.
//!
//! Source: RFC 6265bis §4.1.3, §8.

use genkan_testkit::{Cookie, Gateway, SameSite};

#[tokio::test]
async fn over_tls_cookies_are_secure_and_bound_to_the_host() {
    let gateway = Gateway::setup().https().start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let code = browser.sign_in(&rp, "ada@acme.test").await;
    rp.redeem(&code).await.expect_tokens();

    let mut names: Vec<&str> = browser
        .cookies
        .iter()
        .map(|cookie| cookie.name.as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["__Host-genkan_browser", "__Host-genkan_session"]);
    assert!(!browser.set_cookies.is_empty());
    for line in &browser.set_cookies {
        let attributes: Vec<&str> = line.split("; ").skip(1).collect();
        for attribute in ["Path=/", "HttpOnly", "SameSite=Lax", "Secure"] {
            assert!(attributes.contains(&attribute), "{attribute} is not in {line}");
        }
        assert!(!line.to_ascii_lowercase().contains("domain="), "{line}");
    }
    // And a logout takes it away again, with the same attributes.
    let page = browser.open(&rp.logout_url(&[])).await.page();
    let _ = browser.submit(&page, &[("choice", "sign_out")]).await;
    assert_eq!(browser.cookies.get("__Host-genkan_session"), None);
    let cleared = browser.set_cookies.last().unwrap();
    assert!(
        cleared.starts_with("__Host-genkan_session=;") && cleared.contains("; Secure"),
        "{cleared}"
    );
}

#[tokio::test]
async fn on_plain_http_cookies_are_still_out_of_reach_of_scripts_and_sites() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    browser.sign_in(&rp, "ada@acme.test").await;
    for name in ["genkan_browser", "genkan_session"] {
        let cookie = browser.cookies.get(name).unwrap();
        assert!(cookie.http_only && !cookie.secure, "{}", cookie.line);
        assert_eq!((cookie.same_site, cookie.path.as_str()), (SameSite::Lax, "/"));
    }
    // The cookie lives as long as the session may.
    let session = browser.cookies.get("genkan_session").unwrap();
    assert_eq!(
        session.expires_at.unwrap().since(gateway.now()).as_secs(),
        12 * 60 * 60
    );
}

/// Session fixation: what was in the browser before the sign-in is worth nothing after it.
#[tokio::test]
async fn a_sign_in_gives_the_session_another_cookie() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    browser.sign_in(&rp, "ada@acme.test").await;
    let before = browser.clone();
    let again = rp.authorize().with("prompt", "login");
    browser.sign_in_with(&again, "ada@acme.test").await;
    let [old, new] = [&before, &browser].map(|browser| browser.cookies.get("genkan_session").unwrap());
    assert_ne!(old.value, new.value);

    let silent = rp.authorize().with("prompt", "none");
    let mut thief = before;
    assert_eq!(thief.start(&silent).await.callback().error(), "login_required");
    assert_eq!(browser.start(&silent).await.callback().error(), "");
}

#[tokio::test]
async fn a_planted_session_does_not_become_the_next_persons() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut eve = gateway.browser();
    eve.sign_in(&rp, "eve@acme.test").await;
    let mut ada = gateway.browser();
    ada.cookies
        .plant(eve.cookies.get("genkan_session").unwrap().clone());
    let request = rp.authorize().with("prompt", "login");
    let code = ada.sign_in_with(&request, "ada@acme.test").await;
    let tokens = rp.redeem(&code).await.expect_tokens();
    assert_eq!(rp.verify(tokens.id_token()).await["email"], "ada@acme.test");
    let silent = rp.authorize().with("prompt", "none");
    assert_eq!(eve.start(&silent).await.callback().error(), "login_required");
}

/// A cookie that stands twice was set by somebody else at least once.
#[tokio::test]
async fn a_cookie_that_is_sent_twice_counts_for_nobody() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    browser.sign_in(&rp, "ada@acme.test").await;
    let own = browser.cookies.get("genkan_session").unwrap().value.clone();
    let path = format!(
        "/oauth/authorize?{}",
        rp.authorize().with("prompt", "none").query()
    );
    let with = async |cookies: String| {
        let reply = gateway.get(&path).header("cookie", &cookies).send().await;
        reply.header("location").contains("code=")
    };
    assert!(with(format!("a=b; genkan_session={own}; c=d")).await);
    assert!(with(format!("genkan_session={own}; genkan_session={own}")).await);
    assert!(!with(format!("genkan_session={own}; genkan_session=planted")).await);
    assert!(!with(format!("genkan_session=planted; genkan_session={own}")).await);
    for garbage in ["", "x", "é", &"A".repeat(5000), &own[1..]] {
        assert!(!with(format!("genkan_session={garbage}")).await, "{garbage}");
    }
    // Names are compared exactly.
    assert!(!with(format!("Genkan_Session={own}")).await);
}

#[tokio::test]
async fn the_browser_cookie_of_another_scheme_does_not_count() {
    let gateway = Gateway::setup().https().start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    let page = browser.start(&rp.authorize()).await.page();
    let strong = browser.cookies.get("__Host-genkan_browser").unwrap().clone();
    // What a plain-text answer or a sibling could have set.
    let mut other = gateway.browser();
    other.cookies.plant(Cookie {
        name: "genkan_browser".to_owned(),
        ..strong
    });
    let page = other.open(page.url.as_str()).await.page();
    assert_eq!(page.heading(), "This sign-in is no longer open");
}

/// A proxy may empty cookies, and a program may always send the same word. If that counted as one browser,
/// its people would see each other's names and end each other's sessions.
#[tokio::test]
async fn two_people_with_the_same_made_up_cookie_are_not_one_browser() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut first = gateway.browser();
    first.start(&rp.authorize()).await.page();
    let own = first.cookies.get("genkan_browser").unwrap().clone();
    for value in ["", "x", "undefined", &own.value[1..], &format!("{}=", own.value)] {
        let blank = Cookie {
            value: value.to_owned(),
            ..own.clone()
        };
        let (mut ada, mut bob) = (gateway.browser(), gateway.browser());
        let mut tokens = Vec::new();
        for (browser, email) in [(&mut ada, "ada@acme.test"), (&mut bob, "bob@acme.test")] {
            browser.cookies.plant(blank.clone());
            let code = browser.sign_in(&rp, email).await;
            tokens.push(rp.redeem(&code).await.expect_tokens());
            assert_ne!(browser.cookies.get("genkan_browser").unwrap().value, value);
        }
        for tokens in tokens {
            assert_eq!(rp.refresh(tokens.refresh_token()).await.status, 200, "{value}");
        }
        let mut stranger = gateway.browser();
        stranger.cookies.plant(blank);
        let page = stranger.open(&rp.logout_url(&[])).await.page();
        assert!(!page.html.text().contains("@acme.test"), "{}", page.html.text());
    }
}

/// Other applications of the same host, or of a domain above it, set cookies
/// that browsers send along in the same line.
#[tokio::test]
async fn a_cookie_of_another_application_keeps_nobody_out() {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut browser = gateway.browser();
    browser.start(&rp.authorize()).await.page();
    let own = browser.cookies.get("genkan_browser").unwrap().clone();
    browser.cookies.plant(Cookie {
        name: "lang".to_owned(),
        value: "Français".to_owned(),
        ..own
    });
    let code = browser.sign_in(&rp, "ada@acme.test").await;
    rp.redeem(&code).await.expect_tokens();
    let silent = rp.authorize().with("prompt", "none");
    assert_eq!(browser.start(&silent).await.callback().error(), "");
}
