//! What a hub knows of the others: its own number, how many there are, and at the first hub whose each monitor is. Pure.

use super::assignment::Places;

/// What a hub keeps of it, as text: `0 25 3 7`, which is its number, their count and who is to be told yet, and a line a
/// place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roll {
    /// The hub's number.
    pub number: usize,
    /// How many hubs there are.
    pub of: usize,
    /// Hubs that have not taken their share of the list yet; the first hub tells them.
    pub untold: Vec<usize>,
    /// Whose each monitor is; the first hub knows.
    pub places: Places,
}

impl Default for Roll {
    /// The first hub, alone.
    fn default() -> Self {
        Roll { number: 0, of: 1, untold: Vec::new(), places: Places::default() }
    }
}

impl Roll {
    /// Reads what [`Roll::write`] wrote.
    pub fn read(text: &str) -> Self {
        let mut lines = text.lines();
        let mut numbers = lines.next().unwrap_or_default().split(' ').filter_map(|word| word.parse().ok());
        Roll {
            number: numbers.next().unwrap_or(0),
            of: numbers.next().unwrap_or(1),
            untold: numbers.collect(),
            places: Places::read(lines),
        }
    }

    /// As text.
    pub fn write(&self) -> String {
        let numbers = [self.number, self.of].into_iter().chain(self.untold.iter().copied());
        let mut out = numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(" ");
        out.push('\n');
        self.places.write(&mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let places = Places::read("0 api\n2 -web\n".lines());
        let roll = Roll { number: 0, of: 3, untold: vec![1, 2], places };
        assert_eq!(roll.write(), "0 3 1 2\n0 api\n2 -web\n");
        assert_eq!(Roll::read(&roll.write()), roll);
        let other = Roll { number: 2, of: 3, ..Roll::default() };
        assert_eq!(Roll::read(&other.write()), other);
        assert_eq!(Roll::read(""), Roll::default());
    }
}
