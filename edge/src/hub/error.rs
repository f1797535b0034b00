//! The result of the hub's parts, and its conversions.

use crate::hub_api::HubError;
use crate::store::StoreError;

/// The result of a part of the hub.
pub(super) type HubResult<T> = Result<T, HubError>;

impl From<StoreError> for HubError {
    fn from(error: StoreError) -> Self {
        HubError::Store(error.to_string())
    }
}

impl From<&StoreError> for HubError {
    fn from(error: &StoreError) -> Self {
        HubError::Store(error.to_string())
    }
}
