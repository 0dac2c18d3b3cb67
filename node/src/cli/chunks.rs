//! A file cut into requests: plain lines, CSV with a header, or NDJSON, known by its first line. Bytes that are
//! no UTF-8 (feeds have them in their comments) are replaced, so that they spoil their own line only.

use std::io::{self, BufRead};
use std::sync::mpsc::SyncSender;

/// The body of one request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) content_type: &'static str,
    /// To add to a line number of the body to have that of the file.
    pub(super) before: usize,
    /// What it takes of the file, about.
    pub(super) bytes: u64,
    pub(super) body: String,
}

/// Cuts the lines into chunks; stops when nobody takes them any more. CSV is cut at every line end, so a quoted
/// cell must not hold one.
pub(super) fn cut(
    mut reader: impl BufRead,
    kind: &str,
    lines: usize,
    to: &SyncSender<Chunk>,
) -> io::Result<()> {
    let mut before = 0;
    let mut text = loop {
        match read_line(&mut reader)? {
            None => return Ok(()),
            Some(line) if says_nothing(&line) => before += 1,
            Some(line) => break line,
        }
    };
    let content_type = content_type(&text, kind);
    let header = match content_type {
        "text/csv" => std::mem::take(&mut text),
        _ => String::new(),
    };
    // Every body of CSV begins with the header, so its lines have the numbers of the file's data lines and one.
    let mut count = usize::from(header.is_empty());
    loop {
        while count < lines {
            let Some(line) = read_line(&mut reader)? else { break };
            text.push_str(&line);
            count += 1;
        }
        if count == 0 {
            return Ok(());
        }
        let chunk = Chunk { content_type, before, bytes: text.len() as u64, body: format!("{header}{text}") };
        if to.send(chunk).is_err() {
            return Ok(());
        }
        before += count;
        count = 0;
        text.clear();
    }
}

fn read_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    match reader.read_until(b'\n', &mut bytes)? {
        0 => Ok(None),
        _ => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
    }
}

fn bare(line: &str) -> &str {
    line.trim_start_matches('\u{feff}').trim()
}

fn says_nothing(line: &str) -> bool {
    let line = bare(line);
    line.is_empty() || line.starts_with(['#', ';']) || line.starts_with("//")
}

/// What a file is whose first line, after comments, is this one.
fn content_type(line: &str, kind: &str) -> &'static str {
    let line = bare(line);
    let names_the_value = |cell: &str| {
        let name = cell.trim().trim_matches('"');
        name == "value" || name == kind
    };
    if line.starts_with('{') {
        "application/x-ndjson"
    } else if line.contains(',') && line.split(',').any(names_the_value) {
        "text/csv"
    } else {
        "text/plain"
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    use super::*;

    /// The chunks of two lines each: content type, lines before, body.
    #[track_caller]
    fn check(why: &str, file: &[u8], expected: &[(&str, usize, &str)]) {
        let (sender, receiver) = sync_channel(8);
        cut(file, "ip", 2, &sender).unwrap();
        drop(sender);
        let found: Vec<_> = receiver.iter().collect();
        let found: Vec<_> =
            found.iter().map(|chunk| (chunk.content_type, chunk.before, chunk.body.as_str())).collect();
        assert_eq!(found, expected, "{why}");
    }

    #[test]
    fn a_file_is_cut_into_requests_of_its_own_form() {
        let (plain, csv, ndjson) = ("text/plain", "text/csv", "application/x-ndjson");
        check("an empty file", b"", &[]);
        check("only comments", b"# a\n; b\n\n", &[]);
        check("no final line end", b"a\nb", &[(plain, 0, "a\nb")]);
        check("a full last chunk", b"a\nb\nc\nd\n", &[(plain, 0, "a\nb\n"), (plain, 2, "c\nd\n")]);
        check("comments count as lines", b"# x\na\n#y\nb", &[(plain, 1, "a\n#y\n"), (plain, 3, "b")]);
        check("Latin-1 spoils nothing", b"a # caf\xe9\nb", &[(plain, 0, "a # caf\u{fffd}\nb")]);
        check("commas alone are no header", b"a,scan\nb,scan", &[(plain, 0, "a,scan\nb,scan")]);
        check(
            "each request of CSV has the header",
            b"t,ip\n1,a\n2,b\n3,c\n",
            &[(csv, 0, "t,ip\n1,a\n2,b\n"), (csv, 2, "t,ip\n3,c\n")],
        );
        check("a header behind a comment", b"# x\n\"value\",t\na,1\n", &[(csv, 1, "\"value\",t\na,1\n")]);
        check("a header and nothing else", b"t,ip\n", &[]);
        check(
            "NDJSON",
            b"{\"ip\":\"a\"}\n{\"ip\":\"b\"}\n{}",
            &[(ndjson, 0, "{\"ip\":\"a\"}\n{\"ip\":\"b\"}\n"), (ndjson, 2, "{}")],
        );
        check("a byte order mark", b"\xef\xbb\xbf{}\n", &[(ndjson, 0, "\u{feff}{}\n")]);
    }

    proptest! {
        #[test]
        fn any_file_is_cut_without_loss(file in vec(any::<u8>(), 0..400), lines in 1..5_usize) {
            let (sender, receiver) = sync_channel(512);
            cut(file.as_slice(), "ip", lines, &sender).unwrap();
            drop(sender);
            let chunks: Vec<Chunk> = receiver.iter().collect();
            let text = String::from_utf8_lossy(&file).into_owned();
            let taken: u64 = chunks.iter().map(|chunk| chunk.bytes).sum();
            assert!(taken <= text.len() as u64);
            if let Some(chunk) = chunks.iter().find(|chunk| chunk.content_type != "text/csv") {
                let whole: String = chunks.iter().map(|chunk| chunk.body.as_str()).collect();
                assert!(text.ends_with(&whole), "{chunk:?}");
            }
        }
    }
}
