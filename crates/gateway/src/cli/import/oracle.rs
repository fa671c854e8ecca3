//! The database is the same after an import with one line in a transaction and with many.

use std::collections::BTreeMap;
use std::time::Duration;

use genkan_db::testing::{self, Scratch};
use genkan_db::{Db, p};
use genkan_protocol::Timestamp;
use genkan_store::domain::Claimant;
use genkan_store::environment::{self, Environment};
use genkan_store::{Actor, Generator, InstanceKey, MIGRATIONS, OrganizationId, Stamp, role};

use super::Format;
use super::apply::{Author, Batch, Import, Tally, Verdict, read};
use super::batch::{CustomerBatch, OrganizationBatch, UserBatch};
use super::progress::Progress;
use super::rows::Rows;

const T0: Timestamp = Timestamp::from_secs(1_800_000_000);

/// A sequence that looks random and is the same in every run (mulberry32).
struct Dice(u32);

impl Dice {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x6d2b_79f5);
        let mut mixed = (self.0 ^ (self.0 >> 15)).wrapping_mul(1 | self.0);
        mixed = mixed.wrapping_add((mixed ^ (mixed >> 7)).wrapping_mul(61 | mixed)) ^ mixed;
        (mixed ^ (mixed >> 14)) as usize % below
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }
}

/// Lines about few organizations, so that they often concern the same one. Some are hostile.
fn organizations(seed: u32, count: usize) -> String {
    let mut dice = Dice(seed);
    let mut lines = String::new();
    for _ in 0..count {
        let number = dice.below(count / 2);
        let mut members = vec![format!("\"external_id\":\"crm-{number}\"")];
        if dice.below(8) > 0 {
            let name = dice.one(&[
                "Acme",
                "Müller & Söhne",
                "Zenith",
                "",
                "A\\u0000B",
                "株式会社アクメ",
            ]);
            members.push(format!("\"name\":\"{name}\""));
        }
        match dice.below(6) {
            0 => members.push(format!("\"slug\":\"slug-{}\"", dice.below(9))),
            1 => members.push("\"slug\":\"Not A Slug\"".to_owned()),
            2 => members.push("\"metadata\":{\"plan\":\"gold\"}".to_owned()),
            3 => members.push("\"colour\":\"red\"".to_owned()),
            _ => {}
        }
        let domains: Vec<String> = (0..dice.below(3))
            .map(|_| match dice.below(12) {
                0 => "\"gmail.com\"".to_owned(),
                1 => "\"no domain\"".to_owned(),
                2 => "\"taken.test\"".to_owned(),
                _ => format!("\"d{}.test\"", dice.below(count)),
            })
            .collect();
        members.push(format!("\"domains\":[{}]", domains.join(",")));
        lines.push_str(&format!("{{{}}}\n", members.join(",")));
        if dice.below(20) == 0 {
            lines.push_str("nonsense\n");
        }
    }
    lines
}

/// Lines about few people, so that they often concern the same one. Some are hostile.
fn users(seed: u32, count: usize, of_a_customer: bool) -> String {
    let mut dice = Dice(seed);
    let mut lines = String::new();
    for _ in 0..count {
        let number = dice.below(count);
        let email = match dice.below(14) {
            0 => "nobody".to_owned(),
            1 => format!("Somebody.{number}@TAKEN.test"),
            2 => "known@acme.test".to_owned(),
            3 => "proved@home.test".to_owned(),
            _ => format!("p{number}@acme.test"),
        };
        let mut members = vec![format!("\"email\":\"{email}\"")];
        match dice.below(7) {
            0 => members.push("\"email_verified\":true".to_owned()),
            1 => members.push(format!("\"name\":\"Ada {number}\"")),
            2 => members.push("\"name\":\"a\\u0000b\"".to_owned()),
            3 if !of_a_customer || dice.below(4) == 0 => {
                members.push(format!("\"external_id\":\"hr-{}\"", dice.below(count / 2)));
            }
            4 if !of_a_customer || dice.below(4) == 0 => {
                members.push("\"metadata\":{\"staff\":\"yes\"}".to_owned());
            }
            _ => {}
        }
        let roles = dice.one(&[
            "[]",
            "[]",
            "[\"admin\"]",
            "[\"member\",\"admin\"]",
            "[\"member\",\"member\"]",
            "[\"own\"]",
            "[\"wizard\"]",
        ]);
        let place = |dice: &mut Dice| match dice.below(9) {
            0 => "full".to_owned(),
            1 => "nowhere".to_owned(),
            2 => "own".to_owned(),
            3 if of_a_customer => "crm-1".to_owned(),
            _ if of_a_customer => "own".to_owned(),
            _ => format!("crm-{}", dice.below(5)),
        };
        match dice.below(4) {
            0 => members.push(format!("\"roles\":{roles}")),
            1 => members.push(format!(
                "\"organization\":\"{}\",\"roles\":{roles}",
                place(&mut dice)
            )),
            _ => {
                let several: Vec<String> = (0..dice.below(3))
                    .map(|_| format!("{{\"organization\":\"{}\",\"roles\":{roles}}}", place(&mut dice)))
                    .collect();
                members.push(format!("\"memberships\":[{}]", several.join(",")));
            }
        }
        lines.push_str(&format!("{{{}}}\n", members.join(",")));
        if dice.below(30) == 0 {
            lines.push_str("{\"email\":1}\n");
        }
    }
    lines
}

