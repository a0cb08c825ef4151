//! The parser: text to [`Node`], by hand, with the depth as an argument.
//!
//! Precedence is that of RFC 7644 §3.4.2.2: `not`, then `and`, then `or`; brackets first.

use super::{
    DEPTH_MAX, LENGTH_MAX, TERMS_MAX,
    node::{Known, Literal, Node, Operator, Subject},
};
use crate::{
    error::Error,
    schema::{Attribute, AttributeType, Named, ResourceType, resolve},
    values,
};

/// Parses a whole filter.
pub(super) fn filter(resource_type: ResourceType, text: &str) -> Result<Node, Error> {
    let mut parser = Parser::new(text, Scope::Resource(resource_type))?;
    let node = parser.or(0)?;
    parser.skip_spaces();
    if parser.rest.is_empty() {
        Ok(node)
    } else {
        Err(parser.expected("\"and\", \"or\" or the end"))
    }
}

/// Parses `[…]` after `attribute`; also returns what follows.
pub(super) fn bracket<'t>(
    attribute: &'static Attribute,
    text: &'t str,
) -> Result<(Node, &'t str), Error> {
    let mut parser = Parser::new(text, Scope::Element(attribute))?;
    parser.expect('[')?;
    let node = parser.or(1)?;
    parser.expect(']')?;
    Ok((node, parser.rest))
}

/// What the names in a filter refer to.
#[derive(Clone, Copy)]
enum Scope {
    /// Attributes of a resource.
    Resource(ResourceType),
    /// Within brackets: sub-attributes of this attribute.
    Element(&'static Attribute),
}

struct Parser<'t> {
    text: &'t str,
    rest: &'t str,
    scope: Scope,
    terms: usize,
}

