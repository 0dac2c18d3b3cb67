//! Getting a feed: over HTTP within limits and never from where no public feed is, or from a file of this node. Blocks.

use std::fs;
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::config::Config;
use ureq::http::header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION};
use ureq::http::{HeaderName, Response, Uri};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use url::Url;

use super::profile::Place;
use super::report::Report;

/// The largest feed, unpacked, in bytes.
const FEED_BYTES_MAX: u64 = 64 << 20;
/// How long one request may take, to the last byte.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a server may take to be reached.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The most redirects that are followed.
const REDIRECTS_MAX: usize = 5;

/// What this node allows.
#[derive(Clone, Debug, Default)]
pub(super) struct Allowed {
    /// Where files are.
    pub(super) directory: Option<PathBuf>,
    /// Servers may have loopback and private addresses.
    pub(super) private: bool,
}

/// What was got.
#[derive(Debug)]
pub(super) enum Fetched {
    /// The same as last time.
    Unchanged,
    Feed(Feed),
}

/// A feed, and what to ask for it with next time.
#[derive(Debug, Default)]
pub(super) struct Feed {
    pub(super) text: String,
    pub(super) digest: String,
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
}

/// Gets a feed; `known` is the last run, if what it left is on the list as it left it.
pub(super) fn fetch(place: &Place, allowed: &Allowed, known: Option<&Report>) -> Result<Fetched, String> {
    let feed = match place {
        Place::Url(url) => match get(url.clone(), allowed, known)? {
            None => return Ok(Fetched::Unchanged),
            Some(feed) => feed,
        },
        Place::File(file) => Feed { text: read(file, allowed)?, ..Feed::default() },
    };
    let digest = hex::encode(Sha256::digest(feed.text.as_bytes()));
    match known.is_some_and(|known| known.digest.as_ref() == Some(&digest)) {
        true => Ok(Fetched::Unchanged),
        false => Ok(Fetched::Feed(Feed { digest, ..feed })),
    }
}

fn read(file: &str, allowed: &Allowed) -> Result<String, String> {
    let Some(directory) = &allowed.directory else {
        return Err("this node takes no files: it runs without --imports-dir".into());
    };
    let told = |error| format!("file `{file}`: {error}");
    let directory = fs::canonicalize(directory).map_err(told)?;
    // A link must not lead out either.
    let path = fs::canonicalize(directory.join(file)).map_err(told)?;
    if !path.starts_with(&directory) {
        return Err(format!("file `{file}` is not in the directory of imports"));
    }
    text(fs::File::open(Path::new(&path)).map_err(told)?).map_err(|error| format!("file `{file}`: {error}"))
}

