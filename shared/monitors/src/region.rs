//! The regions that a monitor can be probed from.

use super::field::excerpt;

/// The regions that a probe can come from: the location hints of Durable Objects,
/// <https://developers.cloudflare.com/durable-objects/reference/data-location/>.
pub const REGIONS: [&str; 9] = ["wnam", "enam", "sam", "weur", "eeur", "apac", "oc", "afr", "me"];

/// Most regions of one monitor, as each is one more request per tick.
pub const MAX_REGIONS: usize = 5;

/// Parses a region.
pub(super) fn parse_region(text: &str) -> Result<&'static str, String> {
    let known = REGIONS.into_iter().find(|region| *region == text);
    known.ok_or_else(|| format!("unknown region `{}`; the regions are {}", excerpt(text), REGIONS.join(", ")))
}

/// Returns the problem of a list of regions: too many of them, or a duplicate.
pub(super) fn find_problem(regions: &[&str]) -> Option<String> {
    if regions.len() > MAX_REGIONS {
        return Some(format!("has {} regions; at most {MAX_REGIONS} are allowed", regions.len()));
    }
    let duplicate = regions.iter().enumerate().find(|(index, region)| regions[..*index].contains(region));
    duplicate.map(|(_, region)| format!("`{region}` is listed twice"))
}