/// A literal as it stands in the text.
enum Token<'t> {
    Quoted(String),
    Bare(&'t str),
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, scope: Scope) -> Result<Self, Error> {
        if text.len() > LENGTH_MAX {
            return Err(Error::invalid_filter(format!("a filter has at most {LENGTH_MAX} bytes")));
        }
        Ok(Self { text, rest: text, scope, terms: 0 })
    }

    fn or(&mut self, depth: usize) -> Result<Node, Error> {
        let first = self.and(depth)?;
        if !self.take_word("or") {
            return Ok(first);
        }
        let mut terms = vec![first, self.and(depth)?];
        while self.take_word("or") {
            terms.push(self.and(depth)?);
        }
        Ok(Node::or(terms))
    }

    fn and(&mut self, depth: usize) -> Result<Node, Error> {
        let first = self.term(depth)?;
        if !self.take_word("and") {
            return Ok(first);
        }
        let mut terms = vec![first, self.term(depth)?];
        while self.take_word("and") {
            terms.push(self.term(depth)?);
        }
        Ok(Node::and(terms))
    }

    fn term(&mut self, depth: usize) -> Result<Node, Error> {
        self.skip_spaces();
        if self.take('(') {
            return self.group(depth);
        }
        let name = self.word();
        if name.eq_ignore_ascii_case("not") {
            self.skip_spaces();
            self.expect('(')?;
            return Ok(Node::Not(Box::new(self.group(depth)?)));
        }
        if name.is_empty() {
            return Err(self.expected("an attribute name"));
        }
        self.terms += 1;
        if self.terms > TERMS_MAX {
            return Err(Error::invalid_filter(format!("a filter has at most {TERMS_MAX} terms")));
        }
        if self.rest.starts_with('[') {
            self.value_path(name, depth)
        } else {
            self.comparison(name)
        }
    }

    /// What follows an opening parenthesis.
    fn group(&mut self, depth: usize) -> Result<Node, Error> {
        let node = self.or(deeper(depth)?)?;
        self.skip_spaces();
        self.expect(')')?;
        Ok(node)
    }

    /// `emails[…]`, and Entra's `emails[…].value eq "x"` and `emails[…] eq "x"`, which mean
    /// `emails[… and value eq "x"]`.
    fn value_path(&mut self, name: &str, depth: usize) -> Result<Node, Error> {
        let Scope::Resource(resource_type) = self.scope else {
            return Err(self.refuse("brackets within brackets"));
        };
        let known = match resolve(resource_type, name) {
            Ok(Named::Attribute(place, None)) if place.attribute.is_complex() => {
                Known { resource_type, place, sub: None }
            }
            Ok(_) => return Err(self.refuse(&format!("a value filter on {name:?}"))),
            Err(detail) => return Err(Error::invalid_filter(detail)),
        };
        let attribute = known.place.attribute;
        let depth = deeper(depth)?;
        self.expect('[')?;
        self.scope = Scope::Element(attribute);
        let inner = self.or(depth)?;
        self.skip_spaces();
        self.expect(']')?;
        let inner = self.after_bracket(attribute, inner)?;
        self.scope = Scope::Resource(resource_type);
        Ok(Node::Element(known, Box::new(inner)))
    }

    fn after_bracket(&mut self, attribute: &'static Attribute, inner: Node) -> Result<Node, Error> {
        let extra = if self.take('.') {
            let sub = self.word();
            self.comparison(sub)?
        } else {
            let before = self.rest;
            self.skip_spaces();
            let word = self.word();
            self.rest = before;
            if Operator::from_name(word).is_none() {
                return Ok(inner);
            }
            if attribute.value_attribute().is_none() {
                return Err(self.refuse(&format!("{} without a sub-attribute", attribute.name)));
            }
            self.comparison("value")?
        };
        self.terms += 1;
        Ok(Node::and(vec![inner, extra]))
    }

    /// What follows an attribute name: `pr`, or an operator and a literal.
    fn comparison(&mut self, name: &str) -> Result<Node, Error> {
        let (subject, attribute) = self.subject(name)?;
        self.skip_spaces();
        let word = self.word();
        if word.eq_ignore_ascii_case("pr") {
            return Ok(Node::Present(subject));
        }
        let Some(operator) = Operator::from_name(word) else {
            return Err(self.expected(&format!("an operator after {name}, got {word:?}")));
        };
        let (subject, attribute) = value_of(subject, attribute);
        if let Some(attribute) = attribute.filter(|attribute| attribute.is_complex()) {
            return Err(Error::invalid_filter(format!(
                "{} is complex; compare one of its sub-attributes",
                attribute.name
            )));
        }
        self.skip_spaces();
        let token = self.literal(name)?;
        let literal = typed(name, attribute, operator, token)?;
        Ok(Node::Compare(subject, operator, literal))
    }

    fn subject(&self, name: &str) -> Result<(Subject, Option<&'static Attribute>), Error> {
        match self.scope {
            Scope::Element(parent) => match parent.sub_attribute(name) {
                Some(sub) => Ok((Subject::Element(sub), Some(sub))),
                None => Err(Error::invalid_filter(format!(
                    "{name:?} is not a sub-attribute of {}",
                    parent.name
                ))),
            },
            Scope::Resource(resource_type) => match resolve(resource_type, name) {
                Ok(Named::Attribute(place, sub)) => {
                    let attribute = sub.unwrap_or(place.attribute);
                    Ok((Subject::Known(Known { resource_type, place, sub }), Some(attribute)))
                }
                Ok(Named::Foreign(text)) => Ok((Subject::Foreign(text), None)),
                Ok(_) => Err(Error::invalid_filter(format!("{name:?} cannot be compared"))),
                Err(detail) => Err(Error::invalid_filter(detail)),
            },
        }
    }

    /// A JSON literal, or a bare word.
    fn literal(&mut self, name: &str) -> Result<Token<'t>, Error> {
        if !self.rest.starts_with('"') {
            let word = self.word();
            let keyword = ["and", "or", "not"].iter().any(|key| key.eq_ignore_ascii_case(word));
            if word.is_empty() || keyword {
                return Err(self.expected(&format!("a value to compare {name} with")));
            }
            return Ok(Token::Bare(word));
        }
        let mut escaped = false;
        for (at, byte) in self.rest.bytes().enumerate().skip(1) {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    let (quoted, rest) = self.rest.split_at(at + 1);
                    self.rest = rest;
                    return serde_json::from_str(quoted).map(Token::Quoted).map_err(|_| {
                        Error::invalid_filter(format!("the value for {name} is not a JSON string"))
                    });
                }
                _ => {}
            }
        }
        Err(Error::invalid_filter(format!("the string for {name} does not end")))
    }

    /// Everything up to a space, a quote, a parenthesis or a bracket.
    fn word(&mut self) -> &'t str {
        let end = self.rest.find([' ', '\t', '\n', '\r', '"', '(', ')', '[', ']']);
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    /// Takes `keyword` if it comes next, in any case.
    fn take_word(&mut self, keyword: &str) -> bool {
        let before = self.rest;
        self.skip_spaces();
        let found = self.word().eq_ignore_ascii_case(keyword);
        if !found {
            self.rest = before;
        }
        found
    }

    fn take(&mut self, character: char) -> bool {
        let rest = self.rest.strip_prefix(character);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, character: char) -> Result<(), Error> {
        self.skip_spaces();
        if self.take(character) { Ok(()) } else { Err(self.expected(&format!("{character:?}"))) }
    }

    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn expected(&self, what: &str) -> Error {
        let at = self.text.len() - self.rest.len();
        Error::invalid_filter(format!("expected {what} at byte {at}"))
    }

    fn refuse(&self, what: &str) -> Error {
        let at = self.text.len() - self.rest.len();
        Error::invalid_filter(format!("{what} cannot be understood, at byte {at}"))
    }
}

