//! The bar of the used share of the limit, with the ladder's thresholds.

use ratatui::text::{Line, Span};

use super::style::{ColorScheme, bold};
use crate::inspect::advice::worst_severity;
use crate::inspect::snapshot::Snapshot;

/// The default thresholds of the ladder, as shares of the limit.
const THRESHOLDS: [f64; 4] = [0.781_25, 0.879, 0.9375, 0.969];

/// Returns the bar, such as `████░░░╎░╎╎  312.4 MB of 512.0 MB (61.0 %)  calm`; without a limit, only the text.
pub(super) fn usage_bar(snapshot: &Snapshot, width: u16, scheme: ColorScheme) -> Line<'static> {
    let used = snapshot.sample.working_set;
    let Some((limit, share)) = snapshot.limit.as_ref().zip(snapshot.used_share()) else {
        return Line::raw(format!("{used} used, limit unknown"));
    };
    let level =
        snapshot.pressure.map_or_else(String::new, |pressure| format!("  {}", pressure.level.as_str()));
    let percent = snapshot.used_percent().unwrap_or_default();
    let text = format!(" {used} of {} ({percent}){level}", limit.bytes);
    let cells = usize::from(width).saturating_sub(text.chars().count());
    Line::from(vec![
        Span::styled(draw_cells(share, cells), scheme.severity_style(worst_severity(snapshot))),
        bold(text),
    ])
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "shares are clamped to 0..=1")]
/// Draws the bar with this number of cells.
fn draw_cells(share: f64, cells: usize) -> String {
    let filled = (share.clamp(0.0, 1.0) * cells as f64).round() as usize;
    let thresholds = THRESHOLDS.map(|share| (share * cells as f64) as usize);
    (0..cells)
        .map(|cell| match (cell < filled, thresholds.contains(&cell)) {
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
    fn cells_are_filled_in_proportion_and_thresholds_stay_visible() {
        assert_eq!(draw_cells(0.5, 32), "████████████████░░░░░░░░░╎░░╎░╎╎");
        assert_eq!(draw_cells(0.9, 32), "█████████████████████████████░╎╎");
        assert_eq!(draw_cells(7.0, 4), "████");
        assert_eq!(draw_cells(0.5, 0), "");
    }
}
