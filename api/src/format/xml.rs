//! `xml`: `<entries><entry><value>…`, one element a field.

use quick_xml::escape::escape;

use super::field::{Content, write};
use super::{Field, Format, Frame, Rows, Shape, Totals};

pub(crate) struct Xml;

impl Format for Xml {
    fn name(&self) -> &'static str {
        "xml"
    }

    fn content_type(&self) -> &'static str {
        "application/xml; charset=utf-8"
    }

    fn extension(&self) -> &'static str {
        "xml"
    }

    fn about(&self) -> &'static str {
        "one element a field"
    }

    fn has_fields(&self) -> bool {
        true
    }

    fn frame(&self, place: Frame, _totals: &Totals, _shape: &Shape, out: &mut Vec<u8>) {
        match place {
            Frame::Head => out.extend(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<entries>\n"),
            Frame::Middle => {}
            Frame::Foot => out.extend(b"</entries>\n"),
        }
    }

    fn lines(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
        let fields = if shape.fields.is_empty() { &Field::COLUMNS[..] } else { &shape.fields };
        for row in rows {
            out.extend(b"<entry>");
            for field in fields {
                element(field.name(), out, |out| match field.of(&row) {
                    Content::Plain(value) => write(out, value),
                    Content::Text(text) => words(text, out),
                    Content::Number(number) => write(out, &number),
                    Content::Texts(texts) => {
                        texts.into_iter().for_each(|text| element("tag", out, |out| words(text, out)));
                    }
                    Content::Nothing => {}
                });
            }
            out.extend(b"</entry>\n");
        }
    }
}

fn element(name: &str, out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'<');
    out.extend(name.as_bytes());
    out.push(b'>');
    content(out);
    out.extend(b"</");
    out.extend(name.as_bytes());
    out.push(b'>');
}

/// Somebody's words: escaped, and without the characters that XML 1.0 cannot hold (section 2.2).
fn words(text: &str, out: &mut Vec<u8>) {
    let held = |c: &char| !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    match text.chars().all(|c| held(&c)) {
        true => out.extend(escape(text).as_bytes()),
        false => out.extend(escape(text.chars().filter(held).collect::<String>()).as_bytes()),
    }
}
