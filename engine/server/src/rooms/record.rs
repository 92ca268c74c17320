//! Sessions to files.

use std::path::Path;

use time::OffsetDateTime;
use vultus_native::Notices;
use vultus_native::stream::live::{Recorded, Recording, Sink};

/// Begins to record a session of this id into `folder`. A session that cannot be recorded goes on, and `notices` hear of it.
pub(super) fn start(folder: &Path, id: &str, side: usize, notices: &Notices) -> Option<Sink> {
    let file = folder.join(name(OffsetDateTime::now_utc(), id));
    let told = notices.clone();
    match Recording::create(&file, side, move |recorded| ended(recorded, &told)) {
        Ok(recording) => Some(Sink::Packet(Box::new(recording))),
        Err(error) => {
            notices.tell(&format!("a session is not recorded: {error}"));
            None
        }
    }
}

/// By UTC, so that files of a night in which clocks are put back sort as they were made. The id opens a session, so only its beginning is in it.
fn name(now: OffsetDateTime, id: &str) -> String {
    let (date, time) = (now.date(), now.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}-{:02}-{:02}Z-{}.mp4",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        &id[..8]
    )
}

fn ended(recorded: Recorded, notices: &Notices) {
    let Recorded { file, pictures, dropped, failed } = recorded;
    if let Some(error) = failed.as_ref().filter(|_| pictures == 0) {
        notices.tell(&format!("a session is not recorded: {error}"));
    } else if let Some(error) = failed {
        notices.tell(&format!("a recording ended early, after {pictures} pictures; what is there plays: {error}"));
    } else if dropped > 0 {
        notices.tell(&format!("{}: the disk was too slow for {dropped} pictures and packets of voice", file.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_sort_by_when_they_were_made() {
        let at = |seconds| OffsetDateTime::from_unix_timestamp(seconds).unwrap();
        let names = [0, 59, 86_400, 1_700_000_000].map(|seconds| name(at(seconds), "0123456789abcdef"));
        assert_eq!(names[3], "2023-11-14T22-13-20Z-01234567.mp4");
        assert!(names.is_sorted(), "{names:?}");
    }
}