/// A database with existing rows, and one way to import.
struct World {
    db: Db,
    ids: Generator,
    chunk: usize,
}

impl World {
    async fn new(db: Db, chunk: usize) -> Self {
        let ids = Generator::with_node(1);
        let world = Self { db, ids, chunk };
        let environment = Environment {
            id: world.ids.next(T0),
            kind: environment::Kind::Production,
            generation: 1,
            access_token_lifetime: Duration::from_secs(300),
            client_access_token_lifetime: Duration::from_secs(300),
            session_absolute: Duration::from_secs(300),
            session_idle: Duration::from_secs(300),
            created_at: T0,
        };
        let key = InstanceKey::generate();
        world
            .db
            .tx(async |tx| {
                environment::create(tx, &environment, &key).await?;
                role::seed(tx, world.at()).await
            })
            .await
            .unwrap();
        let before = "{\"external_id\":\"full\",\"name\":\"Full\"}\n{\"external_id\":\"own\",\"name\":\"Own\"}\n\
                      {\"external_id\":\"taken\",\"name\":\"Taken\",\"domains\":[\"taken.test\"]}\n";
        world.import::<OrganizationBatch>(before, None).await;
        let before = "{\"email\":\"known@acme.test\",\"name\":\"Known\",\"organization\":\"own\"}\n\
                      {\"email\":\"proved@home.test\",\"email_verified\":true}\n";
        world.import::<UserBatch>(before, None).await;
        world
            .db
            .tx(async |tx| {
                let full = "UPDATE organizations SET max_allowed_users = 2 WHERE external_id = 'full'";
                tx.exec(full, p![]).await?;
                let own = "INSERT INTO roles (id, organization_id, name, display_name, description, default_creator,
                              default_member, created_at, updated_at)
                           SELECT 'role_1', id, 'own', 'Own', '', FALSE, FALSE, 0, 0 FROM organizations
                            WHERE external_id = 'own'";
                tx.exec(own, p![]).await?;
                let default = "INSERT INTO organization_default_roles (organization_id, member_role_id)
                               SELECT id, 'role_1' FROM organizations WHERE external_id = 'own'";
                tx.exec(default, p![]).await
            })
            .await
            .unwrap();
        world
    }

    fn at(&self) -> Stamp<'_> {
        Stamp::new(&self.ids, T0).by(Actor::Cli)
    }

    async fn organization_id(&self, external_id: &str) -> OrganizationId {
        let sql = "SELECT id FROM organizations WHERE external_id = $1";
        let row = self
            .db
            .read(async |tx| tx.opt(sql, p![external_id]).await)
            .await
            .unwrap();
        OrganizationId::parse(&row.unwrap().get::<String>(0).unwrap()).unwrap()
    }

    async fn import<B: Batch>(&self, text: &str, organization: Option<&str>) -> Vec<Verdict> {
        let organization_id = match organization {
            Some(external_id) => Some(self.organization_id(external_id).await),
            None => None,
        };
        let import = Import {
            db: &self.db,
            at: self.at(),
            author: Author {
                claimant: Claimant::Operator { require_proof: false },
                organization_id: organization_id.as_ref(),
            },
            dry_run: false,
            continue_on_error: true,
            chunk: self.chunk,
            rejects: None,
            progress: Progress::new("lines", None),
            tally: Tally::default(),
        };
        let mut rows = Rows::new(Format::Jsonl, Box::new(std::io::Cursor::new(text.to_owned()))).unwrap();
        let mut lines = Vec::new();
        while let Some(line) = rows.next().unwrap() {
            lines.push(read::<B::Row>(line));
        }
        let mut verdicts = Vec::new();
        for lines in lines.chunks(self.chunk) {
            verdicts.extend(import.write::<B>(lines).await.unwrap());
        }
        verdicts
    }

    /// Every row that an import could write. Identifiers become names, by kind and in the order of their
    /// creation. Random values are left out.
    async fn contents(&self) -> Vec<String> {
        let mut names = BTreeMap::new();
        let mut contents = Vec::new();
        for (what, sql) in NAMED {
            let rows = self.db.read(async |tx| tx.all(sql, &[]).await).await.unwrap();
            for (number, row) in rows.iter().enumerate() {
                names.insert(row.get::<String>(0).unwrap(), format!("{what}{number}"));
            }
        }
        for sql in TABLES {
            let rows = self.db.read(async |tx| tx.all(sql, &[]).await).await.unwrap();
            let mut lines: Vec<String> = rows.iter().map(|row| row.get(0).unwrap()).collect();
            for line in &mut lines {
                for (id, name) in &names {
                    *line = line.replace(id.as_str(), name);
                }
                if let Some((before, rest)) = line.split_once("genkan-domain-verification=") {
                    let after = rest.find('"').map_or("", |end| &rest[end..]);
                    *line = format!("{before}TXT{after}");
                }
            }
            if !sql.contains("FROM events") {
                lines.sort_unstable();
            }
            contents.extend(lines);
        }
        contents
    }
}

