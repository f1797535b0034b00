//! Asking whether there is a way out at all; see `watch::sight`.

use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use worker::{AbortController, Delay, Fetch};

use super::{Allowance, platform};
use crate::config::HttpUrl;
use crate::outgoing::request;
use crate::watch::sight::Sight;

/// How long a reference target has to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks all of `references` at once. Any answer of theirs will do; one that Cloudflare gives in their place will not.
pub(crate) async fn sight(references: &[HttpUrl], allowance: &Allowance) -> Sight {
    let asked = references.iter().take_while(|_| allowance.take().is_ok());
    let answers = join_all(asked.map(answers)).await;
    match (answers.is_empty(), answers.contains(&true)) {
        (true, _) => Sight::Unasked,
        (false, true) => Sight::Clear,
        (false, false) => Sight::Blocked,
    }
}

async fn answers(url: &HttpUrl) -> bool {
    let Ok(request) = request("HEAD", url.as_str(), [], None) else { return false };
    let controller = AbortController::default();
    let signal = controller.signal();
    let fetch = Fetch::Request(request);
    let asking = std::pin::pin!(fetch.send_with_signal(&signal));
    let answered = match select(asking, Delay::from(TIMEOUT)).await {
        Either::Left((Ok(response), _)) => !platform::may_stand_in(response.status_code()),
        _ => false,
    };
    controller.abort();
    answered
}
