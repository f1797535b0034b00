//! Asking whether there is a way out at all; see `watch::sight`.

use std::cell::Cell;
use std::time::Duration;

use futures_util::future::{Either, select};
use web_sys::AbortController;
use worker::Delay;

use super::{RequestBudget, platform, six_at_once};
use crate::config::HttpUrl;
use crate::domain::check::self_check::SelfCheck;
use crate::platform::fetch_request::Outgoing;

/// How long a reference target has to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks all of `references` at once. Any answer of theirs will do; one that Cloudflare gives in their place will not.
pub(crate) async fn sight(references: &[HttpUrl], allowance: &RequestBudget) -> SelfCheck {
    let asked: Vec<&HttpUrl> = references.iter().take_while(|_| allowance.take().is_ok()).collect();
    if asked.is_empty() {
        return SelfCheck::NotRun;
    }
    let seen = Cell::new(false);
    let clear = &seen;
    six_at_once(asked, |url| async move {
        clear.set(answers(url).await || clear.get());
        true
    })
    .await;
    if seen.get() { SelfCheck::Online } else { SelfCheck::Offline }
}

async fn answers(url: &HttpUrl) -> bool {
    let (Ok(request), Ok(controller)) =
        (Outgoing::new("HEAD", [], &wasm_bindgen::JsValue::UNDEFINED), AbortController::new())
    else {
        return false;
    };
    let signal = controller.signal();
    let asking = std::pin::pin!(request.send(url.as_str(), &signal));
    let answered = match select(asking, Delay::from(TIMEOUT)).await {
        Either::Left((Ok(response), _)) => !platform::may_stand_in(response.status()),
        _ => false,
    };
    controller.abort();
    answered
}
