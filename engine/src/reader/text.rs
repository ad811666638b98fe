//! Statements and words, as far as they must be told apart.

use super::effect::Effect;

/// The comments of a database.
pub(super) struct Comments {
    /// Whether this begins one that reaches to the end of the line.
    pub(super) is_line: fn(&str) -> bool,
    /// What ends a line.
    pub(super) newlines: &'static [char],
    /// Whether what stands between the first `/*` and the first `*/` is nothing but a comment.
    pub(super) is_plain: fn(&str) -> bool,
}

pub(super) fn is_double_dash(text: &str) -> bool {
    text.starts_with("--")
}

/// The effect of a text of one statement or several. `statement` is given a piece that begins where a
/// statement may begin, and the whole text.
///
/// Statements end at semicolons; those in quotations and comments are not told from the others, so a text
/// is cut into more pieces than it has statements, and never into fewer.
#[inline]
pub(super) fn effect(text: &str, statement: fn(&str, &str) -> Effect) -> Effect {
    let text = text.trim_end_matches(|c: char| c == ';' || c.is_ascii_whitespace());
    if !text.contains(';') {
        return statement(text, text);
    }
    text.split(';')
        .map(|piece| statement(piece, text))
        .fold(Effect::Keeps, Effect::and_then)
}

/// The first word of a statement and what follows it; `None` if a comment is in the way that is not
/// only a comment, or that does not end.
pub(super) fn words<'a>(piece: &'a str, comments: &Comments) -> Option<(&'a str, &'a str)> {
    // A query may stand in parentheses.
    let mut text = without_comments(piece, comments)?;
    while let Some(inner) = text.strip_prefix('(') {
        text = without_comments(inner, comments)?;
    }
    let end = text.find(|c| !is_in_word(c)).unwrap_or(text.len());
    let (first, rest) = text.split_at(end);
    Some((first, rest.trim_ascii_start()))
}

/// A text from its first character on that is neither space nor in a comment.
fn without_comments<'a>(mut text: &'a str, comments: &Comments) -> Option<&'a str> {
    loop {
        text = text.trim_ascii_start();
        text = if let Some(comment) = text.strip_prefix("/*") {
            let (comment, after) = comment.split_once("*/")?;
            Some(after).filter(|_| (comments.is_plain)(comment))?
        } else if (comments.is_line)(text) {
            text.split_once(comments.newlines)?.1
        } else {
            return Some(text);
        };
    }
}

/// The words of the rest of a statement, in capitals; `None` if there may be a comment among them.
pub(super) fn plain_words(rest: &str) -> Option<String> {
    if rest.contains(['/', '-', '#']) {
        return None;
    }
    let words: Vec<_> = rest
        .split_ascii_whitespace()
        .map(str::to_ascii_uppercase)
        .collect();
    Some(words.join(" "))
}

fn is_in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

pub(super) fn starts_with_word(text: &str, word: &str) -> bool {
    let (Some(start), Some(rest)) = (text.get(..word.len()), text.get(word.len()..)) else {
        return false;
    };
    start.eq_ignore_ascii_case(word) && !rest.starts_with(is_in_word)
}

pub(super) fn mentions(text: &str, word: &str) -> bool {
    let (text, word) = (text.as_bytes(), word.as_bytes());
    text.windows(word.len())
        .any(|part| part.eq_ignore_ascii_case(word))
}

#[cfg(test)]
pub(super) fn assert_effect(of: fn(&str) -> Effect, expected: Effect, texts: &[&str]) {
    for text in texts {
        assert_eq!(of(text), expected, "{text:?}");
    }
}
