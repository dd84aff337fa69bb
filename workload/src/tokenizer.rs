//! Text to tokens and back: newline is token 0, and the 95 printable ASCII
//! characters, space to tilde, are tokens 1 to 95 in ASCII order.

use core::fmt;

use crate::VOCABULARY;

/// Names this mapping in the [`manifest`](crate::manifest()).
pub const ID: &str = "butterfly-ascii-96-1";

/// Code of the character with token 1, a space.
const FIRST_PRINTABLE: u8 = b' ';

/// One character of the model's alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(u8);

impl Token {
    /// The token of the newline character.
    pub const NEWLINE: Self = Self(0);

    /// Every token, in ascending order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..VOCABULARY as u8).map(Self)
    }

    /// The token's number, below [`VOCABULARY`].
    pub const fn id(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Token {
    type Error = UnknownToken;

    fn try_from(id: u8) -> Result<Self, UnknownToken> {
        if usize::from(id) < VOCABULARY { Ok(Self(id)) } else { Err(UnknownToken(id)) }
    }
}

/// A number that is no token's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownToken(
    /// The number offered.
    pub u8,
);

/// A character outside the model's alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCharacter {
    /// The character.
    pub character: char,
    /// How many characters stand before it in the text.
    pub position: usize,
}

/// The tokens of a text, one per character.
///
/// Nothing is substituted: the caller decides what to do about a character
/// that the model does not know.
pub fn encode(text: &str) -> impl Iterator<Item = Result<Token, UnknownCharacter>> + Clone {
    text.chars()
        .enumerate()
        .map(|(position, character)| token_of(character).ok_or(UnknownCharacter { character, position }))
}

/// The character of a token.
pub const fn decode(token: Token) -> char {
    match token.0 {
        0 => '\n',
        // At most 95, so the sum is at most 126, the tilde.
        id => (FIRST_PRINTABLE - 1).wrapping_add(id) as char,
    }
}

fn token_of(character: char) -> Option<Token> {
    if character == '\n' {
        return Some(Token::NEWLINE);
    }
    let code = u8::try_from(character).ok()?;
    let id = code.checked_sub(FIRST_PRINTABLE - 1)?;
    // Rejects the control characters below the space, too: they would get 0.
    Token::try_from(id).ok().filter(|token| *token != Token::NEWLINE)
}

impl fmt::Display for UnknownToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not a token; tokens are 0 to {}", self.0, VOCABULARY - 1)
    }
}

impl fmt::Display for UnknownCharacter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "character {:?} at position {} is neither printable ASCII nor a newline",
            self.character, self.position
        )
    }
}

impl core::error::Error for UnknownToken {}
impl core::error::Error for UnknownCharacter {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    #[test]
    fn every_token_survives_the_round_trip() {
        let text: String = Token::all().map(decode).collect();
        assert_eq!(text.len(), VOCABULARY);
        let tokens: Vec<Token> = encode(&text).map(Result::unwrap).collect();
        assert_eq!(tokens, Token::all().collect::<Vec<_>>());
    }

    #[test]
    fn the_mapping_is_fixed() {
        for (character, id) in [('\n', 0), (' ', 1), ('!', 2), ('0', 17), ('A', 34), ('a', 66), ('~', 95)] {
            assert_eq!(token_of(character).map(Token::id), Some(id), "{character:?}");
        }
    }

    #[test]
    fn characters_outside_the_alphabet_are_named_with_their_position() {
        for character in ['\0', '\t', '\r', '\x1f', '\x7f', '\u{80}', 'é', '\u{100}', '\u{120}', '€', '🦋'] {
            let text: String = ['a', 'é', character].iter().collect();
            let last = encode(&text).last();
            assert_eq!(last, Some(Err(UnknownCharacter { character, position: 2 })));
        }
    }

    #[test]
    fn numbers_from_96_on_are_no_tokens() {
        for id in VOCABULARY as u8..=u8::MAX {
            assert_eq!(Token::try_from(id), Err(UnknownToken(id)));
        }
    }
}
