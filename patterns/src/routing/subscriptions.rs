//! The prefix trie of subscriptions: which topics are a prefix of this message?
//!
//! A radix tree in one vector: an edge carries as many bytes as all topics below it share, so that a match
//! costs O(length of the topic), whatever the number of subscriptions, and nothing is recursive: a long
//! topic cannot overflow the stack. A node that stands for a topic keeps its [`NodeId`] until the topic is
//! removed, so that a peer's topics can be remembered as a set of ids.
//!
//! `FanOut` keeps the peers of a topic in it, `SubSocket` the number of times that a topic was subscribed.

use smallvec::SmallVec;

/// The bytes between a node and its parent. Short ones lie in the node itself: a match reads one place in memory less
/// at each step, and among a million topics each such place is a wait for memory.
type Edge = SmallVec<[u8; 16]>;

/// Names a topic in the trie, from its insertion to its removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NodeId(u32);

const ROOT: u32 = 0;

/// Topics, each with a value.
#[derive(Debug)]
pub(crate) struct PrefixTrie<V> {
    nodes: Vec<Node<V>>,
    /// Nodes that are not in use.
    free: Vec<u32>,
    topics: usize,
}

#[derive(Debug)]
struct Node<V> {
    /// Only the root's is empty.
    edge: Edge,
    /// By the first byte of their edges, in order.
    children: Vec<(u8, u32)>,
    parent: u32,
    /// What the topic that ends here carries.
    value: Option<V>,
}

impl<V> Node<V> {
    fn new(edge: &[u8], parent: u32) -> Self {
        Node {
            edge: Edge::from_slice(edge),
            children: Vec::new(),
            parent,
            value: None,
        }
    }

    #[inline]
    fn child(&self, byte: u8) -> Result<u32, usize> {
        self.children
            .binary_search_by_key(&byte, |&(first, _)| first)
            .map(|at| self.children[at].1)
    }
}

impl<V> Default for PrefixTrie<V> {
    fn default() -> Self {
        PrefixTrie {
            nodes: vec![Node::new(&[], ROOT)],
            free: Vec::new(),
            topics: 0,
        }
    }
}

impl<V> PrefixTrie<V> {
    /// Number of topics.
    pub(crate) fn len(&self) -> usize {
        self.topics
    }

    /// Calls `each` with the value of every topic that is a prefix of `text`, the shortest first.
    #[inline]
    pub(crate) fn for_each_prefix(&self, text: &[u8], mut each: impl FnMut(&V)) {
        self.any_prefix(text, |value| {
            each(value);
            false
        });
    }

