//! Reads the values of a TypeScript file as data. Nothing is run.
//!
//! `const name: Type = value` is read where the value consists of literals: texts, numbers, `true`, `false`, `null`, lists, tables, `...` of
//! another such constant, and products and sums of numbers or texts. Everything else becomes [`Value::Code`].

mod lexer;

use std::collections::{BTreeMap, HashMap};

use self::lexer::{Token, TokenKind, tokenize};
use crate::tree::{Budget, Node, ScalarKind, TOO_LARGE, Value};

/// The most levels of a value.
const MAX_DEPTH: usize = 64;

/// The most bytes of code that are kept of a value.
const MAX_CODE: usize = 80;

/// Reads the constants of a file.
struct Parser<'s, 'b> {
    source: &'s str,
    tokens: Vec<Token<'s>>,
    position: usize,
    constants: BTreeMap<String, Node>,
    budget: &'b mut Budget,
}

/// Returns the constants at the top of a file, by name.
pub(crate) fn read_constants(source: &str, budget: &mut Budget) -> Result<BTreeMap<String, Node>, String> {
    let tokens = tokenize(source)?;
    let mut parser = Parser { source, tokens, position: 0, constants: BTreeMap::new(), budget };
    parser.read_file();
    if parser.budget.is_exhausted() {
        return Err(TOO_LARGE.to_owned());
    }
    Ok(parser.constants)
}