fn deeper(depth: usize) -> Result<usize, Error> {
    if depth >= DEPTH_MAX {
        return Err(Error::invalid_filter(format!("a filter nests at most {DEPTH_MAX} deep")));
    }
    Ok(depth + 1)
}

/// A complex attribute is compared by its `value`, where it has one.
fn value_of(
    subject: Subject,
    attribute: Option<&'static Attribute>,
) -> (Subject, Option<&'static Attribute>) {
    match (subject, attribute) {
        (Subject::Known(known), Some(attribute)) if attribute.is_complex() => {
            let value = attribute.value_attribute();
            (Subject::Known(Known { sub: value, ..known }), value.or(Some(attribute)))
        }
        unchanged => unchanged,
    }
}

/// The literal that an attribute of this type can be compared with.
fn typed(
    name: &str,
    attribute: Option<&'static Attribute>,
    operator: Operator,
    token: Token<'_>,
) -> Result<Literal, Error> {
    let refuse = |what: &str| {
        let operator = operator.as_str();
        Err(Error::invalid_filter(format!("{name} {operator}: expected {what}")))
    };
    if matches!(token, Token::Bare("null")) {
        return if operator.is_equality() {
            Ok(Literal::Null)
        } else {
            refuse("a value, not null")
        };
    }
    let Some(attribute) = attribute else { return foreign(name, operator, token) };
    match attribute.kind {
        AttributeType::Boolean => {
            if !operator.is_equality() {
                return refuse("eq or ne, since it is a boolean");
            }
            let text = match token {
                Token::Quoted(ref text) => text,
                Token::Bare(word) => word,
            };
            match values::boolean(&text.into()) {
                Some(value) => Ok(Literal::Boolean(value)),
                None => refuse("true or false"),
            }
        }
        AttributeType::Integer | AttributeType::Decimal => match token {
            Token::Bare(word) if !operator.is_substring() => match word.parse() {
                Ok(number) => Ok(Literal::Number(number)),
                Err(_) => refuse("a number"),
            },
            _ => refuse("a number"),
        },
        AttributeType::DateTime => {
            let text = text_of(name, token)?;
            if operator.is_substring() {
                return Ok(Literal::text_of(text, true));
            }
            match values::instant(&text) {
                Some(instant) => Ok(Literal::Instant { text, instant }),
                None => refuse("a dateTime such as \"2026-01-31T12:00:00Z\""),
            }
        }
        AttributeType::Binary if !operator.is_equality() => refuse("eq or ne, since it is binary"),
        AttributeType::String | AttributeType::Reference | AttributeType::Binary => {
            Ok(Literal::text_of(text_of(name, token)?, attribute.case_exact))
        }
        AttributeType::Complex => refuse("a sub-attribute, since it is complex"),
    }
}

/// A string, or a bare word in its place (an example of Entra's documentation has one). Single
/// quotes are no part of either: taken for text, they would match nothing, or make `'work'` a type.
fn text_of(name: &str, token: Token<'_>) -> Result<String, Error> {
    match token {
        Token::Quoted(text) => Ok(text),
        Token::Bare(word) if word.starts_with('\'') || word.contains(['\\', ',', '{', '}']) => {
            Err(Error::invalid_filter(format!("the value for {name} needs quotes")))
        }
        Token::Bare(word) => Ok(word.to_owned()),
    }
}

/// Without a schema, the literal says what is compared.
fn foreign(name: &str, operator: Operator, token: Token<'_>) -> Result<Literal, Error> {
    if let Token::Bare(word) = token {
        if let Ok(value) = word.to_ascii_lowercase().parse() {
            if operator.is_equality() {
                return Ok(Literal::Boolean(value));
            }
            let detail = format!("{name} is compared with a boolean: expected eq or ne");
            return Err(Error::invalid_filter(detail));
        }
        if let Ok(number) = word.parse()
            && !operator.is_substring()
        {
            return Ok(Literal::Number(number));
        }
    }
    Ok(Literal::text_of(text_of(name, token)?, false))
}
