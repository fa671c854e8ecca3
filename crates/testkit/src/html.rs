//! Just enough HTML to read the pages of this project: text, links and forms.
//!
//! No parser for the web: it expects well-formed tags and quoted attributes,
//! which the templates have.

/// A parsed page.
#[derive(Debug, Clone, Default)]
pub struct Html {
    forms: Vec<Form>,
    links: Vec<(String, String)>,
    blocks: Vec<String>,
    heading: String,
}

/// A form with the values of its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    pub method: String,
    /// Empty: the page's own address.
    pub action: String,
    pub fields: Vec<Field>,
    /// Buttons that have a name, with their values.
    pub buttons: Vec<(String, String)>,
}

/// A field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub value: String,
    /// Whether the browser sends it. A checkbox that is not checked is not sent.
    pub is_sent: bool,
}

impl Form {
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields
            .find(|field| field.name == name)
            .map(|field| field.value.as_str())
    }

    /// The sent values after these fields were filled in. It panics if the form has no such field or
    /// button, because the test is wrong then.
    ///
    /// # Panics
    ///
    /// If the form has no such field.
    pub fn fill(&self, values: &[(&str, &str)]) -> Vec<(String, String)> {
        for (name, _) in values {
            let known = self.field(name).is_some() || self.buttons.iter().any(|(button, _)| button == name);
            assert!(known, "the form at {} has no field {name}", self.action);
        }
        let kept = self
            .fields
            .iter()
            .filter(|field| field.is_sent && !values.iter().any(|(name, _)| *name == field.name))
            .map(|field| (field.name.clone(), field.value.clone()));
        let filled = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        kept.chain(filled).collect()
    }
}

impl Html {
    /// The first `h1`.
    pub fn heading(&self) -> &str {
        &self.heading
    }

    /// The visible text, one block a line.
    pub fn text(&self) -> String {
        self.blocks.join("\n")
    }

    pub fn forms(&self) -> &[Form] {
        &self.forms
    }

    /// The form whose action ends with this text.
    pub fn form(&self, action: &str) -> Option<&Form> {
        self.forms.iter().find(|form| form.action.ends_with(action))
    }

    /// The target of the link with this text.
    pub fn link(&self, text: &str) -> Option<&str> {
        let mut links = self.links.iter();
        links
            .find(|(shown, _)| shown == text)
            .map(|(_, href)| href.as_str())
    }

    pub fn parse(html: &str) -> Self {
        let mut reader = Reader::default();
        for token in Tokens(html) {
            match token {
                Token::Open(tag) => reader.open(&tag),
                Token::Close(name) => reader.close(name),
                Token::Text(text) => reader.text(text),
            }
        }
        reader.end_block();
        reader.page
    }
}

#[derive(Default)]
struct Reader {
    page: Html,
    block: String,
    /// The depth of elements without visible text: the head, options, drawings.
    hidden: usize,
    in_form: bool,
    in_word: bool,
    select: Option<Select>,
    link: Option<(String, String)>,
}

struct Select {
    name: String,
    value: Option<String>,
    option: Option<(Option<String>, bool, String)>,
}

const BLOCKS: [&str; 22] = [
    "h1", "h2", "h3", "p", "div", "dt", "dd", "dl", "li", "ul", "ol", "tr", "table", "form", "button",
    "main", "header", "footer", "nav", "section", "summary", "label",
];
const HIDDEN: [&str; 4] = ["head", "svg", "style", "script"];
/// Elements without an end tag.
const VOID: [&str; 6] = ["input", "br", "hr", "img", "meta", "link"];

impl Reader {
    fn open(&mut self, tag: &Tag<'_>) {
        if HIDDEN.contains(&tag.name) {
            self.hidden += 1;
        }
        if BLOCKS.contains(&tag.name) {
            self.end_block();
        }
        match tag.name {
            // It keeps a word on one line.
            "span" if tag.get("class").as_deref() == Some("word") => self.in_word = true,
            "span" | "small" | "br" => self.block.push(' '),
            "form" => {
                self.in_form = true;
                self.page.forms.push(Form {
                    method: tag.get("method").unwrap_or_else(|| "get".to_owned()),
                    action: tag.get("action").unwrap_or_default(),
                    ..Form::default()
                });
            }
            "input" => self.input(tag),
            "button" => {
                let button = tag.get("name").zip(Some(tag.get("value").unwrap_or_default()));
                if let (Some(form), Some(button)) = (self.form(), button) {
                    form.buttons.push(button);
                }
            }
            "select" => {
                self.select = tag.get("name").map(|name| Select {
                    name,
                    value: None,
                    option: None,
                });
            }
            "option" => {
                if let Some(select) = &mut self.select {
                    let is_selected = tag.get("selected").is_some();
                    select.option = Some((tag.get("value"), is_selected, String::new()));
                }
            }
            "a" => self.link = Some((String::new(), tag.get("href").unwrap_or_default())),
            _ => {}
        }
    }

    fn input(&mut self, tag: &Tag<'_>) {
        let is_checkbox = tag.get("type").as_deref() == Some("checkbox");
        let field = tag.get("name").map(|name| Field {
            name,
            value: tag.get("value").unwrap_or_default(),
            is_sent: !is_checkbox || tag.get("checked").is_some(),
        });
        if let (Some(form), Some(field)) = (self.form(), field) {
            form.fields.push(field);
        }
    }

    fn form(&mut self) -> Option<&mut Form> {
        let forms = self.page.forms.last_mut();
        forms.filter(|_| self.in_form)
    }

