//! Colours, or none: what they say is always said in words too.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use crate::inspect::advice::Severity;

/// Whether there are colours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    pub(super) colour: bool,
}

impl Paint {
    pub(super) fn with(self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }

    /// Of a severity.
    pub(super) fn of(self, severity: Severity) -> Style {
        self.with(match severity {
            Severity::Fine => Color::Green,
            Severity::Warning => Color::Yellow,
            Severity::Critical => Color::Red,
        })
    }

    pub(super) fn critical(self, text: String) -> Span<'static> {
        Span::styled(text, self.of(Severity::Critical).add_modifier(Modifier::BOLD))
    }

    /// The word before a piece of advice.
    pub(super) fn mark(self, severity: Severity) -> Span<'static> {
        let word = match severity {
            Severity::Fine => "ok       ",
            Severity::Warning => "warning  ",
            Severity::Critical => "critical ",
        };
        Span::styled(word, self.of(severity).add_modifier(Modifier::BOLD))
    }
}

pub(super) fn bold(text: String) -> Span<'static> {
    Span::styled(text, Style::new().add_modifier(Modifier::BOLD))
}

pub(super) fn faint(text: String) -> Span<'static> {
    Span::styled(text, Style::new().add_modifier(Modifier::DIM))
}

/// A title in a horizontal line.
pub(super) fn rule(title: &str, width: u16) -> Line<'static> {
    let rest = usize::from(width).saturating_sub(title.chars().count() + 4);
    Line::from(vec![faint("── ".into()), bold(title.to_owned()), faint(format!(" {}", "─".repeat(rest)))])
}
