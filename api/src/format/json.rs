//! `json`: an array of flat objects.

use super::field::{Content, write};
use super::{Field, Format, Frame, Row, Rows, Shape, Totals};

pub(crate) struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn content_type(&self) -> &'static str {
        crate::answer::JSON
    }

    fn extension(&self) -> &'static str {
        "json"
    }

    fn about(&self) -> &'static str {
        "an array of flat objects"
    }

    fn has_fields(&self) -> bool {
        true
    }

    fn separator(&self) -> &'static str {
        ",\n"
    }

    fn frame(&self, place: Frame, _totals: &Totals, _shape: &Shape, out: &mut Vec<u8>) {
        match place {
            Frame::Head => out.push(b'['),
            Frame::Middle => {}
            Frame::Foot => out.extend(b"]\n"),
        }
    }

    fn lines(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
        for (at, row) in rows.enumerate() {
            if at > 0 {
                out.extend(self.separator().as_bytes());
            }
            object(&row, shape, out);
        }
    }
}

/// One entry as a flat object; the members in the order asked for, else in the talk's.
pub(crate) fn object(row: &Row<'_>, shape: &Shape, out: &mut Vec<u8>) {
    let fields = if shape.fields.is_empty() { &Field::MEMBERS[..] } else { &shape.fields };
    for (at, field) in fields.iter().enumerate() {
        out.push(if at == 0 { b'{' } else { b',' });
        // A plain word.
        out.push(b'"');
        out.extend(field.name().as_bytes());
        out.extend(b"\":");
        match field.of(row) {
            Content::Plain(value) => {
                out.push(b'"');
                write(out, value);
                out.push(b'"');
            }
            Content::Text(text) => string(text, out),
            Content::Number(number) => write(out, &number),
            Content::Texts(texts) => serde_json::to_writer(&mut *out, &texts).expect("texts are JSON"),
            Content::Nothing => out.extend(b"null"),
        }
    }
    out.push(b'}');
}

fn string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a text is JSON");
}
