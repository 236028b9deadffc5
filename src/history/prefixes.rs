//! The registered prefixes of topics: the longest one that a topic begins with wins. This file
//! keeps no message.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::settings::History;

/// Settings by prefix.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    all: BTreeMap<Box<str>, Registered>,
}

#[derive(Debug)]
struct Registered {
    history: History,
    /// The longest other prefix that this one begins with.
    parent: Option<Box<str>>,
}

impl Prefixes {
    /// Registers a prefix, or replaces its settings.
    pub(super) fn insert(&mut self, prefix: &str, history: History) {
        if let Some(registered) = self.all.get_mut(prefix) {
            registered.history = history;
            return;
        }
        let parent = self.longest(prefix).map(|(parent, _)| Box::from(parent));
        // Longer prefixes that begin with this one lie directly behind it.
        let behind = (Bound::Excluded(prefix), Bound::Unbounded);
        for (longer, registered) in self.all.range_mut::<str, _>(behind) {
            if !longer.starts_with(prefix) {
                break;
            }
            if registered.parent.as_ref().is_none_or(|parent| parent.len() < prefix.len()) {
                registered.parent = Some(prefix.into());
            }
        }
        self.all.insert(prefix.into(), Registered { history, parent });
    }

    /// Returns all prefixes with their settings.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, History)> {
        self.all.iter().map(|(prefix, registered)| (&**prefix, registered.history))
    }

    /// Returns the settings of a topic, if a prefix covers it.
    pub(super) fn of(&self, topic: &str) -> Option<History> {
        self.longest(topic).map(|(_, history)| history)
    }

    /// Returns the longest prefix that a text begins with.
    ///
    /// The greatest prefix that is not above the text begins with the one that is looked for: all
    /// texts in the order between a prefix and its topic begin with that prefix.
    fn longest(&self, text: &str) -> Option<(&str, History)> {
        let below = (Bound::Unbounded, Bound::Included(text));
        let mut found = self.all.range::<str, _>(below).next_back();
        while let Some((prefix, registered)) = found {
            if text.starts_with(&**prefix) {
                return Some((prefix, registered.history));
            }
            found = self.all.get_key_value(registered.parent.as_deref()?);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_prefix_wins() {
        // All texts of at most 3 letters of 2, as prefixes in any order and as topics.
        let mut texts = vec![String::new()];
        for at in 0..7 {
            let longer = ["a", "b"].map(|letter| texts[at].clone() + letter);
            texts.extend(longer);
        }
        let mut random = 1_u64;
        for _ in 0..500 {
            let (mut prefixes, mut naive) = (Prefixes::default(), Vec::new());
            for _ in 0..random % 9 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let text = &texts[(random >> 33) as usize % texts.len()];
                let history = History::new().messages(random as usize);
                prefixes.insert(text, history);
                naive.retain(|(other, _)| other != text);
                naive.push((text.clone(), history));
            }
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            for topic in &texts {
                let covers = naive.iter().filter(|(prefix, _)| topic.starts_with(prefix));
                let expected = covers.max_by_key(|(prefix, _)| prefix.len());
                assert_eq!(prefixes.of(topic), expected.map(|(_, history)| *history), "{topic}");
            }
        }
    }
}
