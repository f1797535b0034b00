//! How much of the limit is used, with the ladder's marks.

use ratatui::text::{Line, Span};

use super::style::{Paint, bold};
use crate::inspect::advice::worst;
use crate::inspect::snapshot::Picture;

/// The ladder's usual marks, as shares of the limit (Contract 2).
const MARKS: [f64; 4] = [0.781_25, 0.879, 0.9375, 0.969];

/// `████░░░╎░╎╎  312.4 MB of 512.0 MB (61 %)  calm`; only the words without a limit.
pub(super) fn line(picture: &Picture, width: u16, paint: Paint) -> Line<'static> {
    let used = picture.sample.working_set;
    let Some((limit, share)) = picture.limit.as_ref().zip(picture.used_share()) else {
        return Line::raw(format!("{used} used, limit not known"));
    };
    let rung = picture.pressure.map_or_else(String::new, |standing| format!("  {}", standing.rung.as_str()));
    let words = format!(" {used} of {} ({:.0} %){rung}", limit.bytes, share * 100.0);
    let cells = usize::from(width).saturating_sub(words.chars().count());
    Line::from(vec![Span::styled(cells_of(share, cells), paint.of(worst(picture))), bold(words)])
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "shares are clamped to 0..=1")]
fn cells_of(share: f64, cells: usize) -> String {
    let filled = (share.clamp(0.0, 1.0) * cells as f64).round() as usize;
    let marks = MARKS.map(|mark| (mark * cells as f64) as usize);
    (0..cells)
        .map(|cell| match (cell < filled, marks.contains(&cell)) {
            (true, _) => '█',
            (false, true) => '╎',
            (false, false) => '░',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_filled_in_proportion_and_marks_stay_where_they_are() {
        assert_eq!(cells_of(0.5, 32), "████████████████░░░░░░░░░╎░░╎░╎╎");
        assert_eq!(cells_of(0.9, 32), "█████████████████████████████░╎╎");
        assert_eq!(cells_of(7.0, 4), "████");
        assert_eq!(cells_of(0.5, 0), "");
    }
}
