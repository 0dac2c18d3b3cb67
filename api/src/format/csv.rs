//! `csv`: RFC 4180 with LF. A header when there is more than one column; a single column is a plain list.

use std::borrow::Cow;

use super::field::{Content, write};
use super::{Field, Format, Frame, Rows, Shape, Totals};

pub(crate) struct Csv;

impl Format for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn content_type(&self) -> &'static str {
        "text/csv; charset=utf-8"
    }

    fn extension(&self) -> &'static str {
        "csv"
    }

    fn about(&self) -> &'static str {
        "columns as asked for with `fields=`; one column is a list"
    }

    fn has_fields(&self) -> bool {
        true
    }

    fn frame(&self, place: Frame, totals: &Totals, shape: &Shape, out: &mut Vec<u8>) {
        let fields = columns(shape);
        let header = shape.header.unwrap_or(fields.len() > 1);
        match place {
            Frame::Head if header => {
                let names: Vec<&str> = fields.iter().map(|field| field.name()).collect();
                out.extend(names.join(",").as_bytes());
                out.push(b'\n');
            }
            Frame::Foot if totals.is_empty() && !header => out.push(b'\n'),
            _ => {}
        }
    }

    fn lines(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
        let fields = columns(shape);
        let mut writer =
            csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(&mut *out);
        let mut cell = Vec::new();
        for row in rows {
            for field in fields {
                cell.clear();
                match field.of(&row) {
                    Content::Plain(value) => write(&mut cell, value),
                    Content::Text(text) if *field == Field::Value => cell.extend(text.as_bytes()),
                    Content::Text(text) => cell.extend(disarmed(text).as_bytes()),
                    Content::Number(number) => write(&mut cell, &number),
                    Content::Texts(texts) => cell.extend(disarmed(&texts.join(",")).as_bytes()),
                    Content::Nothing => {}
                }
                writer.write_field(&cell).expect("a Vec takes every write");
            }
            writer.write_record(None::<&[u8]>).expect("a Vec takes every write");
        }
        writer.flush().expect("a Vec takes every write");
    }
}

fn columns(shape: &Shape) -> &[Field] {
    if shape.fields.is_empty() { &Field::COLUMNS } else { &shape.fields }
}

/// A cell that a spreadsheet would run as a formula gets an apostrophe before it.
pub(crate) fn disarmed(text: &str) -> Cow<'_, str> {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}").into(),
        false => text.into(),
    }
}
