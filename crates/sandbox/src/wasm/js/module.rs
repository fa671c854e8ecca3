//! Turns a module into the body of an async function.
//!
//! Imports become constants from `__openneko_import`, exports lose their keyword,
//! and `import.meta` becomes a parameter. Lines keep their numbers, so the engine's
//! errors name the right lines of the bundle.

use super::modules;
use super::scan::{StatementKind, Word, words};

/// Rewrites a bundle, or says why this engine cannot run it.
///
/// # Errors
///
/// A sentence that names the import which is not offered, the dynamic import,
/// or what is wrong with the text.
pub(in crate::wasm) fn function_body(source: &str) -> Result<String, String> {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let mut out = Body {
        source,
        prelude: "\"use strict\";".to_owned(),
        text: String::with_capacity(source.len() + 200),
        copied: 0,
    };
    let mut start = 0;
    if let Some(rest) = source.strip_prefix("#!") {
        out.replace(0, 2, "//");
        start = 2 + rest.find('\n').unwrap_or(rest.len());
    }
    // The scanner does not know hashbangs.
    let found = words(&source[start..])?.into_iter().map(|word| Word {
        at: word.at + start,
        ..word
    });
    for word in found {
        // It is part of a statement that was already rewritten.
        if word.at < out.copied {
            continue;
        }
        match word.kind {
            StatementKind::Import => import(&mut out, word)?,
            StatementKind::Export => export(&mut out, word)?,
        }
    }
    out.copy(source.len());
    Ok(out.prelude + &out.text)
}

/// The rewritten part of the text.
struct Body<'a> {
    source: &'a str,
    /// Goes before the first line.
    prelude: String,
    text: String,
    copied: usize,
}

impl Body<'_> {
    fn copy(&mut self, end: usize) {
        self.text.push_str(&self.source[self.copied..end]);
        self.copied = end;
    }

    /// Puts a text in the place of another, and keeps its line breaks.
    fn replace(&mut self, start: usize, end: usize, with: &str) {
        self.copy(start);
        self.text.push_str(with);
        let lines = self.source[start..end].matches('\n').count();
        self.text.extend(std::iter::repeat_n('\n', lines));
        self.copied = end;
    }
}

fn import(out: &mut Body<'_>, word: Word) -> Result<(), String> {
    let mut reader = Reader::new(out.source, word.at + "import".len());
    match reader.peek() {
        Some('(') => {
            return Err(
                "it imports while it runs (`import(…)`), which the WebAssembly engine does not offer"
                    .to_owned(),
            );
        }
        Some('.') => {
            reader.punctuation('.');
            if reader.name() != Some("meta") {
                return Err(
                    "it uses a form of `import` that the WebAssembly engine does not offer".to_owned(),
                );
            }
            out.replace(word.at, reader.at, "__openneko_meta");
            return Ok(());
        }
        // A property, or a misplaced name, which the engine will report.
        Some('"' | '\'' | '{' | '*') => {}
        Some(next) if word.is_top && is_name_start(next) => {}
        _ => return Ok(()),
    }
    if !word.is_top {
        return Ok(());
    }
    let constants = import_clause(&mut reader)?;
    out.prelude.push_str(&constants);
    out.replace(word.at, reader.at, ";");
    Ok(())
}

/// What follows `import`, as declarations of constants.
fn import_clause(reader: &mut Reader<'_>) -> Result<String, String> {
    let broken = || "an `import` in it cannot be read".to_owned();
    if let Some(specifier) = reader.string() {
        let module = modules::find(&specifier)?;
        reader.end_of_import();
        return Ok(format!("__openneko_import(\"{module}\");"));
    }
    let mut parts: Vec<(String, &str)> = Vec::new();
    let mut namespace = None;
    if let Some(local) = reader.name() {
        parts.push(("default".to_owned(), local));
        if !reader.punctuation(',') {
            return finish_import(reader, &parts, namespace);
        }
    }
    if reader.punctuation('*') {
        if reader.name() != Some("as") {
            return Err(broken());
        }
        namespace = Some(reader.name().ok_or_else(broken)?);
        return finish_import(reader, &parts, namespace);
    }
    if !reader.punctuation('{') {
        return Err(broken());
    }
    while !reader.punctuation('}') {
        let (imported, mut local) = match reader.string() {
            Some(text) => (text, None),
            None => {
                let name = reader.name().ok_or_else(broken)?;
                (name.to_owned(), Some(name))
            }
        };
        if reader.peek_name() == Some("as") {
            reader.name();
            local = reader.name();
        }
        parts.push((imported, local.ok_or_else(broken)?));
        if !reader.punctuation(',') && reader.peek() != Some('}') {
            return Err(broken());
        }
    }
    finish_import(reader, &parts, namespace)
}

