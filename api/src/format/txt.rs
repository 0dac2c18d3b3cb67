//! `txt`: one value a line and nothing else; of several fields, tab between them. An empty list is one LF,
//! because a firewall that gets zero bytes keeps its old table (pfSense's parser).

use super::field::{Content, write};
use super::knobs::Knob;
use super::lines::PLAIN;
use super::{Field, Format, Frame, Rows, Shape, Totals};

pub(crate) struct Txt;

impl Format for Txt {
    fn name(&self) -> &'static str {
        "txt"
    }

    fn about(&self) -> &'static str {
        "one value a line; the plain list that most firewalls take"
    }

    fn has_fields(&self) -> bool {
        true
    }

    fn knobs(&self) -> &'static [Knob] {
        &[Knob::Comments, Knob::IfEmpty]
    }

    fn takes_inline_comments(&self) -> bool {
        true
    }

    fn says_newest(&self, shape: &Shape) -> bool {
        PLAIN.says_newest(shape)
    }

    fn frame(&self, place: Frame, totals: &Totals, shape: &Shape, out: &mut Vec<u8>) {
        PLAIN.frame(place, totals, shape, out);
    }

    fn lines(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
        let fields = if shape.fields.is_empty() { &[Field::Value][..] } else { &shape.fields };
        PLAIN.write(rows, shape, out, |out, row| {
            for (at, field) in fields.iter().enumerate() {
                if at > 0 {
                    out.push(b'\t');
                }
                match field.of(row) {
                    Content::Plain(value) => write(out, value),
                    Content::Text(text) => one_line(text, out),
                    Content::Number(number) => write(out, &number),
                    Content::Texts(texts) => one_line(&texts.join(","), out),
                    Content::Nothing => {}
                }
            }
        });
    }
}

/// Somebody's words, without what would begin another line or column.
fn one_line(text: &str, out: &mut Vec<u8>) {
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        out.extend(text.bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte }));
    } else {
        out.extend(text.as_bytes());
    }
}
