//! Why the hub cannot do what it is asked.

use crate::hub_api::HubError;
use crate::store::StoreError;

/// What a part of the hub gives.
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
