//! Each mistake and its exact text, and which values are read from where.

use std::path::Path;
use std::time::Duration;

use super::keys::SECTIONS;
use super::setting::Setting;
use super::*;

/// The least that every configuration needs.
const LEAST: &str = "public_url = \"https://auth.example.com\"\ninstance_key_file = \"instance.key\"\n";

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, Mistakes> {
    let mut reader = Reader::new(keys().collect());
    reader.read_file(Path::new("genkan.toml"), text);
    reader.read_environment(&environment(variables).0);
    Config::finish(reader, Path::new("/etc/genkan"))
}

/// The printed mistakes of the least configuration followed by `text`. Lines count from the first line of
/// `text`.
fn complaints(text: &str) -> String {
    let text = format!("{text}\n");
    match load(
        &text,
        &[
            ("GENKAN_PUBLIC_URL", "https://auth.example.com"),
            ("GENKAN_INSTANCE_KEY_FILE", "k"),
        ],
    ) {
        Ok(_) => String::new(),
        Err(mistakes) => mistakes.to_string(),
    }
}

/// Wrong values, and their messages.
const MISTAKES: &[(&str, &str)] = &[
    (
        "lisen = \"127.0.0.1:8080\"",
        "genkan.toml:1:1: lisen is not a key\n  Did you mean listen?",
    ),
    (
        "pool_size = 3",
        "genkan.toml:1:1: pool_size is not a key\n  Did you mean database.pool_size?",
    ),
    (
        "colour = \"red\"",
        "genkan.toml:1:1: colour is not a key\n  Remove it, or look it up in docs/reference/configuration.md.",
    ),
    (
        "\n[databse]\nurl = \"sqlite:x\"",
        "genkan.toml:2:2: [databse] is not a section\n  Did you mean [database]?",
    ),
    (
        "[colours]\nred = 1",
        "genkan.toml:1:2: [colours] is not a section\n  The sections are [database], [tls], [proxy], \
             [limits], [domains], [api], [applications], [outbound], [mail], [retention], [log], [session], [tokens].",
    ),
    (
        "database = \"sqlite:x\"",
        "genkan.toml:1:1: database is not a key\n  [database] is a section: write its keys in it.",
    ),
    (
        "listen = 8080",
        "genkan.toml:1:10: listen must be an IP address and a port, not the number 8080\n  \
             Put the value in double quotes.",
    ),
    (
        "  listen = \"localhost:8080\"",
        "genkan.toml:1:12: listen must be an IP address and a port, not \"localhost:8080\"\n  \
             Write for example \"127.0.0.1:8080\", \"0.0.0.0:443\" for every IPv4 address, or \"[::]:443\" \
             for every address.",
    ),
    (
        "[listen]\nport = 1",
        "genkan.toml:1:1: listen must be an IP address and a port, not a section\n  \
             Put the value in double quotes.",
    ),
    (
        "data_dir = \"\"",
        "genkan.toml:1:12: data_dir must be a path, not \"\"\n  \
             Write a path; a relative one starts at the configuration file's folder.",
    ),
    (
        "[database]\npool_size = \"many\"",
        "genkan.toml:2:13: database.pool_size must be a whole number, not the text \"many\"\n  \
             Write digits without quotes.",
    ),
    (
        "[database]\npool_size = -1",
        "genkan.toml:2:13: database.pool_size must be a whole number, not \"-1\"\n  \
             Write a whole number from 0 to 4294967295, without quotes.",
    ),
    (
        "[database]\npool_size = 0",
        "genkan.toml:2:13: database.pool_size is out of range\n  Write a number from 1 to 1000.",
    ),
    (
        "database.url = \"mysql://genkan:hunter2@db/genkan\"",
        "genkan.toml:1:16: database.url must be the address of a database, not \
             \"mysql://genkan:***@db/genkan\"\n  Write \"sqlite:/var/lib/genkan/genkan.db\" or \
             \"postgres://user:password@host/database\".",
    ),
    (
        "[database]\nurl = \"sqlite:///x\"",
        "genkan.toml:2:7: database.url must be the address of a database, not \"sqlite:///x\"\n  \
             Write \"sqlite:/var/lib/genkan/genkan.db\" or \"postgres://user:password@host/database\".",
    ),
    (
        "[tls]\nmode = \"file\"",
        "genkan.toml:2:8: tls.mode must be \"files\" or \"proxy\", not \"file\"\n  \
             Write \"files\" or \"proxy\".",
    ),
    (
        "[tls]\nmode = \"files\"\nkey_file = \"k\"",
        "genkan.toml: tls.certificate_file is missing\n  \
             tls.mode = \"files\" needs a certificate and its key, PEM.",
    ),
    (
        "[tls]\nkey_file = \"k\"",
        "genkan.toml:2:12: tls.key_file has no effect\n  \
             Write mode = \"files\" in [tls] to end TLS here, or remove it.",
    ),
    (
        "[proxy]\ntrusted_networks = \"10.0.0.0/8\"",
        "genkan.toml:2:20: proxy.trusted_networks must be a list of networks, not the text \"10.0.0.0/8\"\n  \
             Write a list of texts such as [\"10.0.0.0/8\"].",
    ),
    (
        "[proxy]\ntrusted_networks = [\"10.0.0.0/8\", \"10.0.0.0/33\"]",
        "genkan.toml:2:20: proxy.trusted_networks must be a list of networks, not \
             [\"10.0.0.0/8\", \"10.0.0.0/33\"]\n  \
             Write \"10.0.0.0/33\" as an address or a network such as \"10.0.0.0/8\" or \"fd00::/8\".",
    ),
    (
        "[limits]\nbody_size = \"1MB\"",
        "genkan.toml:2:13: limits.body_size must be a size, not \"1MB\"\n  \
             Write a whole number and a unit, one of B, KiB, MiB: for example \"1MiB\".",
    ),
    (
        "[limits]\nbody_size = \"1KiB\"",
        "genkan.toml:2:13: limits.body_size is out of range\n  Write 4KiB to 64MiB.",
    ),
    (
        "[limits]\nhead_timeout = \"10\"",
        "genkan.toml:2:16: limits.head_timeout must be a duration, not \"10\"\n  \
             Write a whole number and a unit, one of ms, s, m, h, d: for example \"30s\" or \"12h\".",
    ),
    (
        "[limits]\nhead_timeout = \"99999999999999999999d\"",
        "genkan.toml:2:16: limits.head_timeout must be a duration, not \"99999999999999999999d\"\n  \
             Write a whole number and a unit, one of ms, s, m, h, d: for example \"30s\" or \"12h\".",
    ),
    (
        "[limits]\nbody_timeout = \"2m\"",
        "genkan.toml: limits.answer_timeout is not longer than limits.body_timeout\n  \
             Lengthen answer_timeout, or shorten body_timeout.",
    ),
    (
        "[proxy]\nheader = \"x-real-ip\"",
        "genkan.toml:2:10: proxy.header must be \"x-forwarded-for\" or \"forwarded\", not \"x-real-ip\"\n  \
             Write \"x-forwarded-for\" or \"forwarded\".",
    ),
    (
        "[outbound]\nallow_private_addresses = \"yes\"",
        "genkan.toml:2:27: outbound.allow_private_addresses must be true or false, not the text \"yes\"\n  \
             Write true or false, without quotes.",
    ),
    (
        "[log]\nlevel = \"verbose\"",
        "genkan.toml:2:9: log.level must be a level or a list of filters, not \"verbose\"\n  \
             Write one of error, warn, info, debug, trace, or filters such as \"info,genkan::login=debug\".",
    ),
    (
        "[session]\nabsolute_timeout = \"1d\"\nidle_timeout = \"2d\"",
        "genkan.toml:3:16: session.idle_timeout is longer than session.absolute_timeout\n  \
             Shorten idle_timeout, or lengthen absolute_timeout.",
    ),
    (
        "[session]\nidle_timeout = \"1h\"\n[tokens]\naccess_token_lifetime = \"1h\"",
        "genkan.toml:4:25: tokens.access_token_lifetime is not shorter than session.idle_timeout\n  \
             Shorten access_token_lifetime: a few minutes are usual.",
    ),
    (
        "[retention]\nevents = \"6d\"",
        "genkan.toml:2:10: retention.events is out of range\n  Write 7d to 3650d.",
    ),
    (
        "[retention]\ncodes = \"10m\"",
        "genkan.toml:2:9: retention.codes is out of range\n  Write 1h to 30d.",
    ),
    (
        "[retention]\nevents = \"60d\"\nactivity_events = \"61d\"",
        "genkan.toml:3:19: retention.activity_events is longer than retention.events\n  \
             Shorten it, or lengthen events: no event is kept longer than that.",
    ),
    (
        "[log]\nlevel = \"info\"\nlevel = \"warn\"",
        "genkan.toml:3:1: the file is not TOML here: duplicate key\n  Keep one of the two.",
    ),
    (
        "listen = 127.0.0.1:8080",
        "genkan.toml:1:15: the file is not TOML here: invalid float, expected nothing\n  \
             A line is `key = value`, text is in double quotes, a section starts with [name].",
    ),
];

