//! Tables that become stacked blocks where a screen is narrow.
//!
//! There a row stands as a block with its cells one below the other, so each cell says by itself
//! what its column is called (`data-label`). A table that is laid out as blocks is no table any more
//! to some screen readers unless its parts say what they are (`role`). Both are written here for
//! every table of every page, out of the headings that it has.
//!
//! Only our own pages are read: whatever comes from outside is escaped in them, so that a `<` always
//! begins a tag.

/// The page with its tables made ready to be stacked.
pub(super) fn stackable(page: &str) -> String {
    if !page.contains("<table") {
        return page.to_owned();
    }
    let mut written = String::with_capacity(page.len() + page.len() / 4);
    let mut table = Table::default();
    let mut parts = page.split('<');
    written.push_str(parts.next().unwrap_or_default());
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let end = part.find(|c: char| c != '/' && !c.is_ascii_alphanumeric());
        let (tag, rest) = part.split_at(end.unwrap_or(part.len()));
        let (attributes, text) = rest.split_once('>').unwrap_or((rest, ""));
        let is_blank = text.trim().is_empty() && parts.peek().is_some_and(|next| is_end(next));
        written.push('<');
        written.push_str(tag);
        table.read(tag, attributes, text, is_blank, &mut written);
        written.push_str(rest);
    }
    written
}

fn is_end(part: &str) -> bool {
    part.starts_with("/td") || part.starts_with("/th")
}

/// What is known of a table as it is read from its beginning.
#[derive(Default)]
struct Table {
    /// What its columns are called; nothing for one whose heading is not seen.
    labels: Vec<String>,
    is_in_head: bool,
    is_in_heading: bool,
    /// The column of the next cell.
    column: usize,
}

impl Table {
    /// Reads a tag and the text after it, and writes the attributes that it gets besides its own.
    fn read(&mut self, tag: &str, attributes: &str, text: &str, is_blank: bool, to: &mut String) {
        let role = match tag {
            "table" => {
                *self = Self::default();
                "table"
            }
            "thead" | "tbody" => {
                self.is_in_head = tag == "thead";
                "rowgroup"
            }
            "tr" => {
                self.column = 0;
                "row"
            }
            "th" if self.is_in_head => {
                self.is_in_heading = true;
                self.labels.push(String::new());
                self.label(attributes, text);
                "columnheader"
            }
            "th" => {
                self.column += 1;
                "rowheader"
            }
            "td" => {
                self.name_cell(is_blank, to);
                "cell"
            }
            "/th" => return self.is_in_heading = false,
            _ => return self.label(attributes, text),
        };
        to.push_str(" role=\"");
        to.push_str(role);
        to.push('"');
    }

    /// Takes this text into the label of the column whose heading it is in.
    fn label(&mut self, attributes: &str, text: &str) {
        let is_seen = self.is_in_heading && !attributes.contains("visually-hidden");
        if let Some(label) = self.labels.last_mut().filter(|_| is_seen) {
            label.push_str(&text.replace('"', "&#34;"));
        }
    }

    fn name_cell(&mut self, is_blank: bool, to: &mut String) {
        let label = self.labels.get(self.column).map(|label| label.trim()).unwrap_or_default();
        self.column += 1;
        if is_blank {
            to.push_str(" data-blank");
        } else if !label.is_empty() {
            to.push_str(" data-label=\"");
            to.push_str(label);
            to.push('"');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cell_says_what_its_column_is_called_and_each_part_what_it_is() {
        let page = "<p>a</p><table class=\"x\"><thead><tr><th scope=\"col\">Who</th>\
            <th scope=\"col\">In <b>Entra</b></th><th><span class=\"visually-hidden\">Delete</span>\
            </th></tr></thead><tbody><tr><th scope=\"row\">ada</th><td class=\"y\">1</td>\
            <td><form></form></td></tr><tr><th scope=\"row\">bob</th><td> </td><td>2</td></tr>\
            </tbody></table>";

        let stacked = stackable(page);

        let expected = "<p>a</p><table role=\"table\" class=\"x\"><thead role=\"rowgroup\">\
            <tr role=\"row\"><th role=\"columnheader\" scope=\"col\">Who</th>\
            <th role=\"columnheader\" scope=\"col\">In <b>Entra</b></th>\
            <th role=\"columnheader\"><span class=\"visually-hidden\">Delete</span></th></tr></thead>\
            <tbody role=\"rowgroup\"><tr role=\"row\"><th role=\"rowheader\" scope=\"row\">ada</th>\
            <td data-label=\"In Entra\" role=\"cell\" class=\"y\">1</td>\
            <td role=\"cell\"><form></form></td></tr><tr role=\"row\">\
            <th role=\"rowheader\" scope=\"row\">bob</th><td data-blank role=\"cell\"> </td>\
            <td role=\"cell\">2</td></tr></tbody></table>";
        assert_eq!(stacked, expected);
    }

    #[test]
    fn a_table_does_not_take_over_the_headings_of_the_one_before_it() {
        let one =
            "<table><thead><tr><th>A</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>";
        let two = one.replace('A', "B");

        let stacked = stackable(&format!("{one}{two}"));

        assert!(stacked.contains("data-label=\"A\"") && stacked.contains("data-label=\"B\""));
        assert_eq!(stacked.matches("data-label").count(), 2, "{stacked}");
    }

    #[test]
    fn a_page_without_a_table_stays_as_it_is() {
        let page = "<h1>2 &#60; 3</h1><p title=\"x\">y</p>";

        assert_eq!(stackable(page), page);
    }
}
