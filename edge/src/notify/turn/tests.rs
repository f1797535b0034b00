//! Timelines through the engine and the turn: what each recipient accepts, however its service behaves.

mod batches;
mod channels;
mod dependencies;
mod ends;
mod found;
mod harness;
mod keys;
mod random_days;
mod reminders;
mod unwatched;
mod unwatched_trouble;