#[test]
fn every_mistake_is_told_with_its_place_and_its_remedy() {
    for (text, expected) in MISTAKES {
        let found = complaints(text);
        assert!(
            found.starts_with(expected),
            "{text}\nexpected:\n{expected}\nfound:\n{found}"
        );
    }
}

#[test]
fn a_public_url_has_one_spelling() {
    let wrong = [
        (
            "https://auth.example.com/",
            "Write \"https://auth.example.com\": lower case",
        ),
        (
            "https://auth.example.com/sso",
            "Write \"https://auth.example.com\": lower case",
        ),
        (
            "https://Auth.Example.com",
            "Write \"https://auth.example.com\": lower case",
        ),
        (
            "https://auth.example.com:443",
            "Write \"https://auth.example.com\": lower case",
        ),
        (
            "https://root@auth.example.com",
            "Write \"https://auth.example.com\": lower case",
        ),
        (
            "https://auth.example.com?x=1",
            "Write \"https://auth.example.com\": lower case",
        ),
        (
            "https://auth.example.com#x",
            "Write \"https://auth.example.com\": lower case",
        ),
        (
            "https:auth.example.com",
            "Write \"https://auth.example.com\": lower case",
        ),
        (
            "http://auth.example.com",
            "Write \"https://auth.example.com\": cookies and tokens would cross",
        ),
        (
            "http://localhost.example.com:8080",
            "Write \"https://localhost.example.com:8080\": cookies",
        ),
        ("http://10.0.0.1", "Write \"https://10.0.0.1\": cookies"),
        ("ftp://auth.example.com", "Write the address that people see"),
        ("auth.example.com", "Write the address that people see"),
        ("", "Write the address that people see"),
    ];
    for (text, expected) in wrong {
        let remedy = PublicUrl::parse(text).unwrap_err();
        assert!(remedy.starts_with(expected), "{text}: {remedy}");
    }
    for text in [
        "https://auth.example.com",
        "https://auth.example.com:8443",
        "http://localhost:8080",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
        "http://genkan.localhost:8080",
        "https://xn--bcher-kva.example",
    ] {
        assert_eq!(PublicUrl::parse(text).unwrap().as_str(), text);
    }
}

