//! Durations as users write them: GEP-2257 strings such as `90s`, `1h30m`, `250ms`.

use std::{borrow::Cow, fmt, str::FromStr, time};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration in the format of GEP-2257: one to four whole numbers of at most five digits, each with a unit of `h`,
/// `m`, `s` or `ms`. Keeps the text as written, so that what a user reads back is what the user wrote.
#[derive(Clone, PartialEq, Eq)]
pub struct Duration {
    text: String,
    value: time::Duration,
}

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a duration: write whole numbers with units h, m, s or ms, such as \"90s\" or \"1h30m\"")]
pub struct ParseDurationError(String);

impl Duration {
    /// The same as the standard library's type.
    pub fn as_std(&self) -> time::Duration {
        self.value
    }

    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// A duration from whole seconds.
    pub fn from_secs(seconds: u32) -> Self {
        Self { text: format!("{seconds}s"), value: time::Duration::from_secs(seconds.into()) }
    }
}

impl FromStr for Duration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseDurationError(text.to_owned());
        let mut rest = text;
        let mut value = time::Duration::ZERO;
        let mut parts = 0;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let letters = rest[digits..].bytes().take_while(u8::is_ascii_lowercase).count();
            if digits == 0 || digits > 5 || parts == 4 {
                return Err(error());
            }
            let number: u64 = rest[..digits].parse().map_err(|_| error())?;
            value += match &rest[digits..digits + letters] {
                "h" => time::Duration::from_secs(number * 3600),
                "m" => time::Duration::from_secs(number * 60),
                "s" => time::Duration::from_secs(number),
                "ms" => time::Duration::from_millis(number),
                _ => return Err(error()),
            };
            rest = &rest[digits + letters..];
            parts += 1;
        }
        if parts == 0 {
            return Err(error());
        }
        Ok(Self { text: text.to_owned(), value })
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": 32,
            "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_texts_of_gep_2257() {
        for (text, milliseconds) in
            [("0s", 0), ("250ms", 250), ("90s", 90_000), ("1h30m", 5_400_000), ("2160h", 7_776_000_000)]
        {
            assert_eq!(text.parse::<Duration>().unwrap().as_std().as_millis(), milliseconds, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_duration_and_says_what_would_be() {
        for text in ["", "5", "s", "1.5s", "-1s", "1d", "123456s", "1h1h1h1h1h", "5 s", "1S"] {
            let error = text.parse::<Duration>().unwrap_err().to_string();
            assert!(error.contains("such as \"90s\""), "{text}: {error}");
        }
    }
}
