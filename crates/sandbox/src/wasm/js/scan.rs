//! Finds the words `import` and `export` of a module that are code.
//!
//! It splits JavaScript into strings, templates, comments, regular expressions and
//! the rest, as far as that is needed. If it is mistaken, the engine gets broken
//! code and the call fails: only the bundle itself depends on it.
//!
//! Source: ECMAScript §12 (lexical grammar); the question whether `/` divides
//! or opens an expression is decided by the token before it.

/// A word that means something to modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) kind: StatementKind,
    /// Where the word begins.
    pub(super) at: usize,
    /// Whether it stands outside of all brackets.
    pub(super) is_top: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StatementKind {
    Import,
    Export,
}

/// An open bracket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    /// `(`; after `if`, `for`, `while` and `with` a statement follows its end.
    Paren {
        is_head: bool,
    },
    Square,
    /// `{` of statements, of an object, or of a template's `${`.
    Block,
    Object,
    Template,
}

/// The last token, as far as it decides the meaning of the next `/` and `{`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// A value has ended: `/` divides.
    Value,
    /// A name, also a value; `{` after it is a block (`class A {`).
    Name,
    /// A statement or operator has ended: a value comes next.
    Statement,
    Operator,
    /// `:`, whose meaning depends on the open bracket.
    Colon,
    /// `=>`, `)`, `else`, `do`, `try`, `finally`: a block may follow.
    BeforeBlock {
        value: bool,
    },
    /// `if`, `for`, `while`, `with`.
    Head,
    /// `.` or `?.`: a name that is no keyword follows.
    Dot,
}

pub(super) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    open: Vec<Open>,
    last: Last,
    words: Vec<Word>,
}

/// All words of a module in the order of the text.
///
/// # Errors
///
/// When a string, a template, a comment or a bracket does not end.
pub(super) fn words(text: &str) -> Result<Vec<Word>, String> {
    let mut scanner = Scanner {
        text: text.as_bytes(),
        at: 0,
        open: Vec::new(),
        last: Last::Statement,
        words: Vec::new(),
    };
    while scanner.step()? {}
    Ok(scanner.words)
}

