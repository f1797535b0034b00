//! Styles. Whatever a color expresses is also written as text.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use crate::inspect::advice::Severity;

/// Whether the screen uses colors.
#[derive(Clone, Copy, Debug)]
pub(super) struct ColorScheme {
    pub(super) color: bool,
}

impl ColorScheme {
    pub(super) fn colored(self, color: Color) -> Style {
        if self.color { Style::new().fg(color) } else { Style::new() }
    }

    /// Returns the style of a severity.
    pub(super) fn severity_style(self, severity: Severity) -> Style {
        self.colored(match severity {
            Severity::Ok => Color::Green,
            Severity::Warning => Color::Yellow,
            Severity::Critical => Color::Red,
        })
    }

    pub(super) fn critical(self, text: String) -> Span<'static> {
        Span::styled(text, self.severity_style(Severity::Critical).add_modifier(Modifier::BOLD))
    }

    /// Returns the label of a severity, which precedes an advice.
    pub(super) fn severity_label(self, severity: Severity) -> Span<'static> {
        let word = match severity {
            Severity::Ok => "ok       ",
            Severity::Warning => "warning  ",
            Severity::Critical => "critical ",
        };
        Span::styled(word, self.severity_style(severity).add_modifier(Modifier::BOLD))
    }
}

pub(super) fn bold(text: String) -> Span<'static> {
    Span::styled(text, Style::new().add_modifier(Modifier::BOLD))
}

pub(super) fn faint(text: String) -> Span<'static> {
    Span::styled(text, Style::new().add_modifier(Modifier::DIM))
}

/// Returns a horizontal line with a title.
pub(super) fn rule(title: &str, width: u16) -> Line<'static> {
    let rest = usize::from(width).saturating_sub(title.chars().count() + 4);
    Line::from(vec![faint("── ".into()), bold(title.to_owned()), faint(format!(" {}", "─".repeat(rest)))])
}
