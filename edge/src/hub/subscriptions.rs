//! Those who asked to be told: `GET`, `POST` and `DELETE /subscriptions`.
//!
//! That an address wants it was proven before (`routes/subscribe.rs`). The first hub has the list, a line each, and writes down
//! that the others are to hear of it, which they do with the next tick; each tells of its own monitors.

use std::rc::Rc;

use worker::Method;

use super::dispatch::Finished;
use super::{Hub, Told};
use crate::fleet::each;
use crate::json;
use crate::notify::Subscriber;
use crate::notify::subscriber::{LIST, proof, url};
use crate::web::admin::same;

impl Hub {
    /// Who is told; read from the store the first time.
    pub(super) fn subscribers(&self) -> Told<Rc<Vec<Subscriber>>> {
        if let Some(subscribers) = &*self.subscribers.borrow() {
            return Ok(Rc::clone(subscribers));
        }
        let mut subscribers = Vec::new();
        if self.setup.subscriptions > 0 {
            subscribers.extend(self.subscriptions()?.lines().filter_map(Subscriber::read));
        }
        let subscribers = Rc::new(subscribers);
        *self.subscribers.borrow_mut() = Some(Rc::clone(&subscribers));
        Ok(subscribers)
    }

    /// The list as it is kept.
    pub(super) fn subscriptions(&self) -> Told<String> {
        let text = self.store()?.setting(LIST).map_err(|error| error.to_string())?;
        Ok(text.unwrap_or_default())
    }

    /// What the owner sees of it: no secrets.
    pub(super) fn get_subscriptions(&self) -> Told<Finished> {
        let subscribers = self.subscribers()?;
        Ok(Finished::ok(json::object(|o| {
            o.list(LIST, |list| {
                for one in subscribers.iter() {
                    list.object(|o| {
                        o.set("url", one.url());
                        o.texts("monitors", one.monitors());
                        o.set("push", one.browser().is_some());
                    });
                }
            });
        })))
    }

    /// Takes a line in, in the place of an earlier one of the same address, or out: where a proof is given, only with the right one.
    pub(super) fn subscribe(&self, line: &str, is_in: bool) -> Told<Finished> {
        if let Some(answer) = self.busy() {
            return Ok(answer);
        }
        let before = self.subscriptions()?;
        let proven = |other: &str| {
            let given = proof(line).filter(|_| !is_in);
            given.is_none_or(|given| same(given.as_bytes(), proof(other).unwrap_or_default().as_bytes()))
        };
        let mut lines: Vec<&str> =
            before.lines().filter(|other| url(other) != url(line) || !proven(other)).collect();
        if is_in {
            if lines.len() >= self.setup.subscriptions {
                return Ok(Finished::refused(409, "as many are told as may be; nobody more is"));
            }
            lines.push(line);
        }
        let list = lines.join("\n");
        if list != before {
            self.store()?.set(LIST, &list).map_err(|error| error.to_string())?;
            *self.subscribers.borrow_mut() = None;
            self.have_told()?;
        }
        Ok(Finished { status: 204, body: String::new() })
    }

    /// Takes out one who wants no more of it; again with the next tick, where the first hub does not hear of it.
    pub(super) async fn dismiss(&self) -> Told<()> {
        let subscribers = self.subscribers()?;
        let gone = self.outbox.gone.take();
        let Some(one) = subscribers.iter().find(|one| gone.contains(&one.id)) else { return Ok(()) };
        let heard = if self.roll()?.number == 0 {
            self.subscribe(one.url(), false)?.status
        } else {
            let asked = vec![(0, ["/", LIST].concat(), Some(one.url().to_owned()))];
            each(&self.env, &Method::Delete, asked).await.pop().flatten().map_or(503, |(status, _)| status)
        };
        let mut left = self.outbox.gone.borrow_mut();
        left.extend(gone.into_iter().filter(|id| *id != one.id || heard != 204));
        Ok(())
    }
}