    fn close(&mut self, name: &str) {
        if HIDDEN.contains(&name) {
            self.hidden = self.hidden.saturating_sub(1);
        }
        match name {
            "span" if self.in_word => self.in_word = false,
            "span" | "small" => self.block.push(' '),
            "h1" if self.page.heading.is_empty() => self.page.heading = one_line(&self.block),
            "option" => self.end_option(),
            "select" => {
                if let Some(Select {
                    name,
                    value: Some(value),
                    ..
                }) = self.select.take()
                    && let Some(form) = self.form()
                {
                    let is_sent = true;
                    form.fields.push(Field { name, value, is_sent });
                }
            }
            "a" => self
                .page
                .links
                .extend(self.link.take().map(|(text, href)| (one_line(&text), href))),
            _ => {}
        }
        if BLOCKS.contains(&name) {
            self.end_block();
        }
        if name == "form" {
            self.in_form = false;
        }
    }

    fn end_option(&mut self) {
        let Some(select) = &mut self.select else { return };
        let Some((value, is_selected, text)) = select.option.take() else {
            return;
        };
        if is_selected || select.value.is_none() {
            select.value = Some(value.unwrap_or_else(|| one_line(&text)));
        }
    }

    fn text(&mut self, text: &str) {
        let text = unescape(text);
        if let Some(select) = &mut self.select {
            if let Some((_, _, option)) = &mut select.option {
                option.push_str(&text);
            }
            return;
        }
        if self.hidden > 0 {
            return;
        }
        if let Some((shown, _)) = &mut self.link {
            shown.push_str(&text);
        }
        self.block.push_str(&text);
    }

    fn end_block(&mut self) {
        let block = one_line(&std::mem::take(&mut self.block));
        if !block.is_empty() {
            self.page.blocks.push(block);
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

enum Token<'a> {
    Open(Tag<'a>),
    Close(&'a str),
    Text(&'a str),
}

struct Tag<'a> {
    name: &'a str,
    attributes: &'a str,
}

impl Tag<'_> {
    /// An attribute. Empty if it has no value.
    fn get(&self, name: &str) -> Option<String> {
        let mut rest = self.attributes;
        loop {
            rest = rest.trim_start().trim_start_matches('/');
            let end = rest
                .find(|c: char| c == '=' || c.is_whitespace())
                .unwrap_or(rest.len());
            if end == 0 {
                return None;
            }
            let (known, after) = rest.split_at(end);
            let (value, after) = match after.strip_prefix("=\"") {
                Some(quoted) => quoted.split_once('"').expect("attributes are quoted"),
                None => ("", after),
            };
            if known == name {
                return Some(unescape(value));
            }
            rest = after;
        }
    }
}

struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            if self.0.is_empty() {
                return None;
            }
            let Some(rest) = self.0.strip_prefix('<') else {
                let end = self.0.find('<').unwrap_or(self.0.len());
                let (text, rest) = self.0.split_at(end);
                self.0 = rest;
                return Some(Token::Text(text));
            };
            // Between quotes a > is text.
            let mut quoted = false;
            let end = rest.find(|c| {
                quoted ^= c == '"';
                c == '>' && !quoted
            });
            let (inner, rest) = rest.split_at(end.expect("tags are closed"));
            self.0 = &rest[1..];
            if inner.starts_with('!') {
                continue;
            }
            if let Some(name) = inner.strip_prefix('/') {
                return Some(Token::Close(name.trim()));
            }
            let (name, attributes) = inner.split_once(char::is_whitespace).unwrap_or((inner, ""));
            let name = name.trim_end_matches('/');
            debug_assert!(!name.is_empty() || VOID.contains(&name));
            return Some(Token::Open(Tag { name, attributes }));
        }
    }
}

/// Replaces the character references that the templates' escaping makes.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let Some((name, after_name)) = after.split_once(';').filter(|(name, _)| name.len() <= 8) else {
            plain.push('&');
            rest = after;
            continue;
        };
        match reference(name) {
            Some(c) => {
                plain.push(c);
                rest = after_name;
            }
            None => {
                plain.push('&');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn reference(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r##"<!doctype html><html><head><title>T</title></head><body><main>
        <h1>Sign &amp; in</h1><p>One<b>two</b> &lt;three&gt;</p><svg><text>no</text></svg>
        <form method="post" action="/a?b=1&amp;c"><input type="hidden" name="csrf" value="x&quot;y">
        <input name="email" required value="">
        <input type="checkbox" name="off" value="1"><input type="checkbox" name="on" value="1" checked>
        <select name="fault"><option value="">No</option><option value="b" selected>B</option></select>
        <button name="choice" value="go">Go</button></form><a href="/back">Go  back</a></main></body></html>"##;

    #[test]
    fn text_links_and_forms_are_read() {
        let page = Html::parse(PAGE);
        assert_eq!(page.heading(), "Sign & in");
        assert_eq!(page.text(), "Sign & in\nOnetwo <three>\nGo\nGo back");
        assert_eq!(page.link("Go back"), Some("/back"));
        let form = page.form("/a?b=1&c").unwrap();
        assert_eq!(form.method, "post");
        assert_eq!(form.field("csrf"), Some("x\"y"));
        assert_eq!(form.field("fault"), Some("b"));
        assert_eq!(form.buttons, [("choice".to_owned(), "go".to_owned())]);
    }

    #[test]
    fn a_filled_form_sends_what_a_browser_sends() {
        let page = Html::parse(PAGE);
        let sent = page.forms()[0].fill(&[("email", "ada@acme.test"), ("choice", "go")]);
        let sent: Vec<_> = sent
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            sent,
            ["csrf=x\"y", "on=1", "fault=b", "email=ada@acme.test", "choice=go"]
        );
    }

    #[test]
    #[should_panic(expected = "has no field phone")]
    fn a_field_that_is_not_there_cannot_be_filled() {
        Html::parse(PAGE).forms()[0].fill(&[("phone", "1")]);
    }
}