#[test]
fn a_missing_public_url_and_a_missing_key_are_told_together() {
    let mistakes = load("", &[]).unwrap_err().to_string();
    assert_eq!(
        mistakes,
        "genkan.toml: instance_key_file is missing\n  Run `genkan keys generate-instance-key --output \
         instance.key` and write instance_key_file = \"instance.key\", or set GENKAN_INSTANCE_KEY.\n\
         genkan.toml: public_url is missing\n  Write public_url = \"https://auth.example.com\", or set \
         GENKAN_PUBLIC_URL."
    );
}

#[test]
fn a_file_that_is_not_toml_is_not_blamed_for_what_cannot_be_read() {
    let mistakes = load("public_url = \"https://auth.example.com\n", &[]).unwrap_err();
    assert!(
        mistakes
            .0
            .iter()
            .all(|mistake| mistake.problem.starts_with("the file is not TOML")),
        "{mistakes}"
    );
}

#[test]
fn two_keys_are_one_too_many() {
    let key = InstanceKeyBytes::generate().to_base64();
    let mistakes = load(LEAST, &[("GENKAN_INSTANCE_KEY", key.as_str())]).unwrap_err();
    assert_eq!(
        mistakes.to_string(),
        "GENKAN_INSTANCE_KEY: instance_key and instance_key_file are both written\n  \
         Keep one of the two, so that nobody wonders which key counts."
    );
}

