//! What a line means: an expression of numbers and names with `+ - * / ^` and parentheses, or `name = expression`.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// How deep parentheses and signs may be nested: the stack is not endless.
const DEEPEST: u32 = 100;

/// Knows what names stand for.
#[derive(Default)]
pub(crate) struct Calculator {
    values: BTreeMap<String, f64>,
}

impl Calculator {
    /// Calculates a line. `None`: it only gives a value to a name.
    pub(crate) fn line(&mut self, line: &str) -> Result<Option<f64>, String> {
        let Some((name, expression)) = line.split_once('=') else {
            return self.evaluate(line).map(Some);
        };
        let name = name.trim();
        if !name.starts_with(char::is_alphabetic) || !name.chars().all(char::is_alphanumeric) {
            return Err(format!("{name:?} is no name"));
        }
        let value = self.evaluate(expression)?;
        self.values.insert(name.to_owned(), value);
        Ok(None)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.values.keys()
    }

    fn evaluate(&self, text: &str) -> Result<f64, String> {
        let mut reader = Reader {
            rest: text.chars().peekable(),
            values: &self.values,
            depth: 0,
        };
        let value = reader.sum()?;
        match reader.next() {
            None => Ok(value),
            Some(letter) => Err(format!("{letter:?} is not expected here")),
        }
    }
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    values: &'a BTreeMap<String, f64>,
    depth: u32,
}

impl Reader<'_> {
    /// Returns the next letter that is no space, and leaves it.
    fn next(&mut self) -> Option<char> {
        while self.rest.next_if(|letter| letter.is_whitespace()).is_some() {}
        self.rest.peek().copied()
    }

    fn takes(&mut self, wanted: char) -> bool {
        let is_next = self.next() == Some(wanted);
        if is_next {
            self.rest.next();
        }
        is_next
    }

    fn sum(&mut self) -> Result<f64, String> {
        let mut value = self.product()?;
        loop {
            if self.takes('+') {
                value += self.product()?;
            } else if self.takes('-') {
                value -= self.product()?;
            } else {
                return Ok(value);
            }
        }
    }

    fn product(&mut self) -> Result<f64, String> {
        let mut value = self.sign()?;
        loop {
            if self.takes('*') {
                value *= self.sign()?;
            } else if self.takes('/') {
                let divisor = self.sign()?;
                if divisor == 0.0 {
                    return Err("division by zero".to_owned());
                }
                value /= divisor;
            } else {
                return Ok(value);
            }
        }
    }

    fn sign(&mut self) -> Result<f64, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("nested too deep".to_owned());
        }
        let value = if self.takes('-') {
            -self.sign()?
        } else {
            self.power()?
        };
        self.depth -= 1;
        Ok(value)
    }

    fn power(&mut self) -> Result<f64, String> {
        let base = self.operand()?;
        match self.takes('^') {
            true => Ok(base.powf(self.sign()?)),
            false => Ok(base),
        }
    }

    fn operand(&mut self) -> Result<f64, String> {
        if self.takes('(') {
            let value = self.sum()?;
            return match self.takes(')') {
                true => Ok(value),
                false => Err("a parenthesis is open".to_owned()),
            };
        }
        self.next();
        let mut word = String::new();
        while let Some(letter) = self
            .rest
            .next_if(|letter| letter.is_alphanumeric() || *letter == '.')
        {
            word.push(letter);
        }
        match word.chars().next() {
            None => Err("a number is missing".to_owned()),
            Some('0'..='9' | '.') => word.parse().map_err(|_| format!("{word:?} is no number")),
            Some(_) => self
                .values
                .get(&word)
                .copied()
                .ok_or(format!("{word:?} has no value")),
        }
    }
}
