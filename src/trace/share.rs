//! A share, as operators write it: `5%`, `0.1%`.

use std::fmt;
use std::str::FromStr;

/// A share from 0 to 1, in millionths.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Share(u32);

impl Share {
    /// The whole, in millionths.
    const WHOLE: u32 = 1_000_000;

    /// Between 0 and 1.
    pub(crate) fn as_probability(self) -> f64 {
        f64::from(self.0) / f64::from(Self::WHOLE)
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
        match percent {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 0 and a million"
            )]
            Some(percent) if (0.0..=100.0).contains(&percent) => {
                Ok(Self((percent / 100.0 * f64::from(Self::WHOLE)).round() as u32))
            }
            _ => Err(format!("`{text}` is not a share, expected a percentage from 0% to 100%, such as `5%`")),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.as_probability() * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage() {
        assert_eq!("0.1%".parse::<Share>().map(|share| share.to_string()), Ok("0.1%".to_owned()));
        assert_eq!("100 %".parse(), Ok(Share(1_000_000)));
        for wrong in ["5", "101%", "-1%", "NaN%", "%", ""] {
            assert!(wrong.parse::<Share>().unwrap_err().contains("such as `5%`"), "{wrong}");
        }
    }
}