#[test]
fn a_secret_is_in_no_message_and_in_no_output() {
    let too_short = load("instance_key = \"aHVudGVyMg==\"", &[])
        .unwrap_err()
        .to_string();
    assert!(!too_short.contains("aHVudGVyMg"), "{too_short}");
    let key = InstanceKeyBytes::generate().to_base64();
    let variables = [
        ("GENKAN_PUBLIC_URL", "https://auth.example.com"),
        ("GENKAN_INSTANCE_KEY", key.as_str()),
        (
            "GENKAN_DATABASE_URL",
            "postgres://genkan:hun%40ter%2F2%3Fx@db/genkan?password=hunter3&sslmode=require",
        ),
    ];
    let config = load("", &variables).unwrap();
    for text in [
        config.show(),
        serde_json::to_string(&config.to_json()).unwrap(),
        format!("{config:?}"),
    ] {
        for secret in [key.as_str(), "hun@", "ter/2", "hunter3"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    assert!(
        config
            .show()
            .contains("postgres://genkan:***@db/genkan?password=***&sslmode=require")
    );
    assert_eq!(
        config.database_url().expose(),
        format!("{}&pool_size=8", variables[2].1)
    );
}

#[test]
fn a_variable_wins_over_the_file_and_every_key_has_one() {
    let text = format!("{LEAST}listen = \"127.0.0.1:1\"\n");
    let config = load(
        &text,
        &[("GENKAN_LISTEN", "127.0.0.1:2"), ("GENKAN_LOG_FORMAT", "json")],
    )
    .unwrap();
    assert_eq!(config.listen.port(), 2);
    assert_eq!(config.log.format, LogFormat::Json);
    for key in keys() {
        assert!(key.variable().starts_with(PREFIX), "{}", key.name);
        assert!(
            key.variable()
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_'),
            "{}",
            key.name
        );
    }
}

#[test]
fn a_list_in_a_variable_is_separated_by_commas() {
    let networks = |value| {
        load(LEAST, &[("GENKAN_PROXY_TRUSTED_NETWORKS", value)])
            .unwrap()
            .proxy
            .trusted_networks
    };
    assert_eq!(
        networks("127.0.0.1, fd00::/8"),
        ["127.0.0.1".parse().unwrap(), "fd00::/8".parse().unwrap()]
    );
    assert_eq!(networks(""), []);
}

#[test]
fn a_variable_that_nearly_names_a_key_is_a_mistake_and_others_are_not_ours() {
    let mistakes = load(LEAST, &[("GENKAN_DATABSE_URL", "sqlite:x")]).unwrap_err();
    assert_eq!(
        mistakes.to_string(),
        "GENKAN_DATABSE_URL: names no key\n  Did you mean GENKAN_DATABASE_URL?"
    );
    // A container platform makes these for a service called genkan, and `dev.env` has the others.
    let foreign = [
        ("GENKAN_PORT", "tcp://10.0.0.1:8080"),
        ("GENKAN_SERVICE_HOST", "10.0.0.1"),
        ("GENKAN_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("GENKAN_TEST_ORGANIZATION_ID", "org_1"),
        ("GENKAN_CA_FILE", "ca.pem"),
        ("GENKAN_CONFIG", "/etc/genkan/genkan.toml"),
    ];
    load(LEAST, &foreign).unwrap();
}

#[test]
fn relative_paths_start_at_the_file() {
    let config = load(
        &format!("{LEAST}data_dir = \"data\"\n[database]\nurl = \"sqlite:db/x.db\"\n"),
        &[],
    )
    .unwrap();
    assert_eq!(config.data_dir, Path::new("/etc/genkan/data"));
    assert_eq!(
        config.instance_key_file.as_deref(),
        Some(Path::new("/etc/genkan/instance.key"))
    );
    assert_eq!(config.database_url().sqlite_path(), Some("/etc/genkan/db/x.db"));
    let config = load(&format!("{LEAST}data_dir = \"/var/lib/genkan\"\n"), &[]).unwrap();
    assert_eq!(config.database_url().expose(), "sqlite:/var/lib/genkan/genkan.db");
}

#[test]
fn every_default_is_valid() {
    let config = load(LEAST, &[]).unwrap();
    let (ours, listener) = (config.listener_limits(), genkan_web::listener::Limits::default());
    assert_eq!(format!("{ours:?}"), format!("{listener:?}"));
    assert_eq!(config.tokens.access_token_lifetime, Duration::from_secs(300));
    assert!(!config.outbound.allow_private_addresses);
}

#[test]
fn what_is_shown_can_be_read_again() {
    let config = load(
        &format!("{LEAST}[proxy]\ntrusted_networks = [\"10.0.0.0/8\"]\n"),
        &[],
    )
    .unwrap();
    let shown = config.show();
    assert!(
        shown.contains("trusted_networks = [\"10.0.0.0/8\"]  # genkan.toml:4:20"),
        "{shown}"
    );
    let again = load(&shown, &[]).unwrap();
    assert_eq!(again.proxy.trusted_networks, config.proxy.trusted_networks);
}

#[test]
fn a_development_instance_keeps_everything_in_its_folder() {
    let options = Development {
        public_url: PublicUrl::parse("http://localhost:8080").unwrap(),
        listen: ([127, 0, 0, 1], 8080).into(),
        data_dir: "genkan-data".into(),
    };
    let config = Config::development(&options, &environment(&[("GENKAN_LOG_LEVEL", "debug")])).unwrap();
    assert_eq!(config.database_url().expose(), "sqlite:genkan-data/genkan.db");
    assert_eq!(
        config.instance_key_file.as_deref(),
        Some(Path::new("genkan-data/instance.key"))
    );
    assert_eq!(config.log.level.as_str(), "debug");
}

#[cfg(unix)]
#[test]
fn an_instance_key_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("instance.key");
    let key = InstanceKeyBytes::generate();
    key.write_new_file(&path).unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
        0o600
    );
    assert_eq!(InstanceKeyBytes::read_file(&path).unwrap(), key);
    assert!(
        key.write_new_file(&path).is_err(),
        "an existing key was overwritten"
    );

    for mode in [0o604, 0o602, 0o620, 0o666] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let error = InstanceKeyBytes::read_file(&path).unwrap_err();
        assert!(matches!(error, InstanceKeyFileError::OpenToOthers { mode: found, .. } if found == mode));
        assert_eq!(error.remedy(), format!("chmod 600 {}", path.display()));
    }
}

