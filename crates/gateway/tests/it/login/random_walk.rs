//! People open several tabs, go back, reload, click twice, and take their time.
//! Nothing breaks, and every code is for a person who signed in.

use std::collections::BTreeSet;
use std::time::Duration;

use genkan::simulator::Fault;
use genkan_testkit::{Arrival, Authorize, Browser, Gateway, Page, Rp};
use url::Url;

const STEPS: usize = 250;
const PEOPLE: [&str; 5] = [
    "ada@acme.test",
    "bob@acme.test",
    "ada@beta.test",
    "eve@nowhere.test",
    "not an address",
];

/// A generator that repeats itself (Marsaglia's xorshift): the seed tells the walk.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len())]
    }
}

struct Walk<'a> {
    gateway: &'a Gateway,
    rp: &'a Rp,
    dice: Dice,
    browser: Browser,
    pages: Vec<Page>,
    requests: Vec<Authorize>,
    /// Who got through the provider's page.
    typed: BTreeSet<String>,
    /// What the provider was told to do wrong in this step.
    fault: Option<Fault>,
    codes: usize,
}

impl Walk<'_> {
    async fn step(&mut self) {
        self.fault = None;
        let arrival = match self.dice.roll(20) {
            0..=4 => self.begin().await,
            5..=15 if !self.pages.is_empty() => self.submit().await,
            16 | 17 => self.go_back().await,
            18 => {
                let secs = *self.dice.pick(&[1, 29, 61, 700, 1_900, 3_700]);
                self.gateway.clock().advance(Duration::from_secs(secs));
                return;
            }
            _ => self.log_out().await,
        };
        match arrival {
            Arrival::Page(page) => {
                let status = page.reply.status.as_u16();
                // An answer of 8 MiB is given up like none. Nothing else is a reason.
                let is_providers = status == 503
                    && self.fault == Some(Fault::TokenHuge)
                    && page
                        .reply
                        .text()
                        .contains("sign-in cannot be reached at the moment");
                assert!(
                    status < 500 || is_providers,
                    "{}: {}",
                    page.url,
                    page.reply.transcript()
                );
                self.pages.push(*page);
            }
            Arrival::Application(callback) => self.arrive(&callback.url).await,
        }
    }

    async fn begin(&mut self) -> Arrival {
        let mut request = self.rp.authorize();
        for (name, values) in [
            (
                "prompt",
                &["", "", "none", "login", "select_account", "login select_account"][..],
            ),
            ("max_age", &["", "", "", "0", "600"]),
            ("domain", &["", "", "acme.test", "beta.test", "nowhere.test"]),
            ("login_hint", &["", "", "ada@acme.test", "bob@acme.test"]),
        ] {
            let value = *self.dice.pick(values);
            if !value.is_empty() {
                request = request.with(name, value);
            }
        }
        self.requests.push(request.clone());
        self.browser.start(&request).await
    }

    /// A form of any page that was ever seen, filled in anyhow.
    async fn submit(&mut self) -> Arrival {
        // Mostly the one on the screen.
        let from = self
            .pages
            .len()
            .saturating_sub(*self.dice.pick(&[1, 1, 1, 3, usize::MAX]));
        let index = from + self.dice.roll(self.pages.len() - from);
        let forms = self.pages[index].html.forms().to_vec();
        if forms.is_empty() {
            return self.go_back().await;
        }
        let form = self.dice.pick(&forms).clone();
        let person = *self.dice.pick(&PEOPLE);
        let mut fields = Vec::new();
        if form.field("email").is_some() {
            fields.push(("email", person));
        }
        if form.field("fault").is_some() {
            let fault = if self.dice.roll(4) == 0 {
                *self.dice.pick(Fault::ALL)
            } else {
                Fault::RotatedKey
            };
            if !matches!(fault, Fault::TokenSlow | Fault::RotatedKey) {
                fields.push(("fault", fault.as_str()));
                self.fault = Some(fault);
            }
            self.typed.insert(person.to_owned());
        }
        let buttons = form.buttons.clone();
        if let Some((name, value)) = buttons.get(self.dice.roll(3)) {
            fields.push((name, value));
        }
        self.browser.submit_form(&self.pages[index], &form, &fields).await
    }

    async fn go_back(&mut self) -> Arrival {
        let Some(url) = self
            .browser
            .trail
            .get(self.dice.roll(self.browser.trail.len().max(1)))
        else {
            return self.begin().await;
        };
        // Reloading what was posted asks for the page instead.
        let url = url.to_string();
        self.browser.open(&url).await
    }

    async fn log_out(&mut self) -> Arrival {
        let client_id = ("client_id", self.rp.id.as_str());
        let url = self
            .rp
            .logout_url(&[client_id, ("post_logout_redirect_uri", "https://rp.test/")]);
        self.browser.open(&url).await
    }

    /// At the application: an error, nothing after a logout, or a code for somebody known.
    async fn arrive(&mut self, url: &Url) {
        let get = |name: &str| {
            let found = url.query_pairs().find(|(known, _)| known == name);
            found.map(|(_, value)| value.into_owned())
        };
        assert_eq!(url.host_str(), Some("rp.test"), "{url}");
        let Some(code) = get("code") else { return };
        let state = get("state");
        let asked = |request: &&Authorize| request.parameter("state") == state.as_deref();
        let request = self.requests.iter().find(asked).expect("somebody asked");
        let reply = self.rp.redeem(&request.code(&code)).await;
        if reply.status != 200 {
            // Another tab has ended the session.
            assert_eq!(reply.oauth_error(), "invalid_grant");
            return;
        }
        self.codes += 1;
        let claims = self.rp.verify(reply.expect_tokens().id_token()).await;
        let email = claims["email"].as_str().unwrap();
        assert!(self.typed.contains(email), "{email} never signed in");
        assert_eq!(claims["nonce"].as_str(), request.parameter("nonce"));
        if let Some(max_age) = request.parameter("max_age") {
            let age = self.gateway.now().as_secs() - claims["auth_time"].as_i64().unwrap();
            assert!(
                age <= max_age.parse().unwrap(),
                "{age} seconds, and {max_age} were asked"
            );
        }
    }
}

async fn walk(seed: u64) -> usize {
    let gateway = Gateway::start().await;
    gateway.organization("acme.test").with_oidc_connection().await;
    gateway.organization("beta.test").with_oidc_connection().await;
    let rp = gateway.client("rp").await;
    let mut walk = Walk {
        gateway: &gateway,
        rp: &rp,
        dice: Dice(seed),
        browser: gateway.browser(),
        pages: Vec::new(),
        requests: Vec::new(),
        typed: BTreeSet::new(),
        fault: None,
        codes: 0,
    };
    for _ in 0..STEPS {
        walk.step().await;
    }
    walk.codes
}

#[tokio::test]
async fn wherever_people_wander_nobody_becomes_somebody_else() {
    let mut codes = 0;
    for seed in [1, 20_261_122, 0x5eed] {
        println!("seed {seed}");
        codes += walk(seed).await;
    }
    assert!(codes > 20, "only {codes} logins succeeded");
}