    /// Whether a topic is a prefix of `text`.
    #[inline]
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        self.any_prefix(text, |_| true)
    }

    /// Goes over the prefixes of `text` until `found` says so.
    #[inline]
    fn any_prefix(&self, text: &[u8], mut found: impl FnMut(&V) -> bool) -> bool {
        let mut node = &self.nodes[ROOT as usize];
        let mut rest = text;
        loop {
            if node.value.as_ref().is_some_and(&mut found) {
                return true;
            }
            let Some(first) = rest.first() else {
                return false;
            };
            let Ok(child) = node.child(*first) else {
                return false;
            };
            node = &self.nodes[child as usize];
            match rest.strip_prefix(&*node.edge) {
                Some(after) => rest = after,
                None => return false,
            }
        }
    }

    /// The topic's node, if the topic is there.
    pub(crate) fn find(&self, topic: &[u8]) -> Option<NodeId> {
        let mut at = ROOT;
        let mut rest = topic;
        while let Some(first) = rest.first() {
            at = self.nodes[at as usize].child(*first).ok()?;
            rest = rest.strip_prefix(&*self.nodes[at as usize].edge)?;
        }
        self.nodes[at as usize].value.as_ref().map(|_| NodeId(at))
    }

    /// The topic's text.
    pub(crate) fn topic(&self, id: NodeId) -> Vec<u8> {
        let mut edges = Vec::new();
        let NodeId(mut at) = id;
        while at != ROOT {
            let node = &self.nodes[at as usize];
            edges.push(&*node.edge);
            at = node.parent;
        }
        edges.reverse();
        edges.concat()
    }

    /// The topic's value.
    pub(crate) fn value_mut(&mut self, id: NodeId) -> &mut V {
        self.nodes[id.0 as usize]
            .value
            .as_mut()
            .expect("a NodeId is valid until its topic is removed")
    }

    /// Removes a topic.
    pub(crate) fn remove(&mut self, id: NodeId) {
        let NodeId(mut at) = id;
        if self.nodes[at as usize].value.take().is_some() {
            self.topics -= 1;
        }
        // A node that stands for no topic is there only to branch.
        while at != ROOT && self.nodes[at as usize].value.is_none() {
            let parent = self.nodes[at as usize].parent;
            match self.nodes[at as usize].children[..] {
                [] => {
                    let first = self.nodes[at as usize].edge[0];
                    let siblings = &mut self.nodes[parent as usize].children;
                    if let Ok(place) = siblings.binary_search_by_key(&first, |&(byte, _)| byte) {
                        siblings.remove(place);
                    }
                    self.release(at);
                    at = parent;
                }
                [(_, only)] => {
                    self.splice(at, only);
                    return;
                }
                _ => return,
            }
        }
    }

    /// Takes node `at` out from between its parent and its only child.
    fn splice(&mut self, at: u32, only: u32) {
        let parent = self.nodes[at as usize].parent;
        let mut edge = std::mem::take(&mut self.nodes[at as usize].edge);
        edge.extend_from_slice(&self.nodes[only as usize].edge);
        let first = edge[0];
        self.nodes[only as usize].edge = edge;
        self.nodes[only as usize].parent = parent;
        self.set_child(parent, first, only);
        self.release(at);
    }

    fn set_child(&mut self, parent: u32, first: u8, child: u32) {
        let children = &mut self.nodes[parent as usize].children;
        match children.binary_search_by_key(&first, |&(byte, _)| byte) {
            Ok(place) => children[place].1 = child,
            Err(place) => children.insert(place, (first, child)),
        }
    }

    fn release(&mut self, at: u32) {
        self.nodes[at as usize] = Node::new(&[], ROOT);
        self.free.push(at);
    }

    fn allocate(&mut self, node: Node<V>) -> u32 {
        match self.free.pop() {
            Some(at) => {
                self.nodes[at as usize] = node;
                at
            }
            None => {
                let at = u32::try_from(self.nodes.len())
                    .expect("2^32 nodes of a trie do not fit into memory");
                self.nodes.push(node);
                at
            }
        }
    }
}

impl<V: Default> PrefixTrie<V> {
    /// The topic's node, made if the topic is new.
    pub(crate) fn insert(&mut self, topic: &[u8]) -> NodeId {
        let mut at = ROOT;
        let mut rest = topic;
        while let Some(&first) = rest.first() {
            match self.nodes[at as usize].child(first) {
                Ok(child) => {
                    let edge = &self.nodes[child as usize].edge;
                    let shared = edge.iter().zip(rest).take_while(|(a, b)| a == b).count();
                    at = if shared == edge.len() {
                        child
                    } else {
                        self.split(child, shared)
                    };
                    rest = &rest[shared..];
                }
                Err(_) => {
                    let leaf = self.allocate(Node::new(rest, at));
                    self.set_child(at, first, leaf);
                    at = leaf;
                    rest = &[];
                }
            }
        }
        let value = &mut self.nodes[at as usize].value;
        if value.is_none() {
            *value = Some(V::default());
            self.topics += 1;
        }
        NodeId(at)
    }

    /// Puts a new node `shared` bytes down the edge to `child`.
    fn split(&mut self, child: u32, shared: usize) -> u32 {
        let parent = self.nodes[child as usize].parent;
        let edge = std::mem::take(&mut self.nodes[child as usize].edge);
        let (upper, lower) = edge.split_at(shared);
        let middle = self.allocate(Node::new(upper, parent));
        self.set_child(parent, upper[0], middle);
        self.set_child(middle, lower[0], child);
        let child = &mut self.nodes[child as usize];
        child.edge = Edge::from_slice(lower);
        child.parent = middle;
        middle
    }
}

#[cfg(test)]
mod tests {
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
        let topics = ["a", "abc", "abd", "abde", "b", ""];
        for topic in topics {
            trie.insert(topic.as_bytes());
        }
        for topic in topics {
            let id = trie.find(topic.as_bytes()).unwrap();
            trie.remove(id);
            assert!(trie.find(topic.as_bytes()).is_none());
        }
        assert_eq!(trie.len(), 0);
        assert_eq!(trie.nodes.len() - trie.free.len(), 1, "only the root stays");
        assert!(!trie.matches(b"abcde"));
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

    proptest! {
        #[test]
        fn behaves_like_a_list_of_topics(
            steps in proptest::collection::vec((any::<bool>(), proptest::collection::vec(0u8..3, 0..7)), 0..120),
            texts in proptest::collection::vec(proptest::collection::vec(0u8..3, 0..9), 0..20),
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
}
