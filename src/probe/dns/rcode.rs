//! Response codes by their mnemonics, and sets of them.

use std::fmt;
use std::str::FromStr;

use hickory_resolver::proto::op::ResponseCode;

/// The mnemonics of the IANA registry "DNS RCODEs", in capitals.
const MNEMONICS: &[(u16, &str)] = &[
    (0, "NOERROR"),
    (1, "FORMERR"),
    (2, "SERVFAIL"),
    (3, "NXDOMAIN"),
    (4, "NOTIMP"),
    (5, "REFUSED"),
    (6, "YXDOMAIN"),
    (7, "YXRRSET"),
    (8, "NXRRSET"),
    (9, "NOTAUTH"),
    (10, "NOTZONE"),
    (11, "DSOTYPENI"),
    (16, "BADVERS"),
    (17, "BADKEY"),
    (18, "BADTIME"),
    (19, "BADMODE"),
    (20, "BADNAME"),
    (21, "BADALG"),
    (22, "BADTRUNC"),
    (23, "BADCOOKIE"),
];

/// A response code, extended by EDNS to twelve bits (RFC 6895 §2.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rcode(u16);

impl Rcode {
    /// No error: 0.
    pub(crate) const NOERROR: Self = Self(0);
    /// Server failure: 2.
    pub(crate) const SERVFAIL: Self = Self(2);
    /// No such domain: 3.
    pub(crate) const NXDOMAIN: Self = Self(3);
    /// Refused by policy: 5.
    pub(crate) const REFUSED: Self = Self(5);
    /// Bad or missing server cookie: 23.
    pub(crate) const BADCOOKIE: Self = Self(23);

    const MAX: u16 = 0xfff;
}

impl From<ResponseCode> for Rcode {
    fn from(code: ResponseCode) -> Self {
        Self(code.into())
    }
}

impl From<Rcode> for ResponseCode {
    fn from(code: Rcode) -> Self {
        code.0.into()
    }
}

impl FromStr for Rcode {
    type Err = String;

    /// Parses a mnemonic in any case, or a number from 0 to 4095.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let named = MNEMONICS.iter().find(|(_, mnemonic)| mnemonic.eq_ignore_ascii_case(word));
        let numbered = || word.parse().ok().filter(|code| *code <= Self::MAX);
        named.map(|(code, _)| *code).or_else(numbered).map(Self).ok_or_else(|| {
            format!(
                "unknown response code `{word}`, expected one like NOERROR, SERVFAIL or a number up to 4095"
            )
        })
    }
}

impl fmt::Display for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match MNEMONICS.iter().find(|(code, _)| *code == self.0) {
            Some((_, mnemonic)) => f.write_str(mnemonic),
            None => self.0.fmt(f),
        }
    }
}

/// The expected response codes: a list, or all except a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Rcodes {
    codes: Vec<Rcode>,
    excluded: bool,
}

/// Only NOERROR.
impl Default for Rcodes {
    fn default() -> Self {
        Self::one_of([Rcode::NOERROR])
    }
}

impl Rcodes {
    /// Only these.
    pub(crate) fn one_of(codes: impl IntoIterator<Item = Rcode>) -> Self {
        Self { codes: codes.into_iter().collect(), excluded: false }
    }

    /// All except these; an empty list means every code.
    pub(crate) fn any_but(codes: impl IntoIterator<Item = Rcode>) -> Self {
        Self { codes: codes.into_iter().collect(), excluded: true }
    }

    /// Reads a list of codes, each plain (`NOERROR`) or each negated (`!SERVFAIL`).
    ///
    /// # Errors
    ///
    /// Returns a sentence if a word is unknown, the list is empty, or it mixes the two kinds.
    pub(crate) fn from_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let (mut plain, mut negated) = (Vec::new(), Vec::new());
        for word in words {
            match word.strip_prefix('!') {
                Some(word) => negated.push(word.parse()?),
                None => plain.push(word.parse()?),
            }
        }
        match (plain.is_empty(), negated.is_empty()) {
            (true, true) => Err("empty list of response codes, expected at least one".to_owned()),
            (false, true) => Ok(Self::one_of(plain)),
            (true, false) => Ok(Self::any_but(negated)),
            (false, false) => Err(format!(
                "response codes mix `{}` and `!{}`, expected all plain or all negated",
                plain[0], negated[0]
            )),
        }
    }

    /// As [`Rcodes::from_words`] reads them.
    pub(crate) fn words(&self) -> Vec<String> {
        let negation = if self.excluded { "!" } else { "" };
        self.codes.iter().map(|code| format!("{negation}{code}")).collect()
    }

    /// Whether `code` is expected.
    pub(crate) fn contains(&self, code: Rcode) -> bool {
        self.codes.contains(&code) != self.excluded
    }
}

impl fmt::Display for Rcodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codes: Vec<_> = self.codes.iter().map(ToString::to_string).collect();
        match (self.excluded, codes.is_empty()) {
            (true, true) => f.write_str("any response code"),
            (true, false) => write!(f, "any response code but {}", codes.join(" and ")),
            (false, _) => f.write_str(&codes.join(" or ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_parses_from_its_displayed_form() {
        for code in 0..=Rcode::MAX {
            assert_eq!(Rcode(code).to_string().parse(), Ok(Rcode(code)));
        }
        assert_eq!("servfail".parse(), Ok(Rcode::SERVFAIL));
        assert!("4096".parse::<Rcode>().is_err());
        assert!("SERVFIAL".parse::<Rcode>().unwrap_err().contains("`SERVFIAL`"));
    }

    #[test]
    fn a_set_names_what_it_has_or_what_it_lacks() {
        let some = Rcodes::from_words(["NOERROR", "NXDOMAIN"]).unwrap();
        assert!(some.contains(Rcode::NXDOMAIN) && !some.contains(Rcode::REFUSED));
        assert_eq!(some.to_string(), "NOERROR or NXDOMAIN");

        let rest = Rcodes::from_words(["!SERVFAIL"]).unwrap();
        assert!(rest.contains(Rcode::REFUSED) && !rest.contains(Rcode::SERVFAIL));
        assert_eq!(rest.to_string(), "any response code but SERVFAIL");
        assert!(Rcodes::any_but([]).contains(Rcode::SERVFAIL));
    }

    #[test]
    fn an_empty_or_contradictory_set_is_refused() {
        assert!(Rcodes::from_words([]).unwrap_err().contains("empty list"));
        assert!(
            Rcodes::from_words(["NOERROR", "!SERVFAIL"])
                .unwrap_err()
                .contains("mix `NOERROR` and `!SERVFAIL`")
        );
    }
}
