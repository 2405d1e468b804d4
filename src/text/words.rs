//! Enums whose variants each have a word and one more value.

/// Declares an enum with `ALL`, `word`, `Display` and `FromStr` by the word, and a method for the value in parentheses.
/// The text at the end tells that a word is unknown, with `{}` in its place.
macro_rules! words {
    (
        $(#[$about:meta])* $visibility:vis enum $name:ident {
            $($(#[doc = $doc:literal])+ $variant:ident = $word:literal ($value:expr),)+
        }
        $(#[$what:meta])* fn $method:ident -> $value_type:ty;
        $unknown:literal
    ) => {
        $(#[$about])*
        $visibility enum $name {
            $($(#[doc = $doc])+ #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every one, in the order of this list.
            $visibility const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word by which configuration, traces and JSON name it.
            #[must_use]
            pub(crate) const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            $(#[$what])*
            #[must_use]
            pub(crate) const fn $method(self) -> $value_type {
                match self { $(Self::$variant => $value),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|known| known.word() == word).ok_or_else(|| {
                    let known = $crate::text::joined(Self::ALL, ", ");
                    format!(concat!($unknown, ", expected one of {}"), word, known)
                })
            }
        }
    };
}

pub(crate) use words;