impl<'s> Parser<'s, '_> {
    fn peek(&self) -> Option<&Token<'s>> {
        self.tokens.get(self.position)
    }

    /// Whether the next token is this sign or word.
    fn is_next(&self, text: &str) -> bool {
        self.peek().is_some_and(|token| token.is(text))
    }

    /// Steps over the next token if it is this sign or word.
    fn accept(&mut self, text: &str) -> bool {
        let found = self.is_next(text);
        self.position += usize::from(found);
        found
    }

    fn line(&self) -> usize {
        self.peek().or(self.tokens.last()).map_or(1, |token| token.line)
    }

    fn read_file(&mut self) {
        while self.position < self.tokens.len() && !self.budget.is_exhausted() {
            if self.accept("const") || self.accept("let") || self.accept("var") {
                let Some(name) =
                    self.peek().filter(|token| token.kind == TokenKind::Word).map(|token| token.text)
                else {
                    continue;
                };
                self.position += 1;
                if self.is_next(":") {
                    self.skip_type();
                }
                if self.accept("=") {
                    let value = self.read_value(0);
                    self.constants.insert(name.to_owned(), value);
                }
            } else if self.accept("export") {
                if self.accept("default") {
                    let value = self.read_value(0);
                    self.constants.insert("default".to_owned(), value);
                }
            } else if ["{", "(", "["].iter().any(|open| self.is_next(open)) {
                self.skip_group();
            } else {
                self.position += 1;
            }
        }
    }

    /// Steps over a type, up to the `=` behind it.
    fn skip_type(&mut self) {
        while let Some(token) = self.peek() {
            if token.is("=") || token.is(";") {
                return;
            }
            if ["{", "(", "["].iter().any(|open| token.is(open)) {
                self.skip_group();
            } else {
                self.position += 1;
            }
        }
    }

    /// Steps over a group in brackets.
    fn skip_group(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.peek() {
            if token.kind == TokenKind::Sign {
                match token.text {
                    "{" | "(" | "[" => depth += 1,
                    "}" | ")" | "]" => depth = depth.saturating_sub(1),
                    _ => {}
                }
            }
            self.position += 1;
            if depth == 0 {
                return;
            }
        }
    }

    /// Reads a value up to the comma, bracket or semicolon behind it.
    fn read_value(&mut self, depth: usize) -> Node {
        let (begin, line) = (self.position, self.line());
        let read = if self.budget.take(1, 0) && depth < MAX_DEPTH { self.read_sum(depth) } else { None };
        let read = read.filter(|_| {
            // `as const` and `satisfies Type` change nothing.
            if self.is_next("as") || self.is_next("satisfies") {
                self.skip_to_end();
            }
            self.at_end(begin)
        });
        read.unwrap_or_else(|| {
            self.position = begin;
            self.skip_to_end();
            let from = self.tokens.get(begin).map_or(0, |token| token.start);
            let to = self.tokens.get(self.position).map_or(self.source.len(), |token| token.start);
            let code: String =
                self.source.get(from..to).unwrap_or_default().trim().chars().take(MAX_CODE).collect();
            Node::new(Value::Code(code), line)
        })
    }

    /// Whether the value ends here. A new statement on another line ends it as well.
    fn at_end(&self, begin: usize) -> bool {
        let Some(token) = self.peek() else { return true };
        let last =
            self.position.checked_sub(1).filter(|last| *last >= begin).and_then(|last| self.tokens.get(last));
        let other_line = last.is_some_and(|last| last.line_end < token.line);
        [",", "}", "]", ")", ";"].iter().any(|end| token.is(end))
            || (other_line && token.kind == TokenKind::Word)
    }

    fn skip_to_end(&mut self) {
        let begin = self.position;
        while let Some(token) = self.peek() {
            if [",", "}", "]", ")", ";"].iter().any(|end| token.is(end)) {
                return;
            }
            if ["{", "(", "["].iter().any(|open| token.is(open)) {
                self.skip_group();
            } else {
                self.position += 1;
            }
            let word = ["const", "let", "export", "function", "import"].iter().any(|word| self.is_next(word));
            if word && self.at_end(begin) {
                return;
            }
        }
    }

    /// Reads a sum of products.
    fn read_sum(&mut self, depth: usize) -> Option<Node> {
        let mut left = self.read_product(depth)?;
        while self.accept("+") {
            let right = self.read_product(depth)?;
            left = if let (Some(a), Some(b)) = (number(&left), number(&right)) {
                scalar((a + b).to_string(), ScalarKind::Number, left.line)
            } else {
                // In place: a sum of many texts would be copied once for each of them.
                let (line, mut joined) = (left.line, into_text(left)?);
                joined.push_str(text(&right)?);
                scalar(joined, ScalarKind::Text, line)
            };
        }
        Some(left)
    }

    fn read_product(&mut self, depth: usize) -> Option<Node> {
        let mut left = self.read_primary(depth)?;
        while self.accept("*") {
            let right = self.read_primary(depth)?;
            left = scalar((number(&left)? * number(&right)?).to_string(), ScalarKind::Number, left.line);
        }
        Some(left)
    }

    fn read_primary(&mut self, depth: usize) -> Option<Node> {
        let token = self.peek()?.clone();
        let line = token.line;
        self.position += 1;
        match token.kind {
            TokenKind::Text(text) => Some(scalar(text, ScalarKind::Text, line)),
            TokenKind::Number => {
                let digits = token.text.replace('_', "");
                Some(scalar(digits.parse::<f64>().ok()?.to_string(), ScalarKind::Number, line))
            }
            TokenKind::Sign => match token.text {
                "-" if depth < MAX_DEPTH => {
                    let node = self.read_primary(depth + 1)?;
                    Some(scalar((-number(&node)?).to_string(), ScalarKind::Number, line))
                }
                "(" => {
                    let node = self.read_value(depth + 1);
                    self.accept(")").then_some(node).filter(|node| !matches!(node.value, Value::Code(_)))
                }
                "[" => self.read_list(depth, line),
                "{" => self.read_table(depth, line),
                _ => None,
            },
            TokenKind::Word => match token.text {
                "true" | "false" => Some(scalar(token.text.to_owned(), ScalarKind::Bool, line)),
                "null" | "undefined" => Some(Node::null(line)),
                name => self.use_constant(name),
            },
            TokenKind::Other => None,
        }
    }

    /// Returns a copy of a constant.
    fn use_constant(&mut self, name: &str) -> Option<Node> {
        let node = self.constants.get(name)?;
        (self.budget.take_copy(node) && node.depth() < MAX_DEPTH).then(|| node.clone())
    }

    fn read_list(&mut self, depth: usize, line: usize) -> Option<Node> {
        let mut items = Vec::new();
        while !self.accept("]") {
            if self.accept("...") {
                let node = self.read_value(depth + 1);
                match node.value {
                    Value::List(more) => items.extend(more),
                    _ => items.push(Node::new(
                        Value::Code(format!("...{}", text(&node).unwrap_or_default())),
                        node.line,
                    )),
                }
            } else {
                self.peek()?;
                items.push(self.read_value(depth + 1));
            }
            if !self.accept(",") && !self.is_next("]") {
                return None;
            }
        }
        Some(Node::new(Value::List(items), line))
    }

    fn read_table(&mut self, depth: usize, line: usize) -> Option<Node> {
        let mut entries = Entries::default();
        while !self.accept("}") {
            let token = self.peek()?.clone();
            if self.accept("...") {
                let node = self.read_value(depth + 1);
                match node.value {
                    Value::Table(more) => {
                        for (key, value) in more {
                            entries.set(key, value);
                        }
                    }
                    _ => entries.set("...".to_owned(), Node::new(Value::Code("...".to_owned()), node.line)),
                }
            } else {
                let key = self.read_key()?;
                if self.accept(":") {
                    let value = self.read_value(depth + 1);
                    entries.set(key, value);
                } else if self.is_next(",") || self.is_next("}") {
                    // `{ name }` is `{ name: name }`.
                    let code = || Node::new(Value::Code(key.clone()), token.line);
                    let value = self.use_constant(&key).unwrap_or_else(code);
                    entries.set(key, value);
                } else {
                    // A method: its parameters, its type and its body.
                    self.skip_to_end();
                    entries.set(key, Node::new(Value::Code("a function".to_owned()), token.line));
                }
            }
            if !self.accept(",") && !self.is_next("}") {
                return None;
            }
        }
        Some(Node::new(Value::Table(entries.list), line))
    }

    fn read_key(&mut self) -> Option<String> {
        if self.is_next("async")
            && !self.tokens.get(self.position + 1).is_some_and(|token| token.is(":") || token.is(","))
        {
            self.position += 1;
        }
        let token = self.peek()?.clone();
        self.position += 1;
        match token.kind {
            TokenKind::Word | TokenKind::Number => Some(token.text.to_owned()),
            TokenKind::Text(text) => Some(text),
            TokenKind::Sign | TokenKind::Other => None,
        }
    }
}

/// The entries of a table in the order of their keys. Of several values of a key, the last one counts.
#[derive(Debug, Default)]
struct Entries {
    list: Vec<(String, Node)>,
    positions: HashMap<String, usize>,
}

impl Entries {
    fn set(&mut self, key: String, value: Node) {
        if let Some(position) = self.positions.get(&key) {
            self.list[*position].1 = value;
        } else {
            self.positions.insert(key.clone(), self.list.len());
            self.list.push((key, value));
        }
    }
}

fn scalar(text: String, kind: ScalarKind, line: usize) -> Node {
    Node::new(Value::Scalar(text, kind), line)
}

fn number(node: &Node) -> Option<f64> {
    match &node.value {
        Value::Scalar(text, ScalarKind::Number) => text.parse().ok(),
        _ => None,
    }
}

fn into_text(node: Node) -> Option<String> {
    match node.value {
        Value::Scalar(text, ScalarKind::Text | ScalarKind::Number) => Some(text),
        _ => None,
    }
}

fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar(text, ScalarKind::Text | ScalarKind::Number) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
