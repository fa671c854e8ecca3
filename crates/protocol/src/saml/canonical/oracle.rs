//! Random documents, canonicalized like libxml2 does it.
//!
//! The documents come from numbers that are the same each time. `tests/saml/canonical.py`
//! keeps the start of each digest of libxml2's forms in `canonical.digests`, and compares
//! any other number of documents by hand; it says how.

use std::fmt::Write as _;

use aws_lc_rs::digest;

use super::{PrefixList, canonicalize};
use crate::saml::document::Document;
use crate::saml::scan::{Limits, scan};

/// Four octets of SHA-256 for each document.
const DIGESTS: &[u8] = include_bytes!("../../../tests/saml_corpus/canonical.digests");

const PREFIXES: [&str; 4] = ["", "a", "b", "c"];
const NAMESPACES: [&str; 5] = ["urn:one", "urn:two", "http://three.example/#x", "urn:four", ""];
const TEXTS: &[&str] = &[
    "text",
    " ",
    "\n",
    "\t",
    "\r\n",
    "\r",
    "&#13;",
    "&#xA;",
    "&#9;",
    "&amp;",
    "&lt;",
    "&gt;",
    ">",
    "\"",
    "'",
    "&quot;",
    "&apos;",
    "é",
    "\u{1f98a}",
    "\u{a0}",
    "&#x2028;",
    "<!---->",
    "<!-- a - b -->",
    "<?x?>",
    "<?y  z >?>",
    "<?xml-y a=\"b\"?>",
    "<![CDATA[]]>",
    "<![CDATA[<&>\"]]>",
    "<![CDATA[a]]]]><![CDATA[>\r\n]]>",
];
const VALUES: &[&str] = &[
    "", "v", " ", "  ", "\t", "\n", "\r\n", "&#9;", "&#10;", "&#13;", "&amp;", "&lt;", ">", "&quot;", "'",
    "é", "&#x85;",
];

/// Numbers that are the same each time (xorshift64*, Vigna 2016).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        usize::try_from(number).unwrap() % limit
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }
}

/// A document, and how it is to be canonicalized.
struct Made {
    text: String,
    prefixes: String,
}

impl Made {
    fn new(random: &mut Random) -> Self {
        let mut growing = Growing {
            text: String::new(),
            scope: [""; 4],
            elements: 0,
            apex: random.below(6),
        };
        growing.element(random, 0);
        let text = growing.text;
        let prefixes = match random.below(4) {
            0 => ["#default", "a", "b", "c", "d", "xml"]
                .into_iter()
                .filter(|_| random.below(2) == 0)
                .collect::<Vec<_>>()
                .join(" "),
            _ => String::new(),
        };
        Self { text, prefixes }
    }

    /// The form of the element with the mark, or of the root if there are too few elements.
    fn canonical(&self) -> Vec<u8> {
        let text = scan(self.text.as_bytes(), &Limits::MESSAGE).unwrap();
        let document = Document::parse(&text).unwrap();
        let root = document.root();
        let apex = root
            .descendants()
            .find(|element| element.attribute("ID").is_some());
        canonicalize(
            apex.unwrap_or(root),
            None,
            &PrefixList::parse(&self.prefixes).unwrap(),
        )
        .unwrap()
    }
}