/// They are ordered by their identifiers, so in the order of the lines.
const NAMED: &[(&str, &str)] = &[
    ("organization-", "SELECT id FROM organizations ORDER BY id"),
    ("user-", "SELECT id FROM users ORDER BY id"),
    ("domain-", "SELECT id FROM domains ORDER BY id"),
    ("role-", "SELECT id FROM roles ORDER BY id"),
];

const TABLES: &[&str] = &[
    "SELECT id || '|' || display_name || '|' || COALESCE(external_id, '-') || '|' || COALESCE(slug, '-') || '|'
        || features || metadata || '|' || CAST(created_at AS TEXT) || '|' || CAST(updated_at AS TEXT)
       FROM organizations",
    "SELECT id || '|' || organization_id || '|' || domain || '|' || kind || '|' || status || '|' || method || '|'
        || CASE WHEN txt_value = '' THEN '-' ELSE 'TXT' END || COALESCE(proved_by, '-') FROM domains",
    "SELECT id || '|' || email || '|' || COALESCE(name, '-') || '|' || COALESCE(external_id, '-') || '|' || metadata
        || groups || custom_attributes || profile_metadata || CASE WHEN email_verified THEN 'v' ELSE '-' END
        || COALESCE(CAST(email_proved_at AS TEXT), '-') || '|' || CAST(created_at AS TEXT) || '|'
        || CAST(updated_at AS TEXT) FROM users",
    "SELECT organization_id || '|' || user_id || '|' || groups || status || metadata || COALESCE(inviter_email, '-')
        || COALESCE(provisioning_method, '-') || CAST(created_at AS TEXT) || COALESCE(CAST(accepted_at AS TEXT), '-')
       FROM memberships",
    "SELECT organization_id || '|' || user_id || '|' || role_id || CASE WHEN by_provider THEN 'p' ELSE '-' END
       FROM membership_roles",
    "SELECT kind || '|' || COALESCE(organization_id, '-') || '|' || COALESCE(user_id, '-') || '|' || COALESCE(actor, '-')
        || data || CAST(occurred_at AS TEXT) || COALESCE(object, '-') FROM events ORDER BY id",
    "SELECT 'word|' || user_id || '|' || CAST(COUNT(*) AS TEXT) FROM user_words GROUP BY user_id",
    "SELECT 'word|' || organization_id || '|' || CAST(COUNT(*) AS TEXT) FROM organization_words
      GROUP BY organization_id",
];

/// One line in a transaction, a few, and all.
const CHUNKS: [usize; 3] = [1, 7, 1_000];

