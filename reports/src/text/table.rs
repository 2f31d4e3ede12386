//! Columns that line up: rows of cells, each with its colour.

use unicode_width::UnicodeWidthStr;

use super::page::{Ink, Page};

/// The empty columns between two columns.
const GAP: usize = 2;

/// A cell: its text, which must be clean, and its colour.
pub(super) type Cell = (Ink, String);

/// To which side a column leans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lean {
    Left,
    Right,
}

/// Rows of cells under one another. Every row has a cell for every column.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) columns: Vec<Lean>,
    pub(super) rows: Vec<Vec<Cell>>,
}

impl Table {
    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|(_, text)| text.width()).max().unwrap_or(0)
        };
        (0..self.columns.len()).map(width).collect()
    }

    /// How many columns of the page it takes, without the indent.
    pub(super) fn width(&self) -> usize {
        let widths = self.widths();
        widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
    }

    /// Writes the rows, each after `indent` spaces.
    ///
    /// This is done here because the cells are coloured: a table crate measures
    /// colours right only together with a terminal library of its own.
    pub(super) fn show(&self, page: &mut Page, indent: usize) {
        let widths = self.widths();
        for row in &self.rows {
            let mut line = " ".repeat(indent);
            for (((ink, text), lean), width) in row.iter().zip(&self.columns).zip(&widths) {
                let pad = " ".repeat(width.saturating_sub(text.width()));
                let text = page.paint(*ink, text);
                match lean {
                    Lean::Left => line.extend([text, pad]),
                    Lean::Right => line.extend([pad, text]),
                }
                line.push_str(&" ".repeat(GAP));
            }
            page.line(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TextOptions;

    #[test]
    fn columns_line_up_by_width_and_not_by_bytes_or_colours() {
        let cell = |text: &str| (Ink::Good, text.to_owned());
        let table = Table {
            columns: vec![Lean::Left, Lean::Right, Lean::Left],
            rows: vec![
                vec![cell("文件"), cell("1"), cell("x")],
                vec![cell("a"), cell("1000"), cell("y")],
                vec![cell(""), cell("é"), cell("")],
            ],
        };
        assert_eq!(table.width(), 4 + 2 + 4 + 2 + 1);
        let options = TextOptions { color: false, width: 80, unicode: true, verbose: false };
        let mut page = Page::new(options);
        table.show(&mut page, 1);
        let plain = page.finish();
        assert_eq!(plain, " 文件     1  x\n a     1000  y\n          é\n");
        let mut page = Page::new(TextOptions { color: true, ..options });
        table.show(&mut page, 1);
        let green = |text: &str| format!("\u{1b}[32m{text}\u{1b}[0m");
        assert!(page.finish().starts_with(&format!(" {}     {}  {}\n", green("文件"), green("1"), green("x"))));
    }
}
