//! `ndjson`: one flat object a line.

use super::json::object;
use super::{Format, Rows, Shape};

pub(crate) struct Ndjson;

impl Format for Ndjson {
    fn name(&self) -> &'static str {
        "ndjson"
    }

    fn content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn extension(&self) -> &'static str {
        "ndjson"
    }

    fn about(&self) -> &'static str {
        "one object a line"
    }

    fn has_fields(&self) -> bool {
        true
    }

    fn lines(&self, rows: Rows<'_, '_>, shape: &Shape, out: &mut Vec<u8>) {
        for row in rows {
            object(&row, shape, out);
            out.push(b'\n');
        }
    }
}