/// A document that is being written.
struct Growing {
    text: String,
    /// The namespace of each prefix.
    scope: [&'static str; 4],
    elements: usize,
    /// Which element has the mark.
    apex: usize,
}

impl Growing {
    /// Writes an element with what is in it.
    fn element(&mut self, random: &mut Random, depth: usize) {
        let outer = self.scope;
        let declared = self.declarations(random);
        let usable: Vec<usize> = (0..4)
            .filter(|number| *number == 0 || !self.scope[*number].is_empty())
            .collect();
        let prefix = PREFIXES[usable[random.below(usable.len())]];
        let colon = if prefix.is_empty() { "" } else { ":" };
        let name = format!("{prefix}{colon}{}", random.one(&["e", "f", "é", "long-name"]));
        let mut attributes = vec![declared];
        attributes.extend(self.attributes(random, &usable));
        if random.below(9) == 0 {
            attributes.push(" xml:lang='en'".to_owned());
        }
        if self.elements == self.apex {
            attributes.push(" ID='apex'".to_owned());
        }
        self.elements += 1;
        // The order in the document is any.
        let turn = random.below(attributes.len());
        attributes.rotate_left(turn);
        write!(self.text, "<{name}{}", attributes.concat()).unwrap();
        if random.below(5) == 0 {
            self.text.push_str(random.one(&["/>", " />"]));
        } else {
            self.text.push('>');
            for _ in 0..random.below(5) {
                if depth < 6 && random.below(2) == 0 {
                    self.element(random, depth + 1);
                } else {
                    self.text.push_str(random.one(TEXTS));
                }
            }
            write!(self.text, "</{name}{}>", random.one(&["", " ", "\n"])).unwrap();
        }
        self.scope = outer;
    }

    /// Declarations of some prefixes, which may repeat or change those in force.
    fn declarations(&mut self, random: &mut Random) -> String {
        let mut declared = String::new();
        for (number, prefix) in PREFIXES.iter().enumerate() {
            if random.below(3) > 0 {
                continue;
            }
            let namespace = NAMESPACES[random.below(if number == 0 { 5 } else { 4 })];
            let colon = if number == 0 { "" } else { ":" };
            let space = random.one(&[" ", "\n", "  "]);
            write!(declared, "{space}xmlns{colon}{prefix}=\"{namespace}\"").unwrap();
            self.scope[number] = namespace;
        }
        declared
    }

    fn attributes(&self, random: &mut Random, usable: &[usize]) -> Vec<String> {
        let mut attributes = Vec::new();
        let mut names: Vec<(&str, &str)> = Vec::new();
        for _ in 0..random.below(4) {
            let number = usable[random.below(usable.len())];
            let namespace = if number == 0 { "" } else { self.scope[number] };
            let local = random.one(&["x", "y", "z", "É"]);
            if names.contains(&(namespace, local)) {
                continue;
            }
            names.push((namespace, local));
            let colon = if number == 0 { "" } else { ":" };
            let (first, second) = (random.one(VALUES), random.one(VALUES));
            attributes.push(format!(" {}{colon}{local}=\"{first}{second}\"", PREFIXES[number]));
        }
        attributes
    }
}

#[test]
fn random_documents_have_the_form_that_libxml2_gives_them() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let digests = DIGESTS.chunks_exact(4);
    assert!(digests.len() >= 5_000);
    for (number, expected) in digests.enumerate() {
        let made = Made::new(&mut random);
        let form = made.canonical();
        let digest = digest::digest(&digest::SHA256, &form);
        assert!(
            digest.as_ref().starts_with(expected),
            "{number}, PrefixList {:?}:\n{}\nbecame\n{}",
            made.prefixes,
            made.text,
            String::from_utf8_lossy(&form)
        );
    }
}

/// Writes documents and their forms for `tests/saml/canonical.py`.
#[test]
#[ignore = "by hand: tests/saml/canonical.py"]
fn write_random_documents() {
    use std::io::Write as _;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    #[expect(clippy::disallowed_methods, reason = "by hand")]
    let settings = std::env::var("GENKAN_SAML_CANONICAL").unwrap();
    let (count, path) = settings.split_once(':').unwrap();
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for _ in 0..count.parse::<u64>().unwrap() {
        let made = Made::new(&mut random);
        let (text, form) = (STANDARD.encode(&made.text), STANDARD.encode(made.canonical()));
        writeln!(file, "{}\t{text}\t{form}", made.prefixes).unwrap();
    }
    file.flush().unwrap();
}
