//! How often something happened, by its name.

use std::collections::BTreeMap;
use std::fmt;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally(BTreeMap<String, usize>);

impl Tally {
    pub(super) fn add(&mut self, name: impl Into<String>) {
        *self.0.entry(name.into()).or_default() += 1;
    }

    pub(super) fn join(&mut self, other: Tally) {
        for (name, count) in other.0 {
            *self.0.entry(name).or_default() += count;
        }
    }

    pub(super) fn total(&self) -> usize {
        self.0.values().sum()
    }
}

/// One a line.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in &self.0 {
            writeln!(f, "    {count:>7}  {name}")?;
        }
        Ok(())
    }
}

/// An error's kind: how its first line begins, without the numbers, in which ports, times and places stand.
pub(super) fn kind(error: &str) -> String {
    const LENGTH: usize = 120;
    let line = error.lines().next().unwrap_or_default();
    let mut kind = String::new();
    for character in line.chars() {
        let is_digit = character.is_ascii_digit();
        if !is_digit || !kind.ends_with('#') {
            kind.push(if is_digit { '#' } else { character });
        }
    }
    kind.chars().take(LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_differ_in_their_numbers_are_of_one_kind() {
        assert_eq!(
            kind("port 4711: gone after 0.3 s\nmore"),
            "port #: gone after #.# s"
        );
        assert_eq!(kind(""), "");
    }

    #[test]
    fn a_tally_joins_another() {
        let (mut one, mut other) = (Tally::default(), Tally::default());
        one.add("a");
        other.add("a");
        other.add("b");
        one.join(other);
        assert_eq!(one.to_string(), "          2  a\n          1  b\n");
        assert_eq!(one.total(), 3);
    }
}
