//! What a benchmark program measured, for `scripts/performance.sh`: with `--json FILE` on its command
//! line, a program writes there what it prints.

use std::path::PathBuf;

use serde_json::{Value, json};

/// Figures, in the order in which they were measured.
#[derive(Default)]
pub(crate) struct Results(Vec<Value>);

impl Results {
    /// One more figure: what was measured, at which size, and in which unit.
    pub(crate) fn add(&mut self, name: &str, size: Option<usize>, value: f64, unit: &str) {
        self.0.push(json!({"name": name, "size": size, "value": value, "unit": unit}));
    }

    /// Writes them, if the command line names a file.
    pub(crate) fn write(&self) {
        let mut arguments = std::env::args_os().skip_while(|argument| argument != "--json").skip(1);
        let Some(file) = arguments.next().map(PathBuf::from) else { return };
        std::fs::write(file, serde_json::to_vec_pretty(&self.0).unwrap()).unwrap();
    }
}