#[tokio::test]
async fn what_comes_of_a_file_does_not_depend_on_how_many_lines_go_together() {
    for seed in [1, 2, 3] {
        let mut worlds = Vec::new();
        for chunk in CHUNKS {
            for (index, scratch) in Scratch::each_with(MIGRATIONS).await.into_iter().enumerate() {
                let world = World::new(scratch.connect().await, chunk).await;
                worlds.push((index, scratch, world));
            }
        }
        worlds.sort_by_key(|(engine, ..)| *engine);
        // The second time everything exists already, and most of it does not change.
        let files = [organizations(seed, 60), organizations(seed + 10, 60)];
        for text in files.iter().chain([&files[0]]) {
            compare::<OrganizationBatch>(&worlds, text, None).await;
        }
        let files = [users(seed, 120, false), users(seed + 10, 120, false)];
        for text in files.iter().chain([&files[0]]) {
            compare::<UserBatch>(&worlds, text, None).await;
        }
        let files = [users(seed, 120, true), users(seed + 20, 120, true)];
        for text in files.iter().chain([&files[0]]) {
            compare::<CustomerBatch>(&worlds, text, Some("own")).await;
        }
    }
}

async fn compare<B: Batch>(worlds: &[(usize, Scratch, World)], text: &str, organization: Option<&str>) {
    for alike in worlds.chunk_by(|(one, ..), (other, ..)| one == other) {
        let mut expected: Option<(Vec<Verdict>, Vec<String>)> = None;
        for (_, scratch, world) in alike {
            let verdicts = world.import::<B>(text, organization).await;
            let contents = world.contents().await;
            let Some((first_verdicts, first_contents)) = &expected else {
                expected = Some((verdicts, contents));
                continue;
            };
            let place = format!("{} lines at once, {:?}", world.chunk, scratch.engine());
            for (line, (first, here)) in first_verdicts.iter().zip(&verdicts).enumerate() {
                let text = text.lines().nth(line).unwrap_or_default();
                assert_eq!(first, here, "line {}: {text} ({place})", line + 1);
            }
            for (first, here) in first_contents.iter().zip(&contents) {
                assert_eq!(first, here, "{place}");
            }
            assert_eq!(first_contents.len(), contents.len(), "{place}");
        }
    }
}

/// The lines must lead to every result. Otherwise the comparison would prove little.
#[tokio::test]
async fn the_lines_come_to_everything() {
    testing::on_each(Scratch::each_with(MIGRATIONS).await, async |scratch| {
        let world = World::new(scratch.connect().await, 1_000).await;
        let mut verdicts = world
            .import::<OrganizationBatch>(&organizations(1, 60), None)
            .await;
        verdicts.extend(world.import::<UserBatch>(&users(1, 120, false), None).await);
        verdicts.extend(
            world
                .import::<CustomerBatch>(&users(2, 120, true), Some("own"))
                .await,
        );
        let twice = "{\"email\":\"x1@c.test\",\"external_id\":\"x\"}\n{\"email\":\"x2@c.test\",\"external_id\":\"x\"}\n";
        verdicts.extend(world.import::<UserBatch>(twice, None).await);
        let told = format!("{verdicts:?}");
        for part in [
            "Created",
            "Updated",
            "Unchanged",
            "NUL character",
            "another organization has this slug",
            "another organization has one of these domains",
            "another user has this external id",
            "the organization may not have another member",
            "there is no organization",
            "there is no role",
            "roles are given in an organization",
            "is not this organization's alone",
            "the domain of",
            "the file is of one organization",
            "your application's to say",
            "name is missing",
            "unknown field",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    })
    .await;
}

/// An import of new people needs a few statements for hundreds of lines.
#[tokio::test]
async fn hundreds_of_lines_are_a_few_statements() {
    testing::on_each(Scratch::each_with(MIGRATIONS).await, async |scratch| {
        let world = World::new(scratch.connect().await, 1_000).await;
        let lines: String = (0..500)
            .map(|number| {
                format!(
                    "{{\"external_id\":\"crm-{number}\",\"name\":\"C\",\"domains\":[\"c{number}.test\"]}}\n"
                )
            })
            .collect();
        let before = world.db.done();
        world.import::<OrganizationBatch>(&lines, None).await;
        let statements = (world.db.done() - before).statements;
        assert!(statements <= 10, "{statements} statements for 500 organizations");
        let lines: String = (0..500)
            .map(|number| {
                format!(
                    "{{\"email\":\"p{number}@c.test\",\"name\":\"P\",\"organization\":\"crm-{number}\"}}\n"
                )
            })
            .collect();
        for _ in 0..2 {
            let before = world.db.done();
            world.import::<UserBatch>(&lines, None).await;
            let statements = (world.db.done() - before).statements;
            assert!(statements <= 12, "{statements} statements for 500 people");
        }
    })
    .await;
}
