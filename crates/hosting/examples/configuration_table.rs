//! Prints the table of docs/configuration.md, for `make configuration`.

#![expect(clippy::print_stdout, reason = "printing is all it does")]

fn main() {
    print!("{}", hosting::config::markdown_table());
}
