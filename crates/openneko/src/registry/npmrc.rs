//! The settings of npm that choose the registry and its credentials.
//!
//! Source: `npm help config`, `npm help npmrc`, and the parser of npm's package `ini`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use crate::file;
use crate::http;
use crate::paths::{Environment, Paths};
use crate::secrets::Secret;

const MAX_FILE_BYTES: u64 = 1 << 20;
const DEFAULT: &str = "https://registry.npmjs.org/";

/// The settings: the environment wins over the project, and the project over the user.
#[derive(Default)]
pub struct NpmConfig {
    values: BTreeMap<String, String>,
    /// The base of relative file names in settings.
    current_dir: PathBuf,
}

/// Why the settings of npm cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("the npm registry {0}")]
    Url(http::UrlError),
    #[error(
        "npm's setting {setting} takes its value from the variable {variable}, which is not set: \
         set it, or write ${{{variable}?}} there if it may be missing"
    )]
    Variable { setting: String, variable: String },
}

impl NpmConfig {
    /// Reads `.npmrc` of the current directory and of the user, and `npm_config_…`.
    ///
    /// # Errors
    ///
    /// If a file exists and cannot be read.
    pub fn read(paths: &Paths) -> Result<Self, Error> {
        let environment = &paths.environment;
        let of_user = environment
            .get_any_case("npm_config_userconfig")
            .map(|path| paths.current_dir.join(path))
            .or_else(|| Some(paths.home.as_ref()?.join(".npmrc")));
        let mut values = BTreeMap::new();
        for path in of_user.into_iter().chain([paths.current_dir.join(".npmrc")]) {
            let io = |source| Error::Io {
                path: path.clone(),
                source,
            };
            let content = file::read(&path, MAX_FILE_BYTES).map_err(io)?.unwrap_or_default();
            values.extend(parse(&String::from_utf8_lossy(&content), environment));
        }
        values.extend(of_environment(environment));
        Ok(Self {
            values,
            current_dir: paths.current_dir.clone(),
        })
    }

    /// The registry for packages of `scope`: `flag` if given, else the scope's, else the general one.
    ///
    /// # Errors
    ///
    /// If the address is refused for downloads.
    pub fn registry(&self, scope: Option<&str>, flag: Option<&str>) -> Result<Url, Error> {
        let of_scope = scope.map(|scope| format!("@{scope}:registry"));
        let of_scope = of_scope.filter(|name| self.values.contains_key(name));
        let setting = of_scope.as_deref().unwrap_or("registry");
        let text = match flag {
            Some(flag) => flag,
            None => self.value(setting)?.unwrap_or(DEFAULT),
        };
        let mut url = http::parse_url(text).map_err(Error::Url)?;
        url.set_query(None);
        url.set_fragment(None);
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(url)
    }

    /// The value of `setting`. If a variable is not set, npm sends its name, and gets an
    /// answer that does not help; here that is an error.
    fn value(&self, setting: &str) -> Result<Option<&str>, Error> {
        let value = self.values.get(setting).map(String::as_str);
        match value.and_then(variable) {
            Some((_, name, _)) => Err(Error::Variable {
                setting: setting.to_owned(),
                variable: name.to_owned(),
            }),
            None => Ok(value.filter(|value| !value.is_empty())),
        }
    }

    /// The `Authorization` header for `url`: npm binds credentials to a host and
    /// a path, so that they go nowhere else.
    ///
    /// # Errors
    ///
    /// If a credential for `url` names a variable that is not set.
    pub fn authorization(&self, url: &Url) -> Result<Option<Secret>, Error> {
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let mut path = url.path();
        while let Some((parent, _)) = path.rsplit_once('/') {
            for place in [
                format!("//{authority}{parent}/"),
                format!("//{authority}{parent}"),
            ] {
                if let Some(value) = self.credential_of(&place)? {
                    return Ok(Some(value));
                }
            }
            path = parent;
        }
        Ok(None)
    }

    fn credential_of(&self, place: &str) -> Result<Option<Secret>, Error> {
        let value = |name| self.value(&format!("{place}:{name}"));
        if let Some(token) = value("_authToken")? {
            return Ok(Some(Secret::new(format!("Bearer {token}"))));
        }
        if let Some(basic) = value("_auth")? {
            return Ok(Some(Secret::new(format!("Basic {basic}"))));
        }
        let (Some(username), Some(password)) = (value("username")?, value("_password")?) else {
            return Ok(None);
        };
        // npm keeps the password in base64.
        let password = STANDARD
            .decode(password)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        Ok(password.map(|password| {
            let basic = STANDARD.encode(format!("{username}:{password}"));
            Secret::new(format!("Basic {basic}"))
        }))
    }

