//! Telling the user what went wrong, in one sentence that says what to do.

use std::process::ExitCode;

use anyhow::Error;
use vultus_native::stream::RenderError;

/// Exit code of a run that ctrl-C ended: 128 + SIGINT, as shells expect.
pub(crate) const CANCELLED: u8 = 130;

/// Prints the error and gives the exit code that goes with it.
pub(crate) fn tell(error: &Error) -> ExitCode {
    // An I/O error without context comes from writing to standard output; all others say what they are about.
    let bare = || error.downcast_ref::<std::io::Error>().filter(|_| error.chain().count() == 1);
    // A reader that has seen enough (`vultus avatars | head -1`) is no failure.
    if bare().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    if let Some(e) = bare() {
        eprintln!("vultus: cannot write to standard output: {}", without_number(&e.to_string()));
        return ExitCode::FAILURE;
    }
    eprintln!("vultus: {}", one_line(without_number(&format!("{error:#}"))));
    if matches!(error.downcast_ref(), Some(RenderError::Cancelled)) {
        return ExitCode::from(CANCELLED);
    }
    ExitCode::FAILURE
}

/// A file's name may hold a line's end, or what a terminal takes for a command.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

/// The operating system's words come last, with a number that advises nobody.
fn without_number(text: &str) -> &str {
    text.split_once(" (os error").map_or(text, |(words, _)| words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_whatever_a_file_is_called() {
        assert_eq!(one_line("cannot read Grüße\n\u{1b}[2J.wav: no"), "cannot read Grüße\\n\\u{1b}[2J.wav: no");
    }
}
