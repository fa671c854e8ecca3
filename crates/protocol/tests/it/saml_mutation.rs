//! Honest answers, changed at random: nothing panics, and whatever is accepted has the
//! meaning that was signed.
//!
//! 100,000 of them with fixed seeds are part of the tests. By hand, in a release build, with how many there are in all and
//! a number for which no run has been made yet (without it the same ones come first again):
//! `GENKAN_SAML_MUTANTS=100000000 GENKAN_SAML_SEED=1 cargo test --release -p genkan-protocol --test it saml_mutation
//! -- --nocapture`.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use genkan_protocol::Trace;
use genkan_protocol::saml::Assertion;

use crate::saml_corpus::{Judge, vectors};

/// In each of the four tests.
const MUTANTS: u64 = 25_000;

/// What attackers write into messages.
const PIECES: &[&str] = &[
    "<!---->",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?x?>",
    "<!DOCTYPE a>",
    "&amp;",
    "&#13;",
    "&#x41;",
    "&a;",
    "\r",
    "\n",
    "\t",
    "\0",
    " ",
    "\"",
    "'",
    "<",
    ">",
    "/>",
    "</",
    "=",
    ":",
    "#",
    "\u{feff}",
    "\u{200b}",
    "é",
    "_evil1",
    "_assertion1",
    "_response1",
    "admin@acme.example",
    " ID=\"_assertion1\"",
    " xml:id=\"_a\"",
    " xmlns:saml=\"urn:x\"",
    " xmlns=\"\"",
    " xmlns:x=\"1\"",
    "<saml:Assertion>",
    "</saml:Assertion>",
    "<saml:NameID>admin@acme.example</saml:NameID>",
    "<ds:Object>",
    "</ds:Object>",
    "<ds:Transform Algorithm=\"urn:x\"/>",
    "<samlp:Extensions>",
    "</samlp:Extensions>",
    "saml:",
    "samlp:",
    "ds:",
    "URI=\"\"",
];

/// Numbers that are the same each time (xorshift64*, Vigna 2016).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        usize::try_from(number).unwrap() % limit.max(1)
    }

    /// A range within a text of this length, mostly a short one.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let longest = [1, 4, 16, 400, length][self.below(5)];
        start..(start + self.below(longest + 1)).min(length)
    }
}

/// One change. `other` is another honest message.
fn change(text: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let range = random.range(text.len());
    match random.below(8) {
        0 if !text.is_empty() => {
            let at = random.below(text.len());
            text[at] ^= 1 << random.below(8);
        }
        1 => drop(text.drain(range)),
        2 => {
            let copy = text[range].to_vec();
            let at = random.below(text.len() + 1);
            text.splice(at..at, copy);
        }
        3 => {
            let copy = other[random.range(other.len())].to_vec();
            text.splice(range, copy);
        }
        4 => exchange(text, random),
        5 => element(text, other, random),
        _ => {
            let piece = PIECES[random.below(PIECES.len())];
            // Where syntax is, more can go wrong.
            let at = text[range.start..]
                .iter()
                .position(|octet| matches!(octet, b'<' | b'>' | b'"' | b' '))
                .map_or(range.start, |more| range.start + more + random.below(2));
            text.splice(at..at, piece.bytes());
        }
    }
}

/// Two elements of a name change places, or one stands in for the other.
fn exchange(text: &mut Vec<u8>, random: &mut Random) {
    let first = random.range(text.len());
    let copy = text[first.clone()].to_vec();
    let second = random.range(text.len());
    text.splice(second, copy);
}

/// A whole element of one of the messages is put between two tags.
fn element(text: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let names = [
        "saml:Assertion",
        "saml:Subject",
        "saml:NameID",
        "ds:Signature",
        "ds:SignedInfo",
        "ds:Reference",
        "saml:Conditions",
    ];
    let name = names[random.below(names.len())];
    let source = if random.below(2) == 0 {
        text.clone()
    } else {
        other.to_vec()
    };
    let source = String::from_utf8_lossy(&source);
    let Some(start) = source.find(&format!("<{name}")) else {
        return;
    };
    let Some(end) = source[start..].find(&format!("</{name}>")) else {
        return;
    };
    let taken = source[start..start + end + name.len() + 3].as_bytes().to_vec();
    let tags: Vec<usize> = (0..text.len()).filter(|at| text[*at] == b'<').collect();
    if !tags.is_empty() {
        let at = tags[random.below(tags.len())];
        text.splice(at..at, taken);
    }
}

struct Honest {
    name: String,
    octets: Vec<u8>,
    judge: Judge,
    meaning: Assertion,
}

fn honest() -> Vec<Honest> {
    let chosen = vectors()
        .into_iter()
        .filter(|vector| vector.is_honest() && vector.file.ends_with(".xml"));
    let read = |mut vector: crate::saml_corpus::Vector| {
        let judge = Judge::new(std::mem::take(&mut vector.settings));
        let octets = vector.octets();
        let meaning = judge
            .judge(&STANDARD.encode(&octets), &mut Trace::default())
            .unwrap();
        Honest {
            name: vector.file,
            octets,
            judge,
            meaning,
        }
    };
    chosen.map(read).collect()
}

/// A number that a person chose for a run by hand.
#[expect(clippy::disallowed_methods, reason = "more mutants by hand")]
fn chosen(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[expect(clippy::print_stdout, reason = "a run by hand says what it did")]
fn mutants(seed: u64) {
    let count = chosen("GENKAN_SAML_MUTANTS").map_or(MUTANTS, |count| count / 4);
    let seed = seed ^ chosen("GENKAN_SAML_SEED").map_or(0, |more| more.wrapping_mul(0xA24B_AED4_963E_E407));
    let honest = honest();
    // Zero has no successor.
    let mut random = Random(seed.max(1));
    let (mut accepted, mut wrong) = (0_u64, String::new());
    for _ in 0..count {
        let base = &honest[random.below(honest.len())];
        let other = &honest[random.below(honest.len())];
        let mut octets = base.octets.clone();
        for _ in 0..=random.below(3) {
            change(&mut octets, &other.octets, &mut random);
        }
        let outcome = base.judge.judge(&STANDARD.encode(&octets), &mut Trace::default());
        let Ok(assertion) = outcome else { continue };
        accepted += 1;
        // Another honest message may have been put in as a whole.
        if assertion != base.meaning && assertion != other.meaning {
            let text = String::from_utf8_lossy(&octets);
            writeln!(wrong, "{}: {:?}\n{text}\n", base.name, assertion.name_id.value).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    // Changes outside of what is signed are accepted; without any of them, nothing was tried.
    assert!(accepted > count / 1_000, "{accepted}");
    println!(
        "{count} mutants of seed {seed:#018x}, of which {accepted} were accepted, each as it was signed"
    );
}

#[test]
fn a_changed_answer_means_what_was_signed_or_nothing_1() {
    mutants(0x9E37_79B9_7F4A_7C15);
}

#[test]
fn a_changed_answer_means_what_was_signed_or_nothing_2() {
    mutants(0xBF58_476D_1CE4_E5B9);
}

#[test]
fn a_changed_answer_means_what_was_signed_or_nothing_3() {
    mutants(0x94D0_49BB_1331_11EB);
}

#[test]
fn a_changed_answer_means_what_was_signed_or_nothing_4() {
    mutants(0xD6E8_FEB8_6659_FD93);
}