    /// Files with authorities to trust.
    pub fn authorities(&self) -> Vec<PathBuf> {
        let path = self.values.get("cafile").filter(|path| !path.is_empty());
        path.map(|path| self.current_dir.join(path)).into_iter().collect()
    }
}

fn parse(text: &str, environment: &Environment) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for line in text.split(['\r', '\n']).map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        // Lines of a section are not settings of npm.
        if line.starts_with('[') && line.ends_with(']') {
            break;
        }
        if let Some((key, value)) = line.split_once('=') {
            values.insert(
                expanded(&plain(key), environment),
                expanded(&plain(value), environment),
            );
        }
    }
    values
}

/// A key or a value without its quotes or the comment behind it.
fn plain(text: &str) -> String {
    let text = text.trim();
    let within = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(inner) = within('\'') {
        return json_text(inner).unwrap_or_else(|| inner.to_owned());
    }
    if within('"').is_some() {
        return json_text(text).unwrap_or_else(|| text.to_owned());
    }
    let mut result = String::new();
    let mut escaped = false;
    for c in text.chars() {
        match (escaped, c) {
            (true, '\\' | ';' | '#') => result.push(c),
            (true, c) => result.extend(['\\', c]),
            (false, ';' | '#') => break,
            (false, '\\') => {}
            (false, c) => result.push(c),
        }
        escaped = !escaped && c == '\\';
    }
    if escaped {
        result.push('\\');
    }
    result.trim().to_owned()
}

/// A text in JSON quotes.
fn json_text(text: &str) -> Option<String> {
    match serde_json::from_str(text).ok()? {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Puts the values of variables in: `${NAME}`, or `${NAME?}` for one that may be missing.
fn expanded(text: &str, environment: &Environment) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, name, after)) = variable(rest) {
        result.push_str(before);
        match (environment.get(name.trim_end_matches('?')), name.ends_with('?')) {
            (Some(value), _) => result.push_str(value),
            (None, true) => {}
            (None, false) => result.push_str(&format!("${{{name}}}")),
        }
        rest = after;
    }
    result + rest
}

