//! Reading the texts that every command and report has.

use std::fmt;
use std::sync::Arc;

use serde::Deserializer;
use serde::de::Visitor;

/// Reads a text into the form in which it is shared; serde's own way makes a `Box` first, and copies it.
pub(super) fn shared<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
    struct Text;

    impl Visitor<'_> for Text {
        type Value = Arc<str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }

        fn visit_str<E>(self, text: &str) -> Result<Arc<str>, E> {
            Ok(text.into())
        }
    }

    deserializer.deserialize_str(Text)
}