fn finish_import(
    reader: &mut Reader<'_>,
    parts: &[(String, &str)],
    namespace: Option<&str>,
) -> Result<String, String> {
    let from = reader.name() == Some("from");
    let specifier = reader.string().filter(|_| from);
    let specifier = specifier.ok_or("an `import` in it cannot be read")?;
    reader.end_of_import();
    let module = modules::find(&specifier)?;
    let mut out = String::new();
    if let Some(local) = namespace {
        out.push_str(&format!("const {local}=__openneko_import(\"{module}\");"));
    }
    for (imported, local) in parts {
        modules::check_name(module, imported)?;
        // `check_name` lets nothing through that would need quotes.
        out.push_str(&format!(
            "const {{{imported}:{local}}}=__openneko_import(\"{module}\");"
        ));
    }
    Ok(out)
}

fn export(out: &mut Body<'_>, word: Word) -> Result<(), String> {
    let mut reader = Reader::new(out.source, word.at + "export".len());
    if !word.is_top {
        return Ok(());
    }
    match reader.peek() {
        Some('{') => {
            if !reader.skip_braces() {
                return Err("an `export` in it cannot be read".to_owned());
            }
            export_from(out, word, reader)
        }
        Some('*') => {
            reader.punctuation('*');
            if reader.peek_name() == Some("as") {
                reader.name();
                reader.name();
            }
            export_from(out, word, reader)
        }
        Some(next) if is_name_start(next) => {
            let end = reader.at;
            if reader.name() != Some("default") {
                out.replace(word.at, end, "");
                return Ok(());
            }
            let end = reader.at;
            let with = if reader.is_named_declaration() {
                ""
            } else {
                "const __openneko_default="
            };
            out.replace(word.at, end, with);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The rest of `export {…}` and `export *`: maybe `from` a module.
fn export_from(out: &mut Body<'_>, word: Word, mut reader: Reader<'_>) -> Result<(), String> {
    let mut end = reader.at;
    if reader.peek_name() == Some("from") {
        reader.name();
        let specifier = reader.string().ok_or("an `export` in it cannot be read")?;
        modules::find(&specifier)?;
        reader.end_of_import();
        end = reader.at;
    }
    out.replace(word.at, end, ";");
    Ok(())
}

/// Reads the few tokens that imports and exports are made of.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '_' | '$')
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, at: usize) -> Self {
        let mut reader = Self { text, at };
        reader.skip();
        reader
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Passes white space and comments.
    fn skip(&mut self) {
        loop {
            let rest = self.rest();
            let length = rest.len() - rest.trim_start().len();
            self.at += length;
            let rest = self.rest();
            let comment = if rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                rest.find("*/").map_or(rest.len(), |end| end + 2)
            } else {
                return;
            };
            self.at += comment;
        }
    }

    fn punctuation(&mut self, c: char) -> bool {
        let is_there = self.peek() == Some(c);
        if is_there {
            self.at += c.len_utf8();
            self.skip();
        }
        is_there
    }

    fn peek_name(&self) -> Option<&'a str> {
        let rest = self.rest();
        if !rest.starts_with(is_name_start) {
            return None;
        }
        let is_end = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$'));
        Some(&rest[..rest.find(is_end).unwrap_or(rest.len())])
    }

    fn name(&mut self) -> Option<&'a str> {
        let name = self.peek_name()?;
        self.at += name.len();
        self.skip();
        Some(name)
    }

    /// A string without escapes: names of modules need none.
    fn string(&mut self) -> Option<String> {
        let quote = self.peek().filter(|c| matches!(c, '"' | '\''))?;
        let rest = &self.rest()[1..];
        let value = &rest[..rest.find(quote)?];
        self.at += value.len() + 2;
        self.skip();
        Some(value.to_owned())
    }

    /// Attributes and the semicolon after a module's name.
    fn end_of_import(&mut self) {
        let before = self.at;
        if matches!(self.peek_name(), Some("with" | "assert")) {
            self.name();
            if self.peek() != Some('{') || !self.skip_braces() {
                self.at = before;
            }
        }
        if self.peek() == Some(';') {
            self.at += 1;
        }
    }

    fn skip_braces(&mut self) -> bool {
        let Some(end) = self.rest().find('}') else {
            return false;
        };
        self.at += end + 1;
        self.skip();
        true
    }

    /// Whether a function or class with a name follows, which stays one.
    fn is_named_declaration(&mut self) -> bool {
        if self.peek_name() == Some("async") {
            self.name();
        }
        let keyword = self.name();
        if keyword == Some("function") {
            self.punctuation('*');
        }
        matches!(keyword, Some("function" | "class"))
            && self.peek_name().is_some_and(|name| name != "extends")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body(source: &str) -> String {
        let body = function_body(source).unwrap();
        body.strip_prefix("\"use strict\";").unwrap().to_owned()
    }

    #[test]
    fn imports_become_constants_and_lines_stay() {
        let source = "import { createHash as h, timingSafeEqual } from \"node:crypto\";\nimport dns from 'dns'\nimport * as u from\n  \"node:url\";\nimport \"node:buffer\";\nh();";
        let prelude = "const {createHash:h}=__openneko_import(\"crypto\");const {timingSafeEqual:timingSafeEqual}=__openneko_import(\"crypto\");\
                       const {default:dns}=__openneko_import(\"dns\");const u=__openneko_import(\"url\");__openneko_import(\"buffer\");";
        let body = body(source);
        let rest = body.strip_prefix(prelude).unwrap();
        assert_eq!(rest.lines().nth(5), Some("h();"));
    }

    #[test]
    fn minified_imports_are_read() {
        let body = body("import{createHmac as a}from\"crypto\";import b,{env as c}from\"process\";a(b,c)");
        assert!(
            body.contains("const {createHmac:a}=__openneko_import(\"crypto\");"),
            "{body}"
        );
        assert!(body.contains("const {default:b}="), "{body}");
        assert!(body.contains("const {env:c}="), "{body}");
    }

    #[test]
    fn what_is_not_offered_is_named() {
        for (source, part) in [
            ("import fs from 'node:fs';", "`node:fs`"),
            ("import { readFile } from \"fs/promises\"", "`fs/promises`"),
            (
                "import { createCipheriv } from 'node:crypto'",
                "`createCipheriv` of `node:crypto`",
            ),
            ("import x from './other.js'", "`./other.js`"),
            ("import { z } from 'zod'", "`zod`"),
            ("export * from 'node:net'", "`node:net`"),
            ("export { connect } from 'node:tls'", "`node:tls`"),
            ("const fs = await import('node:fs')", "while it runs"),
            ("function f() { return import ( 'x' ) }", "while it runs"),
            ("import.defer('x')", "a form of `import`"),
            ("import { a from 'crypto'", "cannot be read"),
        ] {
            let error = function_body(source).unwrap_err();
            assert!(error.contains(part), "{source}: {error}");
        }
    }

    #[test]
    fn exports_lose_their_keyword() {
        assert_eq!(body("export const a = 1;"), "const a = 1;");
        assert_eq!(
            body("export default async function main() {}"),
            "async function main() {}"
        );
        assert_eq!(
            body("export default class extends B {}"),
            "const __openneko_default=class extends B {}"
        );
        assert_eq!(
            body("export default { a: 1 };"),
            "const __openneko_default={ a: 1 };"
        );
        assert_eq!(
            body("const a = 1;\nexport {\n  a as b\n};"),
            "const a = 1;\n;\n\n;"
        );
    }

    #[test]
    fn words_in_strings_comments_templates_and_expressions_are_left_alone() {
        for source in [
            "const a = \"import x from 'fs'\";",
            "// import x from 'fs'\n/* export { a } */ f();",
            "const a = `import ${ { import: `export ${1}` }.import } from 'fs'`;",
            "const a = b / import_ / c;",
            "const r = /import x from \"fs/.test(y);",
            "if (a) /['\"`]import/.test(b);",
            "const a = x++ / 2 / import_;",
            "x = {}\n/ 1 / import_",
            "a.import = b.export / 2 / 1;",
            "const o = { import: 1, export: 2 };",
            "const r = [/[/'\"]/g, /\\/'/];",
            "f(() => {}); /'/.test(a);",
            "return_ = a ? /'/ : /\"/;",
            "const t = typeof /'/;",
            "const v = (a + b) / 2, w = \"'\";",
            "const n = 1.5 / 2, m = '/';",
            "for (const x of y) /'/.exec(x);",
            "label: { /'/.exec(x) }",
            "class A { #x = 1; static { /'/.test(1) } }",
        ] {
            assert_eq!(body(source), source);
        }
    }

    #[test]
    fn a_hashbang_and_import_meta_are_read() {
        assert_eq!(
            body("#!/usr/bin/env node's\nimport.meta.url"),
            "///usr/bin/env node's\n__openneko_meta.url"
        );
        assert_eq!(body("f(import.meta)"), "f(__openneko_meta)");
    }

    proptest! {
        #[test]
        fn no_text_panics(parts in prop::collection::vec(
            prop::sample::select(vec![
                "import", "export", " ", "{", "}", "(", ")", "`", "${", "'", "\"", "/", "*", "//", "/*", "*/", "\n", "\\", "\\u{", "as",
                "from", "default", "node:crypto", "x", ".", ";", ",", "#!", "é", "=>", ":", "?.", "++", "function", "class", "async", "with", "1.",
            ]), 0..40)) {
            let _ = function_body(&parts.concat());
        }

        #[test]
        fn code_without_modules_stays_as_it_is(name in "[a-z]{1,8}", number: u32) {
            prop_assume!(!["import", "export"].contains(&name.as_str()));
            let source = format!("const {name}_ = {number} / 2;\n`${{{name}_}}`;");
            prop_assert_eq!(body(&source), source);
        }
    }
}