#[test]
fn the_files_that_are_named_are_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("genkan.toml");
    let text = "public_url = \"https://auth.example.com\"\ninstance_key_file = \"instance.key\"\n\
                outbound.ca_file = \"ca.pem\"\n[tls]\nmode = \"files\"\ncertificate_file = \"c.pem\"\n\
                key_file = \"k.pem\"\n";
    std::fs::write(&file, text).unwrap();
    std::fs::write(folder.path().join("instance.key"), "short").unwrap();
    std::fs::write(folder.path().join("c.pem"), "no certificate").unwrap();
    std::fs::write(folder.path().join("k.pem"), "no key").unwrap();
    let mistakes = Config::load(Some(&file), &Environment::default())
        .unwrap()
        .check_files()
        .unwrap_err();
    let found: Vec<_> = mistakes
        .0
        .iter()
        .map(|mistake| mistake.key.as_deref().unwrap())
        .collect();
    #[cfg(unix)]
    assert_eq!(
        found,
        [
            "instance_key_file",
            "tls.certificate_file",
            "tls.key_file",
            "outbound.ca_file"
        ]
    );

    let pair = rcgen::generate_simple_self_signed(["auth.example.com".to_owned()]).unwrap();
    std::fs::write(folder.path().join("c.pem"), pair.cert.pem()).unwrap();
    std::fs::write(folder.path().join("ca.pem"), pair.cert.pem()).unwrap();
    let other = rcgen::KeyPair::generate().unwrap();
    std::fs::write(folder.path().join("k.pem"), other.serialize_pem()).unwrap();
    std::fs::remove_file(folder.path().join("instance.key")).unwrap();
    InstanceKeyBytes::generate()
        .write_new_file(&folder.path().join("instance.key"))
        .unwrap();
    let check = || {
        Config::load(Some(&file), &Environment::default())
            .unwrap()
            .check_files()
    };
    let mismatch = check().unwrap_err().to_string();
    assert!(
        mismatch.contains(":7:12: tls.key_file cannot be used: the key in "),
        "{mismatch}"
    );
    assert!(
        mismatch.ends_with("\n  Name the key that the certificate was made with."),
        "{mismatch}"
    );
    std::fs::write(folder.path().join("k.pem"), pair.signing_key.serialize_pem()).unwrap();
    check().unwrap();
}

