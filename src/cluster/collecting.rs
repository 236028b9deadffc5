//! Answers of all reactors, collected for one closure. This file does not know the questions.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::context::{CallError, Context, Stations};

/// Answers by the number of their reactor, and what gets them. That runs when the last reactor has
/// answered, or will never answer: on that reactor's thread, or on the caller's if it is the last.
struct Answers<T, R, S: FnOnce(Vec<Option<T>>) -> R, F: FnOnce(R)> {
    answers: Mutex<Vec<Option<T>>>,
    then: Mutex<Option<(S, F)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T, R, S: FnOnce(Vec<Option<T>>) -> R, F: FnOnce(R)> Drop for Answers<T, R, S, F> {
    fn drop(&mut self) {
        let then = lock(&self.then).take();
        if let Some((sum, then)) = then {
            then(sum(std::mem::take(&mut *lock(&self.answers))));
        }
    }
}

/// Asks each reactor, and calls `then` once with the sum of the answers. The answer of a reactor
/// that has ended is `None`.
///
/// # Errors
/// With `then`, when the queue of a reactor is full.
pub(super) fn ask_all<T, R, S, F>(
    stations: &Stations,
    ask: impl Fn(&mut Context) -> T + Clone + Send + 'static,
    sum: S,
    then: F,
) -> Result<(), CallError<F>>
where
    T: Send + 'static,
    R: 'static,
    S: FnOnce(Vec<Option<T>>) -> R + Send + 'static,
    F: FnOnce(R) + Send + 'static,
{
    let all = stations.all();
    let none = all.iter().map(|_| None).collect();
    let answers =
        Arc::new(Answers { answers: Mutex::new(none), then: Mutex::new(Some((sum, then))) });
    for (index, station) in all.iter().enumerate() {
        let (answers_of_all, ask) = (Arc::clone(&answers), ask.clone());
        let sent = station.remote.call_context(move |cx| {
            let answer = ask(cx);
            if let Some(place) = lock(&answers_of_all.answers).get_mut(index) {
                *place = Some(answer);
            }
        });
        if let Err(error) = sent
            && !error.is_closed()
            && let Some((_, then)) = lock(&answers.then).take()
        {
            return Err(error.with(then));
        }
    }
    Ok(())
}
