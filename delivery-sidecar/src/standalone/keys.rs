//! Signing keys that were generated for endpoints without one, kept in the data directory: what the operator keeps in
//! Secrets.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use posthaste_delivery_config::Redacted;

const KEY_BYTES: usize = 32;

/// The keys of one data directory.
#[derive(Clone, Debug)]
pub struct KeyDirectory(PathBuf);

impl KeyDirectory {
    /// In `<data directory>/keys`, readable for the owner alone.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(data_directory: &Path) -> io::Result<Self> {
        let path = data_directory.join("keys");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    /// The file of the key that the Secret of this name would hold.
    pub fn path(&self, namespace: &str, secret: &str) -> PathBuf {
        // Neither part can hold an underscore, so no two keys share a file.
        self.0.join(format!("{namespace}_{secret}"))
    }

    /// The key in the form `whsec_...`, generated when there is none yet.
    ///
    /// # Errors
    /// When its file cannot be read or written.
    pub fn get_or_generate(
        &self,
        namespace: &str,
        secret: &str,
        random: &mut impl rand::CryptoRng,
    ) -> io::Result<Redacted> {
        let path = self.path(namespace, secret);
        match fs::read_to_string(&path) {
            Ok(text) => return Ok(Redacted::new(text.trim_end())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut key = [0; KEY_BYTES];
        random.fill_bytes(&mut key);
        let text = Redacted::new(format!("whsec_{}", STANDARD.encode(key)));
        // Renamed into its place when it is whole: a half-written key would sign wrongly for ever.
        let unfinished = path.with_added_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        writeln!(file, "{}", text.expose())?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_generated_once_and_only_its_owner_can_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let keys = KeyDirectory::open(directory.path()).unwrap();
        let first = keys.get_or_generate("shop", "a-signing", &mut rand::rng()).unwrap();
        let other = keys.get_or_generate("shop", "b-signing", &mut rand::rng()).unwrap();
        let again = KeyDirectory::open(directory.path()).unwrap();
        assert!(first == again.get_or_generate("shop", "a-signing", &mut rand::rng()).unwrap());
        assert!(first != other);
        standardwebhooks::Webhook::new(first.expose()).unwrap();
        let mode = fs::metadata(keys.path("shop", "a-signing")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
