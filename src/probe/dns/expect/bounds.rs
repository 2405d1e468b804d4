//! A number that is to lie between bounds, each of which may be absent.

use std::fmt;

/// At least, at most, both, or neither.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Bounds<T> {
    /// The least value, included.
    pub(crate) min: Option<T>,
    /// The greatest value, included.
    pub(crate) max: Option<T>,
}

impl<T: Copy + PartialOrd> Bounds<T> {
    /// Whether every number fits.
    pub(crate) const fn is_open(&self) -> bool {
        self.min.is_none() && self.max.is_none()
    }

    /// Whether `number` lies between the bounds.
    pub(crate) fn fit(&self, number: T) -> bool {
        self.min.is_none_or(|min| number >= min) && self.max.is_none_or(|max| number <= max)
    }
}

/// "at least 1", "at most 4", "1 to 4".
impl<T: fmt::Display> fmt::Display for Bounds<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.min, &self.max) {
            (Some(min), Some(max)) => write!(f, "{min} to {max}"),
            (Some(min), None) => write!(f, "at least {min}"),
            (None, Some(max)) => write!(f, "at most {max}"),
            (None, None) => f.write_str("any number"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_included() {
        let bounds = |min, max| Bounds { min, max };
        assert!(bounds(Some(1), Some(4)).fit(1) && bounds(Some(1), Some(4)).fit(4));
        assert!(!bounds(Some(1), None).fit(0) && !bounds(None, Some(4)).fit(5));
        assert!(bounds(None, None).fit(9) && Bounds::<u8>::default().is_open());
        assert_eq!(bounds(Some(1), None).to_string(), "at least 1");
        assert_eq!(bounds(None, Some(4)).to_string(), "at most 4");
        assert_eq!(bounds(Some(1), Some(4)).to_string(), "1 to 4");
    }
}
