//! What is wrong with a part of the disk that does not open: damaged, or not to be had just now? Damage stays
//! when one tries again, and what is damaged can be set aside; a disk that is full, read-only or failing must
//! never cost what is on it.

use std::any::Any;
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why something on the disk does not open.
#[derive(Debug)]
pub(crate) enum Unopened {
    /// Its content is not what was written.
    Damaged(String),
    /// The disk or the system refuses; the content may be whole.
    Refused(io::Error),
}

impl From<io::Error> for Unopened {
    fn from(error: io::Error) -> Unopened {
        match error.kind() {
            // An end where more was to come, and everything that a decoder does not understand.
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof => Unopened::Damaged(error.to_string()),
            _ => Unopened::Refused(error),
        }
    }
}

impl From<sled::Error> for Unopened {
    fn from(error: sled::Error) -> Unopened {
        match error {
            sled::Error::Io(error) => error.into(),
            other => Unopened::Damaged(other.to_string()),
        }
    }
}

/// Opens something with a library that panics at some damage; that is damage too.
pub(crate) fn opening<T, E: Into<Unopened>>(open: impl FnOnce() -> Result<T, E>) -> Result<T, Unopened> {
    // Whatever the library held is dropped on the way here, and nothing of it is used again.
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(opened) => opened.map_err(Into::into),
        Err(panic) => Err(Unopened::Damaged(format!("opening it failed: {}", told(panic.as_ref())))),
    }
}

fn told(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason is given")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stays_wrong_is_damage() {
        let rows = [
            (ErrorKind::InvalidData, true),
            (ErrorKind::UnexpectedEof, true),
            (ErrorKind::PermissionDenied, false),
            (ErrorKind::StorageFull, false),
            (ErrorKind::ReadOnlyFilesystem, false),
            (io::Error::from_raw_os_error(5).kind(), false), // EIO
        ];
        for (kind, damaged) in rows {
            let plain = Unopened::from(io::Error::from(kind));
            assert_eq!(matches!(plain, Unopened::Damaged(_)), damaged, "{kind:?}");
            let in_sled = Unopened::from(sled::Error::Io(kind.into()));
            assert_eq!(matches!(in_sled, Unopened::Damaged(_)), damaged, "{kind:?} in sled");
        }
        assert!(matches!(sled::Error::ReportableBug("x".into()).into(), Unopened::Damaged(_)));
    }

    #[test]
    fn a_panic_while_opening_is_damage() {
        let opened = opening::<(), io::Error>(|| panic!("this must not be"));
        assert!(matches!(opened, Err(Unopened::Damaged(why)) if why.contains("this must not be")));
    }
}
