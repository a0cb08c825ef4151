//! The fields of spans as JSON, for log lines that are JSON.
//!
//! Every request has a span, and few have a line within it: what a span costs is to be little. The
//! library's own formatter sorts the fields into a map of values first, and reads what it wrote again
//! when a field is added.

use std::fmt::{self, Debug};
use std::io;

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FormatFields, FormattedFields};

/// Writes the fields of a span as a JSON object, in their order. Values that are neither numbers nor
/// truth values stand there as texts.
pub(super) struct SpanFields;

impl<'a> FormatFields<'a> for SpanFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'_>, fields: R) -> fmt::Result {
        writer.write_char('{')?;
        let mut members = Members { writer, is_first: true, written: Ok(()) };
        fields.record(&mut members);
        members.written?;
        members.writer.write_char('}')
    }

    fn add_fields(&self, kept: &'a mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        if kept.fields.pop().is_none() {
            return self.format_fields(kept.as_writer(), fields);
        }
        let is_first = kept.fields.ends_with('{');
        let mut members = Members { writer: kept.as_writer(), is_first, written: Ok(()) };
        fields.record(&mut members);
        members.written?;
        members.writer.write_char('}')
    }
}

/// The members of a JSON object that is being written.
struct Members<'w> {
    writer: Writer<'w>,
    is_first: bool,
    written: fmt::Result,
}

impl Members<'_> {
    fn put(&mut self, field: &Field, value: &impl Serialize) {
        if self.written.is_ok() {
            self.written = self.try_put(field, value);
        }
    }

    fn try_put(&mut self, field: &Field, value: &impl Serialize) -> fmt::Result {
        if !std::mem::take(&mut self.is_first) {
            self.writer.write_char(',')?;
        }
        // Names are identifiers and dots, and no keywords, which would have `r#` in front.
        self.writer.write_char('"')?;
        self.writer.write_str(field.name())?;
        self.writer.write_str("\":")?;
        serde_json::to_writer(Utf8(&mut self.writer), value).map_err(|_| fmt::Error)
    }
}

/// Takes the bytes that `serde_json` writes: it splits none of its texts within a character.
struct Utf8<'a, 'w>(&'a mut Writer<'w>);

impl io::Write for Utf8<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData)?;
        self.0.write_str(text).map_err(|_| io::ErrorKind::Other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Visit for Members<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, &value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, &format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::field::Empty;
    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Lines {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    /// What a line says of the spans that it is written in.
    fn spans_of(write: impl FnOnce()) -> serde_json::Value {
        let lines = Lines::default();
        let layer = tracing_subscriber::fmt::layer().with_writer(lines.clone());
        let layer = layer.json().fmt_fields(SpanFields);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), write);
        let written = lines.0.lock().unwrap().clone();
        let line: serde_json::Value = serde_json::from_slice(&written).unwrap();
        line["spans"].clone()
    }

    #[test]
    fn a_line_says_what_its_spans_say() {
        let spans = spans_of(|| {
            let (id, tenant) = ("a \"quoted\"\nname \u{1b}[31m", Some("acme"));
            let outer = tracing::info_span!("outer", request.id = %id, tenant, late = Empty, n = 3);
            outer.record("late", true);
            outer.in_scope(|| {
                let inner = tracing::info_span!("inner", late = Empty, also = Empty);
                inner.record("late", -1);
                inner.record("also", 0.5);
                inner.in_scope(|| tracing::info!("done"));
            });
        });

        let id = "a \"quoted\"\nname \u{1b}[31m";
        let outer = serde_json::json!(
            {"name": "outer", "request.id": id, "tenant": "acme", "n": 3, "late": true});
        let inner = serde_json::json!({"name": "inner", "late": -1, "also": 0.5});
        assert_eq!(spans, serde_json::json!([outer, inner]));
    }
}