fn variable(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("${")?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

fn of_environment(environment: &Environment) -> BTreeMap<String, String> {
    const PREFIX: &str = "npm_config_";
    let setting = |(name, value): (&str, &str)| {
        let prefix = name.get(..PREFIX.len())?;
        let name = &name[PREFIX.len()..];
        if !prefix.eq_ignore_ascii_case(PREFIX) || value.is_empty() {
            return None;
        }
        // Credentials and scopes keep their case, as they name hosts and paths.
        let name = if name.starts_with(['/', '@']) {
            name.to_owned()
        } else {
            name.to_ascii_lowercase().replace('_', "-")
        };
        Some((name, value.to_owned()))
    };
    environment.iter().filter_map(setting).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str, variables: &[(&str, &str)]) -> NpmConfig {
        let environment: Environment = variables.iter().copied().collect();
        let mut values = parse(text, &environment);
        values.extend(of_environment(&environment));
        NpmConfig {
            values,
            current_dir: PathBuf::from("/srv"),
        }
    }

    fn registry(config: &NpmConfig, scope: Option<&str>, flag: Option<&str>) -> String {
        config.registry(scope, flag).unwrap().to_string()
    }

    #[test]
    fn the_flag_comes_before_the_scope_before_the_environment_before_the_file() {
        let text = "registry=https://file.example\n@acme:registry = https://acme.example/npm\n";
        let of_file = config(text, &[]);
        assert_eq!(registry(&of_file, None, None), "https://file.example/");
        assert_eq!(
            registry(&of_file, Some("acme"), None),
            "https://acme.example/npm/"
        );
        assert_eq!(registry(&of_file, Some("other"), None), "https://file.example/");
        assert_eq!(
            registry(&of_file, Some("acme"), Some("https://flag.example")),
            "https://flag.example/"
        );
        let of_environment = config(text, &[("npm_config_registry", "https://env.example")]);
        assert_eq!(registry(&of_environment, None, None), "https://env.example/");
        assert_eq!(
            registry(&config("", &[]), None, None),
            "https://registry.npmjs.org/"
        );
        assert!(
            config("registry=http://evil.example", &[])
                .registry(None, None)
                .is_err()
        );
    }

    #[test]
    fn a_credential_goes_to_its_host_and_path_only() {
        let text = "; comment\n//npm.example:8443/team/:_authToken=\"${TOKEN}\"\n//basic.example/:_auth=YTpi\n\
                    //user.example/:username=ada\n//user.example/:_password=aHVudGVyMg==\n";
        let config = config(text, &[("TOKEN", "t0ken")]);
        let authorization = |url: &str| {
            let url = Url::parse(url).unwrap();
            let value = config.authorization(&url).unwrap();
            value.map(|value| value.expose().to_owned())
        };
        let bearer = Some("Bearer t0ken".to_owned());
        assert_eq!(authorization("https://npm.example:8443/team/@a%2fb"), bearer);
        assert_eq!(authorization("https://npm.example:8443/team/a/-/a-1.tgz"), bearer);
        for elsewhere in [
            "https://npm.example:8443/other/a",
            "https://npm.example:8443/teams/a",
            "https://npm.example/team/a",
            "https://evil.example/team/a",
            "https://evil.example/npm.example:8443/team/a",
        ] {
            assert_eq!(authorization(elsewhere), None, "{elsewhere}");
        }
        assert_eq!(
            authorization("https://basic.example/a"),
            Some("Basic YTpi".to_owned())
        );
        assert_eq!(
            authorization("https://user.example/a"),
            Some(format!("Basic {}", STANDARD.encode("ada:hunter2")))
        );
    }

    #[test]
    fn a_line_is_read_as_npm_reads_it() {
        for (text, expected) in [
            ("https://npm.example/ ; ours", "https://npm.example/"),
            ("t0k # token", "t0k"),
            ("\"a ; b\" ", "a ; b"),
            ("'a # b'", "a # b"),
            ("\"a\\u0062c\"", "abc"),
            ("\"broken\\\"", "\"broken\\\""),
            ("a\\;b\\#c\\\\d\\e", "a;b#c\\d\\e"),
            ("end\\", "end\\"),
            ("", ""),
        ] {
            assert_eq!(plain(text), expected, "{text}");
        }
        let text = "registry = https://npm.example/team ; ours\r\n//npm.example/team/:_authToken=t0k ; token\r\n\
                    [other]\r\nregistry=https://evil.example/\r\n";
        let config = config(text, &[]);
        assert_eq!(registry(&config, None, None), "https://npm.example/team/");
        let url = Url::parse("https://npm.example/team/a").unwrap();
        let token = config.authorization(&url).unwrap().unwrap();
        assert_eq!(token.expose(), "Bearer t0k");
    }

    #[test]
    fn a_variable_that_is_not_set_is_named_where_it_is_needed() {
        let text = "//npm.example/:_authToken=${NPM_TOKEN}\n@acme:registry=https://${NPM_HOST}/\n\
                    //maybe.example/:_authToken=${NPM_TOKEN?}\n";
        let config = config(text, &[]);
        let ask = |url: &str| config.authorization(&Url::parse(url).unwrap());
        let error = ask("https://npm.example/a").unwrap_err().to_string();
        assert_eq!(
            error,
            "npm's setting //npm.example/:_authToken takes its value from the variable NPM_TOKEN, which is not set: \
             set it, or write ${NPM_TOKEN?} there if it may be missing"
        );
        let error = config.registry(Some("acme"), None).unwrap_err().to_string();
        assert!(error.contains("the variable NPM_HOST"), "{error}");
        // It is not needed elsewhere.
        assert!(ask("https://other.example/a").unwrap().is_none());
        assert!(ask("https://maybe.example/a").unwrap().is_none());
        assert_eq!(registry(&config, None, None), DEFAULT);
        assert_eq!(
            registry(&config, Some("acme"), Some("https://flag.example")),
            "https://flag.example/"
        );
    }

    #[test]
    fn variables_are_put_in_and_unknown_ones_stay() {
        let environment: Environment = [("A", "1")].into_iter().collect();
        for (text, expected) in [
            ("${A}${A}x", "11x"),
            ("${B}", "${B}"),
            ("${B?}x", "x"),
            ("${A", "${A"),
            ("$A", "$A"),
        ] {
            assert_eq!(expanded(text, &environment), expected);
        }
    }

    #[test]
    fn the_environment_names_settings_in_either_case() {
        let config = config(
            "",
            &[
                ("NPM_CONFIG_CAFILE", "ca.pem"),
                ("npm_config_//npm.example/:_authToken", "t"),
            ],
        );
        assert_eq!(config.authorities(), [PathBuf::from("/srv/ca.pem")]);
        assert!(
            config
                .authorization(&Url::parse("https://npm.example/a").unwrap())
                .unwrap()
                .is_some()
        );
    }
}
