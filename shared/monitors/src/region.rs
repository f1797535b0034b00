//! The regions that a monitor can be probed from.

use super::field::shown;

/// Where a probe can come from: the location hints of Durable Objects,
/// <https://developers.cloudflare.com/durable-objects/reference/data-location/>.
pub const REGIONS: [&str; 9] = ["wnam", "enam", "sam", "weur", "eeur", "apac", "oc", "afr", "me"];

/// Most regions of one monitor: each is a request more with every tick.
pub const MOST_REGIONS: usize = 5;

/// Reads a region.
pub(super) fn region(text: &str) -> Result<&'static str, String> {
    let known = REGIONS.into_iter().find(|region| *region == text);
    known.ok_or_else(|| format!("`{}` is no region; there are {}", shown(text), REGIONS.join(", ")))
}

/// The problem with a list of regions as a whole.
pub(super) fn problem(regions: &[&str]) -> Option<String> {
    if regions.len() > MOST_REGIONS {
        return Some(format!("has {} regions; {MOST_REGIONS} are enough", regions.len()));
    }
    let twice = regions.iter().enumerate().find(|(index, region)| regions[..*index].contains(region));
    twice.map(|(_, region)| format!("names `{region}` twice"))
}