#[test]
fn the_reference_names_every_key() {
    let reference = reference();
    for key in keys() {
        assert!(reference.contains(&format!("### `{}`", key.name)), "{}", key.name);
        assert!(reference.contains(&key.variable()), "{}", key.name);
        assert!(!key.documentation.is_empty(), "{}", key.name);
    }
    assert!(SECTIONS.iter().all(|(_, _, keys)| !keys.is_empty()));
}

/// `config check` reports what `serve` would refuse, and shows no part of a password.
#[test]
fn a_database_url_that_serve_would_refuse_is_a_mistake() {
    for (url, says) in [
        (
            "postgres://app:S3cr3t@Pass/word1@127.0.0.1/genkan",
            "percent-encode the password",
        ),
        (
            "postgres://app:S3cr3t@127.0.0.1/genkan?sslmode=prefer",
            "sslmode=prefer protects nothing",
        ),
        ("postgres://app:S3cr3t@127.0.0.1", "names no database"),
        ("postgres://app:S3cr3t/genkan", "invalid value for option `port`"),
        (
            "postgres://app:S3cr3t@127.0.0.1/genkan?pool_size=0",
            "pool_size is a number",
        ),
    ] {
        let mistakes = <DatabaseUrl as Setting>::parse(&[url.to_owned()]).unwrap_err();
        assert!(mistakes.contains(says), "{url}: {mistakes}");
        for shown in [mistakes, <DatabaseUrl as Setting>::redact(url)] {
            for part in ["S3cr3t", "Pass", "word1"] {
                assert!(!shown.contains(part), "{url}: {shown}");
            }
        }
    }
}

#[test]
fn an_empty_variable_is_not_set() {
    let config = load(
        &format!("{LEAST}listen = \"127.0.0.1:9000\"\n[proxy]\ntrusted_networks = [\"10.0.0.0/8\"]\n"),
        &[
            ("GENKAN_MAIL_SMTP_URL", ""),
            ("GENKAN_MAIL_FROM", ""),
            ("GENKAN_OUTBOUND_CA_FILE", ""),
            ("GENKAN_DATABASE_URL", " \n"),
            ("GENKAN_LISTEN", ""),
            ("GENKAN_PROXY_TRUSTED_NETWORKS", ""),
            ("GENKAN_LOG_LEVEL", ""),
        ],
    )
    .unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:9000");
    assert_eq!(config.proxy.trusted_networks.len(), 1);
    assert!(config.outbound.ca_file.is_none());
    let unset = environment(&[("GENKAN_CONFIG", ""), ("GENKAN_DATABASE_URL", "")]);
    assert_eq!(unset.config_file(), None);
    assert!(!unset.has("database.url"));
}

#[test]
fn the_newline_behind_a_secret_is_no_part_of_it() {
    let key = InstanceKeyBytes::generate().to_base64();
    let with_newline = format!("{}\n", &*key);
    let config = load(
        "public_url = \"https://auth.example.com\"\n",
        &[
            ("GENKAN_INSTANCE_KEY", &with_newline),
            ("GENKAN_DATABASE_URL", "postgres://app:pw@db.example/genkan\r\n"),
        ],
    )
    .unwrap();
    let url = config.database_url().expose().to_owned();
    assert!(url.starts_with("postgres://app:pw@db.example/genkan"), "{url}");
    assert!(!url.contains('\r') && !url.contains("%0"), "{url}");
}
