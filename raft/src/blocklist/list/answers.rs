//! Doing something once: the first answer is kept under its key and repeated.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use super::apply::Applying;
use crate::blocklist::answers::{ANSWER_KEPT_SECONDS, ANSWERS_MAX, Answer, AnswerKey, Given, Once};
use crate::blocklist::command::{Command, Outcome, Refusal};
use crate::blocklist::record::RecordKey;
use crate::blocklist::timestamp::Timestamp;

/// Old answers forgotten by one command, which bounds its change set.
const FORGOTTEN_AT_ONCE: usize = 4;

/// The kept answers, also by age.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    by_key: OrdMap<AnswerKey, Arc<Answer>>,
    by_age: OrdSet<(Timestamp, AnswerKey)>,
}

impl Answers {
    pub(super) fn put(&mut self, key: AnswerKey, answer: Arc<Answer>) {
        self.remove(&key);
        self.by_age.insert((answer.time, key.clone()));
        self.by_key.insert(key, answer);
    }

    pub(super) fn get(&self, key: &AnswerKey) -> Option<&Arc<Answer>> {
        self.by_key.get(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&AnswerKey, &Arc<Answer>)> {
        self.by_key.iter()
    }

    fn remove(&mut self, key: &AnswerKey) {
        if let Some(answer) = self.by_key.remove(key) {
            self.by_age.remove(&(answer.time, key.clone()));
        }
    }

    /// The oldest answer, when it is too old at this moment, or one too many.
    fn surplus(&self, time: Timestamp) -> Option<AnswerKey> {
        let (given, key) = self.by_age.get_min()?;
        let surplus = is_over(*given, time) || self.by_key.len() > ANSWERS_MAX;
        surplus.then(|| key.clone())
    }
}

impl PartialEq for Answers {
    fn eq(&self, other: &Answers) -> bool {
        self.by_key == other.by_key
    }
}

/// Whether an answer that was given then is not kept any longer.
fn is_over(given: Timestamp, time: Timestamp) -> bool {
    given.plus_seconds(ANSWER_KEPT_SECONDS) <= time
}

impl Applying<'_> {
    /// Runs a command unless its answer is known.
    pub(super) fn once(&mut self, command: &Command, once: &Once) -> Outcome {
        let Command { time, actor, operation, .. } = command;
        let key = AnswerKey { account: actor.account.clone(), key: once.key, part: once.part };
        if let Some(answer) = self.list.answers.get(&key).filter(|answer| !is_over(answer.time, *time)) {
            if answer.request != once.request {
                let sentence = "the Idempotency-Key was used for another request";
                return Outcome::Refused(Refusal::KeyReused(sentence.to_owned()));
            }
            return Outcome::Repeated(Box::new(answer.given.outcome()));
        }
        let outcome = self.run_operation(*time, actor, operation);
        if let Some(given) = Given::new(&outcome) {
            let answer = Answer { request: once.request, time: *time, given };
            self.list.answers.put(key.clone(), Arc::new(answer));
            self.touch(RecordKey::Answer(key.into()));
        }
        for _ in 0..FORGOTTEN_AT_ONCE {
            let Some(key) = self.list.answers.surplus(*time) else { break };
            self.list.answers.remove(&key);
            self.touch(RecordKey::Answer(key.into()));
        }
        outcome
    }
}
