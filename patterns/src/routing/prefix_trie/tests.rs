//! The trie against a list of topics.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn found(trie: &PrefixTrie<usize>, text: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    trie.for_each_prefix(text, |value| found.push(*value));
    found
}

fn set(trie: &mut PrefixTrie<usize>, topic: &[u8], value: usize) {
    let id = trie.insert(topic);
    *trie.value_mut(id) = value;
}

#[test]
fn finds_every_prefix_shortest_first() {
    let mut trie = PrefixTrie::default();
    for (topic, value) in [("weather.rome", 3), ("", 1), ("weather", 2), ("wind", 4)] {
        set(&mut trie, topic.as_bytes(), value);
    }
    assert_eq!(found(&trie, b"weather.rome.today"), [1, 2, 3]);
    assert_eq!(found(&trie, b"weather.ro"), [1, 2]);
    assert_eq!(found(&trie, b"wine"), [1]);
    assert_eq!(found(&trie, b""), [1]);
}

#[test]
fn removal_leaves_no_nodes_behind() {
    let mut trie: PrefixTrie<usize> = PrefixTrie::default();
    let long = "l".repeat(SHORT + 1);
    let longer = format!("{long}{long}");
    let topics = ["a", "abc", "abd", "abde", "b", "", &long, &longer];
    for topic in topics {
        trie.insert(topic.as_bytes());
    }
    for topic in topics {
        let id = trie.find(topic.as_bytes()).unwrap();
        trie.remove(id);
        assert!(trie.find(topic.as_bytes()).is_none());
    }
    assert_eq!(trie.len(), 0);
    assert_eq!(trie.nodes.len(), 1, "only the root stays");
    assert!(trie.long.is_empty() && trie.wide.is_empty());
    assert!(!trie.matches(b"abcde"));
}

#[test]
fn a_node_is_two_lines_of_cache() {
    assert_eq!(size_of::<Node>(), 128);
    assert_eq!(
        std::mem::offset_of!(Node, ids),
        64,
        "a leaf is in the first"
    );
}

#[test]
fn nodes_get_wide_and_narrow_again() {
    let mut trie: PrefixTrie<usize> = PrefixTrie::default();
    for byte in 0..=u8::MAX {
        set(&mut trie, &[b'x', byte], byte.into());
        assert_eq!(trie.wide.len(), usize::from(usize::from(byte) >= FEW));
    }
    for byte in 0..=u8::MAX {
        assert_eq!(found(&trie, &[b'x', byte, 1]), [usize::from(byte)]);
    }
    for byte in 0..=u8::MAX {
        let id = trie.find(&[b'x', byte]).unwrap();
        trie.remove(id);
        let left = usize::from(u8::MAX - byte);
        assert_eq!(trie.wide.len(), usize::from(left > FEW / 2));
        for other in 0..=u8::MAX {
            assert_eq!(trie.matches(&[b'x', other]), other > byte);
        }
    }
    assert_eq!(trie.nodes.len(), 1);
}

#[test]
fn a_topic_of_a_megabyte_is_no_problem() {
    let long = vec![7; 1 << 20];
    let mut trie: PrefixTrie<usize> = PrefixTrie::default();
    for length in (0..long.len()).step_by(1000) {
        trie.insert(&long[..length]);
    }
    assert_eq!(found(&trie, &long).len(), long.len().div_ceil(1000));
}

/// Short texts of few letters; some of many letters, for wide nodes, and some long ones.
fn text(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => proptest::collection::vec(0u8..3, 0..most),
        3 => proptest::collection::vec(0u8..40, 0..3),
        1 => (0u8..3, 30usize..60).prop_map(|(letter, length)| vec![letter; length]),
    ]
}

proptest! {
    #[test]
    fn behaves_like_a_list_of_topics(
        steps in proptest::collection::vec((any::<bool>(), text(7)), 0..120),
        texts in proptest::collection::vec(text(9), 0..20),
    ) {
        let mut trie = PrefixTrie::default();
        let mut model: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for (number, (add, topic)) in steps.iter().enumerate() {
            if *add {
                set(&mut trie, topic, number);
                model.insert(topic.clone(), number);
            } else {
                let id = trie.find(topic);
                prop_assert!(id.is_none_or(|id| trie.topic(id) == *topic));
                prop_assert_eq!(id.is_some(), model.remove(topic).is_some());
                if let Some(id) = id {
                    trie.remove(id);
                }
            }
            prop_assert_eq!(trie.len(), model.len());
        }
        for text in &texts {
            let expected: Vec<usize> = (0..=text.len())
                .filter_map(|length| model.get(&text[..length]).copied())
                .collect();
            prop_assert_eq!(trie.matches(text), !expected.is_empty());
            prop_assert_eq!(found(&trie, text), expected);
        }
    }
}

/// Somebody comes with very many topics, and goes again.
#[test]
fn memory_goes_with_the_topics_that_needed_it() {
    for others in [0, 10] {
        let mut topics = PrefixTrie::<usize>::default();
        let text = |number: usize| format!("{number:09}-{}", "x".repeat(number % 60));
        for number in 0..others {
            topics.insert(format!("other {number}").as_bytes());
        }
        let ids: Vec<_> = (0..50_000)
            .map(|number| topics.insert(text(number).as_bytes()))
            .collect();
        assert!(topics.nodes.capacity() >= 50_000);
        for id in ids {
            topics.remove(id);
        }
        assert_eq!(topics.len(), others);
        let left = topics.nodes.capacity().max(topics.values.capacity());
        assert!(left <= SPARE + 100, "{left} for {others}");
        for number in 0..others {
            assert!(topics.matches(format!("other {number} and more").as_bytes()));
        }
        topics.insert(b"again");
        assert!(topics.matches(b"again and again"));
    }
}