impl Scanner<'_> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    /// Reads one token; false at the end.
    fn step(&mut self) -> Result<bool, String> {
        let Some(byte) = self.peek(0) else {
            return Ok(false);
        };
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => self.at += 1,
            b'\'' | b'"' => self.string(byte)?,
            b'`' => self.template()?,
            b'/' => self.slash()?,
            b'(' | b'[' | b'{' => self.opens(byte),
            b')' | b']' | b'}' => self.closes(byte)?,
            _ if is_name(byte) => self.name(),
            _ => self.operator(byte),
        }
        Ok(true)
    }

    fn string(&mut self, quote: u8) -> Result<(), String> {
        self.at += 1;
        loop {
            match self.peek(0) {
                Some(b'\\') => self.at += 2,
                Some(byte) if byte == quote => break,
                Some(b'\n' | b'\r') | None => return Err("a string in it does not end".to_owned()),
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        self.last = Last::Value;
        Ok(())
    }

    /// From a backquote, or the `}` of a template, to the next of either.
    fn template(&mut self) -> Result<(), String> {
        self.at += 1;
        loop {
            match self.peek(0) {
                Some(b'\\') => self.at += 2,
                Some(b'`') => {
                    self.at += 1;
                    self.last = Last::Value;
                    return Ok(());
                }
                Some(b'$') if self.peek(1) == Some(b'{') => {
                    self.at += 2;
                    self.open.push(Open::Template);
                    self.last = Last::Operator;
                    return Ok(());
                }
                Some(_) => self.at += 1,
                None => return Err("a template in it does not end".to_owned()),
            }
        }
    }

    fn slash(&mut self) -> Result<(), String> {
        match self.peek(1) {
            Some(b'/') => {
                let rest = &self.text[self.at..];
                let length = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
                self.at += length.unwrap_or(rest.len());
                Ok(())
            }
            Some(b'*') => {
                let rest = &self.text[self.at + 2..];
                let length = rest.windows(2).position(|pair| pair == b"*/");
                self.at += 4 + length.ok_or("a comment in it does not end")?;
                Ok(())
            }
            _ if matches!(
                self.last,
                Last::Value | Last::Name | Last::BeforeBlock { value: true }
            ) =>
            {
                self.at += 1;
                self.last = Last::Operator;
                Ok(())
            }
            _ => self.regex(),
        }
    }

    fn regex(&mut self) -> Result<(), String> {
        let mut in_class = false;
        self.at += 1;
        loop {
            match self.peek(0) {
                Some(b'\\') => self.at += 1,
                Some(b'[') => in_class = true,
                Some(b']') => in_class = false,
                Some(b'/') if !in_class => break,
                Some(b'\n' | b'\r') | None => {
                    return Err("a regular expression in it does not end".to_owned());
                }
                Some(_) => {}
            }
            self.at += 1;
        }
        self.at += 1;
        while self.peek(0).is_some_and(is_name) {
            self.at += 1;
        }
        self.last = Last::Value;
        Ok(())
    }

    fn opens(&mut self, byte: u8) {
        let open = match byte {
            b'(' => Open::Paren {
                is_head: self.last == Last::Head,
            },
            b'[' => Open::Square,
            _ => self.brace(),
        };
        self.last = if open == Open::Block {
            Last::Statement
        } else {
            Last::Operator
        };
        self.open.push(open);
        self.at += 1;
    }

    /// Whether `{` opens statements or an object.
    fn brace(&self) -> Open {
        match self.last {
            Last::Operator | Last::Dot | Last::Value | Last::Head => Open::Object,
            Last::Statement | Last::Name | Last::BeforeBlock { .. } => Open::Block,
            // `case 1: {` and labels, or the value of a property or of `a ? b : {`.
            Last::Colon => match self.open.last() {
                None | Some(Open::Block) => Open::Block,
                Some(_) => Open::Object,
            },
        }
    }

    fn closes(&mut self, byte: u8) -> Result<(), String> {
        let open = self.open.pop().ok_or("a bracket in it closes nothing")?;
        self.last = match (byte, open) {
            (b')', Open::Paren { is_head }) => Last::BeforeBlock { value: !is_head },
            (b']', Open::Square) | (b'}', Open::Object) => Last::Value,
            (b'}', Open::Block) => Last::Statement,
            (b'}', Open::Template) => return self.template(),
            _ => return Err("the brackets in it do not match".to_owned()),
        };
        self.at += 1;
        Ok(())
    }

    fn operator(&mut self, byte: u8) {
        let pair = (byte, self.peek(1));
        let (length, last) = match pair {
            // After `x++` comes no value; before `++x` hardly ever a `/`.
            (b'+', Some(b'+')) | (b'-', Some(b'-')) => (2, Last::Value),
            (b'=', Some(b'>')) => (2, Last::BeforeBlock { value: false }),
            (b'.', Some(b'.')) => (3, Last::Operator),
            (b'.', _) => (1, Last::Dot),
            (b'?', Some(b'.')) if !self.peek(2).is_some_and(|byte| byte.is_ascii_digit()) => (2, Last::Dot),
            (b';', _) => (1, Last::Statement),
            (b':', _) => (1, Last::Colon),
            _ => (1, Last::Operator),
        };
        self.at += length;
        self.last = last;
    }

    fn name(&mut self) {
        let start = self.at;
        while let Some(byte) = self.peek(0) {
            // `\u{…}` in a name.
            if byte == b'\\' && self.peek(2) == Some(b'{') {
                let rest = &self.text[self.at..];
                self.at += rest
                    .iter()
                    .position(|byte| *byte == b'}')
                    .map_or(rest.len(), |end| end + 1);
            } else if is_name(byte) || (byte == b'.' && self.is_decimal(start)) {
                self.at += 1;
            } else {
                break;
            }
        }
        if self.last == Last::Dot {
            self.last = Last::Value;
            return;
        }
        let name = &self.text[start..self.at];
        let kind = match name {
            b"import" => Some(StatementKind::Import),
            b"export" => Some(StatementKind::Export),
            _ => None,
        };
        if let Some(kind) = kind {
            let is_top = self.open.is_empty();
            self.words.push(Word {
                kind,
                at: start,
                is_top,
            });
        }
        self.last = match name {
            b"return" | b"typeof" | b"instanceof" | b"in" | b"new" | b"delete" | b"void" | b"throw"
            | b"case" | b"yield" | b"await" | b"extends" | b"default" | b"export" => Last::Operator,
            b"else" | b"do" | b"try" | b"finally" => Last::BeforeBlock { value: false },
            b"if" | b"for" | b"while" | b"with" => Last::Head,
            _ => Last::Name,
        };
    }

    /// Whether the token from `start` on is a number, so that `.` belongs to it.
    fn is_decimal(&self, start: usize) -> bool {
        self.text[start..self.at].iter().all(u8::is_ascii_digit)
    }
}

/// Letters, digits, `_`, `$`, `#` of private names, `@` of decorators, `\` of
/// escapes, and everything beyond ASCII.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'#' | b'@' | b'\\') || byte >= 0x80
}
