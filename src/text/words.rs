//! Enums whose variants each have a word.

/// Declares an enum whose `Display` and JSON are the word of each variant.
///
/// With a value in parentheses it also has `ALL`, `word`, `FromStr` by the word, and a method for the value. The text
/// at the end tells that a word is unknown, with `{}` in its place.
macro_rules! words {
    (
        $(#[$about:meta])* $visibility:vis enum $name:ident {
            $($(#[doc = $doc:literal])+ $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[$about])*
        $visibility enum $name {
            $($(#[doc = $doc])+ #[serde(rename = $word)] $variant,)+
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(match self { $(Self::$variant => $word),+ })
            }
        }
    };
    (
        $(#[$about:meta])* $visibility:vis enum $name:ident {
            $($(#[doc = $doc:literal])+ $variant:ident = $word:literal ($value:expr),)+
        }
        $(#[$what:meta])* fn $method:ident -> $value_type:ty;
        $unknown:literal
    ) => {
        $crate::text::words::words! {
            $(#[$about])*
            $visibility enum $name { $($(#[doc = $doc])+ $variant = $word,)+ }
        }

        impl $name {
            /// Every one, in the order of this list.
            $visibility const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word by which configuration, traces and JSON name it.
            pub(crate) const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            $(#[$what])*
            #[must_use]
            pub(crate) const fn $method(self) -> $value_type {
                match self { $(Self::$variant => $value),+ }
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