fn text(reader: impl Read) -> Result<String, String> {
    let mut bytes = Vec::new();
    reader.take(FEED_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    match bytes.len() as u64 > FEED_BYTES_MAX {
        true => Err(format!("it is larger than {} MiB", FEED_BYTES_MAX >> 20)),
        // Feeds have other encodings in their comments.
        false => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// `None` is what the server says has not changed.
fn get(mut url: Url, allowed: &Allowed, known: Option<&Report>) -> Result<Option<Feed>, String> {
    let config = Config::builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(REQUEST_TIMEOUT))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .user_agent("stockade")
        .max_idle_connections(0)
        .build();
    let resolver = Careful { private: allowed.private, names: DefaultResolver::default() };
    let agent = ureq::Agent::with_parts(config, DefaultConnector::new(), resolver);
    for _ in 0..=REDIRECTS_MAX {
        let mut request = agent.get(url.as_str());
        if let Some(etag) = known.and_then(|known| known.etag.as_ref()) {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(modified) = known.and_then(|known| known.last_modified.as_ref()) {
            request = request.header(IF_MODIFIED_SINCE, modified);
        }
        let response = request.call().map_err(|error| format!("{url}: {error}"))?;
        match response.status().as_u16() {
            304 if known.is_some() => return Ok(None),
            200 => return body(response).map(Some).map_err(|error| format!("{url}: {error}")),
            301 | 302 | 303 | 307 | 308 => url = redirected(&url, header(&response, &LOCATION))?,
            status => return Err(format!("{url}: status {status}")),
        }
    }
    Err(format!("{url}: more than {REDIRECTS_MAX} redirects"))
}

fn redirected(url: &Url, to: Option<String>) -> Result<Url, String> {
    let next = to.as_deref().and_then(|to| url.join(to).ok());
    let Some(next) = next.filter(|next| matches!(next.scheme(), "http" | "https")) else {
        return Err(format!("{url}: a redirect to nowhere"));
    };
    match url.scheme() == "https" && next.scheme() != "https" {
        true => Err(format!("{url}: a redirect away from https")),
        false => Ok(next),
    }
}

fn body(response: Response<ureq::Body>) -> Result<Feed, String> {
    let (etag, last_modified) = (header(&response, &ETAG), header(&response, &LAST_MODIFIED));
    let reader = response.into_body().into_with_config().limit(u64::MAX).reader();
    Ok(Feed { text: text(reader)?, digest: String::new(), etag, last_modified })
}

fn header(response: &Response<ureq::Body>, name: &HeaderName) -> Option<String> {
    /// A longer validator is not worth its place in the list.
    const HEADER_BYTES_MAX: usize = 512;
    let text = response.headers().get(name)?.to_str().ok()?;
    (name == LOCATION || text.len() <= HEADER_BYTES_MAX).then(|| text.to_owned())
}

/// Looks names up and leaves out addresses at which no public feed is, so that neither a profile, nor a redirect, nor a
/// name that changes its address between two looks makes this node ask its own network.
#[derive(Debug)]
struct Careful {
    private: bool,
    names: DefaultResolver,
}

impl Resolver for Careful {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.names.resolve(uri, config, timeout)?;
        let mut kept = self.empty();
        for address in found.iter().filter(|address| may_be_asked(address.ip(), self.private)) {
            kept.push(*address);
        }
        match kept.is_empty() {
            true => Err(ureq::Error::Other(
                "its address is not a public one; --imports-private allows that".into(),
            )),
            false => Ok(kept),
        }
    }
}

/// Link-local addresses never: clouds tell their machines' secrets there.
fn may_be_asked(address: IpAddr, private: bool) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            let own = v4.is_loopback() || v4.is_private() || shared;
            let never = v4.is_link_local() || v4.octets()[0] == 0 || v4.octets()[0] >= 224;
            !never && (private || !own)
        }
        IpAddr::V6(v6) => {
            let own = v6.is_loopback() || v6.is_unique_local();
            let never = v6.is_unicast_link_local() || v6.is_unspecified() || v6.is_multicast();
            !never && (private || !own)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_asked_unless_private_ones_are_allowed() {
        for (address, private, asked) in [
            ("192.0.2.1", false, true),
            ("2001:db8::1", false, true),
            ("127.0.0.1", false, false),
            ("127.0.0.1", true, true),
            ("10.0.0.1", false, false),
            ("10.0.0.1", true, true),
            ("100.64.0.1", false, false),
            ("::1", false, false),
            ("fd00::1", false, false),
            ("::ffff:10.0.0.1", false, false),
            ("169.254.169.254", true, false),
            ("::ffff:169.254.169.254", true, false),
            ("fe80::1", true, false),
            ("0.0.0.0", true, false),
            ("::", true, false),
            ("255.255.255.255", true, false),
        ] {
            assert_eq!(may_be_asked(address.parse().unwrap(), private), asked, "{address} {private}");
        }
    }

    #[test]
    fn a_redirect_leads_to_the_web_and_not_away_from_https() {
        let from = |text: &str| Url::parse(text).unwrap();
        let (plain, safe) = (from("http://a.example/x/y"), from("https://a.example/x/y"));
        let next = |url, to: &str| redirected(url, Some(to.into())).map(String::from);
        assert_eq!(next(&plain, "z").unwrap(), "http://a.example/x/z");
        assert_eq!(next(&plain, "https://b.example/").unwrap(), "https://b.example/");
        for (url, to) in [(&safe, "http://a.example/"), (&plain, "file:///etc/passwd"), (&plain, "http://")] {
            assert!(next(url, to).is_err(), "{to}");
        }
        assert!(redirected(&plain, None).is_err());
    }

    #[test]
    fn a_file_is_read_from_the_directory_and_from_nowhere_else() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("imports");
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("list"), "192.0.2.1\n").unwrap();
        fs::write(home.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink("../secret", directory.join("link")).unwrap();
        let allowed = Allowed { directory: Some(directory), private: false };
        assert_eq!(read("list", &allowed).unwrap(), "192.0.2.1\n");
        for file in ["link", "../secret", "missing"] {
            assert!(read(file, &allowed).is_err(), "{file}");
        }
        assert!(read("list", &Allowed::default()).unwrap_err().contains("--imports-dir"));
    }
}
