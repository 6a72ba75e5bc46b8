//! The prefix trie of subscriptions: which topics are a prefix of this message?
//!
//! A radix tree in one vector: an edge carries as many bytes as all topics below it share, so that a match
//! costs O(length of the topic), whatever the number of subscriptions, and nothing is recursive: a long
//! topic cannot overflow the stack. A node that stands for a topic keeps its [`NodeId`] until the topic is
//! removed, so that a peer's topics can be remembered as a set of ids.
//!
//! Among a million topics each place in memory that a match looks at is a wait. So a node is two lines of cache side
//! by side, with all in it that a match wants to know: of a leaf it reads the first line. What is long or wide, which
//! few are, lies elsewhere, as do the values.
//!
//! `FanOut` keeps the peers of a topic in it, `SubSocket` the number of times that a topic was subscribed.

use slab::Slab;

/// Names a topic in the trie, from its insertion to its removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NodeId(u32);

/// Nobody's child, so that 0 stands for no child as well.
const ROOT: u32 = 0;

/// Octets of an edge that lie in the node.
const SHORT: usize = 41;
/// Children that lie in the node.
const FEW: usize = 16;
/// Nodes for which there may be room that is not in use: half a megabyte.
const SPARE: usize = 4096;
/// In place of a length, or of a number of children: they lie elsewhere.
const ELSEWHERE: u8 = u8::MAX;

/// Topics, each with a value.
#[derive(Debug)]
pub struct PrefixTrie<V> {
    nodes: Vec<Node>,
    /// What the topics that end at the nodes carry.
    values: Vec<Option<V>>,
    /// Nodes that are not in use.
    free: Vec<u32>,
    /// Edges longer than `SHORT`.
    long: Slab<Box<[u8]>>,
    /// The children of nodes with more than `FEW`, by the first byte of their edges.
    wide: Slab<Box<[u32; 256]>>,
    topics: usize,
}

#[derive(Clone, Debug)]
#[repr(C, align(128))]
struct Node {
    /// How many of `edge` are in use; or `ELSEWHERE`, and the first four are the place in `long`.
    edge_len: u8,
    /// How many of `firsts` and `ids` are in use; or `ELSEWHERE`, and the first id is the place in `wide`.
    children: u8,
    /// A topic ends here.
    is_topic: bool,
    /// The bytes between the node and its parent. Only the root's are none.
    edge: [u8; SHORT],
    parent: u32,
    /// The first bytes of the children's edges, in no order.
    firsts: [u8; FEW],
    ids: [u32; FEW],
}

impl Node {
    fn new(parent: u32) -> Self {
        Node {
            edge_len: 0,
            children: 0,
            is_topic: false,
            edge: [0; SHORT],
            parent,
            firsts: [0; FEW],
            ids: [0; FEW],
        }
    }

    /// The place in `long`.
    fn long(&self) -> usize {
        let [a, b, c, d, ..] = self.edge;
        u32::from_ne_bytes([a, b, c, d]) as usize
    }

    /// The place in `wide`.
    fn wide(&self) -> usize {
        self.ids[0] as usize
    }

    /// Where the child is among the few.
    #[inline]
    fn place(&self, first: u8) -> Option<usize> {
        let firsts = &self.firsts[..usize::from(self.children)];
        firsts.iter().position(|&other| other == first)
    }
}

impl<V> Default for PrefixTrie<V> {
    fn default() -> Self {
        PrefixTrie {
            nodes: vec![Node::new(ROOT)],
            values: vec![None],
            free: Vec::new(),
            long: Slab::new(),
            wide: Slab::new(),
            topics: 0,
        }
    }
}

impl<V> PrefixTrie<V> {
    /// Number of topics.
    pub(crate) fn len(&self) -> usize {
        self.topics
    }

    /// Returns whether most of its memory is in no use, and cannot be given back, since something lies behind it.
    #[inline]
    pub(crate) fn is_sparse(&self) -> bool {
        let len = self.nodes.len();
        len > SPARE && self.free.len() > len - len / 4
    }

    /// Counts the nodes that there is memory for.
    #[cfg(all(test, not(purezmq_loom)))]
    pub(crate) fn places(&self) -> usize {
        self.nodes.capacity()
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
        let mut at = ROOT;
        let mut rest = text;
        loop {
            let node = &self.nodes[at as usize];
            if node.is_topic && self.values[at as usize].as_ref().is_some_and(&mut found) {
                return true;
            }
            let Some(&first) = rest.first() else {
                return false;
            };
            let Some(child) = self.child(node, first) else {
                return false;
            };
            at = child;
            match rest.strip_prefix(self.edge(&self.nodes[child as usize])) {
                Some(after) => rest = after,
                None => return false,
            }
        }
    }

    /// The bytes between a node and its parent.
    #[inline]
    fn edge<'a>(&'a self, node: &'a Node) -> &'a [u8] {
        match node.edge_len {
            ELSEWHERE => &self.long[node.long()],
            len => &node.edge[..usize::from(len)],
        }
    }

    #[inline]
    fn child(&self, node: &Node, first: u8) -> Option<u32> {
        if node.children != ELSEWHERE {
            return node.place(first).map(|place| node.ids[place]);
        }
        let child = self.wide[node.wide()][usize::from(first)];
        (child != ROOT).then_some(child)
    }

    /// The topic's node, if the topic is there.
    pub(crate) fn find(&self, topic: &[u8]) -> Option<NodeId> {
        let mut at = ROOT;
        let mut rest = topic;
        while let Some(first) = rest.first() {
            at = self.child(&self.nodes[at as usize], *first)?;
            rest = rest.strip_prefix(self.edge(&self.nodes[at as usize]))?;
        }
        self.nodes[at as usize].is_topic.then_some(NodeId(at))
    }

    /// The topic's text.
    pub(crate) fn topic(&self, id: NodeId) -> Vec<u8> {
        let mut edges = Vec::new();
        let NodeId(mut at) = id;
        while at != ROOT {
            let node = &self.nodes[at as usize];
            edges.push(self.edge(node));
            at = node.parent;
        }
        edges.reverse();
        edges.concat()
    }

    /// The topic's value.
    pub(crate) fn value_mut(&mut self, id: NodeId) -> &mut V {
        self.values[id.0 as usize]
            .as_mut()
            .expect("a NodeId is valid until its topic is removed")
    }

    /// Removes a topic.
    pub(crate) fn remove(&mut self, id: NodeId) {
        let NodeId(mut at) = id;
        if self.values[at as usize].take().is_some() {
            self.nodes[at as usize].is_topic = false;
            self.topics -= 1;
        }
        // A node that stands for no topic is there only to branch.
        while at != ROOT && !self.nodes[at as usize].is_topic {
            let node = &self.nodes[at as usize];
            match (node.children, node.ids[0]) {
                (0, _) => {
                    let parent = node.parent;
                    let first = self.edge(node)[0];
                    self.remove_child(parent, first);
                    self.release(at);
                    at = parent;
                }
                (1, only) => return self.splice(at, only),
                _ => return,
            }
        }
    }

    /// Takes node `at` out from between its parent and its only child.
    fn splice(&mut self, at: u32, only: u32) {
        let upper = &self.nodes[at as usize];
        let parent = upper.parent;
        let edge = [self.edge(upper), self.edge(&self.nodes[only as usize])].concat();
        self.set_edge(only, &edge);
        self.nodes[only as usize].parent = parent;
        self.set_child(parent, edge[0], only);
        self.release(at);
    }

    fn set_edge(&mut self, at: u32, edge: &[u8]) {
        let node = &mut self.nodes[at as usize];
        if node.edge_len == ELSEWHERE {
            self.long.remove(node.long());
        }
        if let Some(place) = node.edge.get_mut(..edge.len()) {
            place.copy_from_slice(edge);
            node.edge_len = edge.len() as u8; // It is at most SHORT.
        } else {
            let place = number(self.long.insert(edge.into()));
            node.edge[..4].copy_from_slice(&place.to_ne_bytes());
            node.edge_len = ELSEWHERE;
        }
    }

    /// Puts a child in, or another one in its place.
    fn set_child(&mut self, parent: u32, first: u8, child: u32) {
        let node = &mut self.nodes[parent as usize];
        if node.children == ELSEWHERE {
            self.wide[node.wide()][usize::from(first)] = child;
            return;
        }
        if let Some(place) = node.place(first) {
            node.ids[place] = child;
            return;
        }
        let next = usize::from(node.children);
        if next < FEW {
            node.firsts[next] = first;
            node.ids[next] = child;
            node.children += 1;
            return;
        }
        let mut all = Box::new([ROOT; 256]);
        for (&first, &id) in node.firsts.iter().zip(&node.ids) {
            all[usize::from(first)] = id;
        }
        all[usize::from(first)] = child;
        node.ids[0] = number(self.wide.insert(all));
        node.children = ELSEWHERE;
    }

    fn remove_child(&mut self, parent: u32, first: u8) {
        let node = &mut self.nodes[parent as usize];
        if node.children != ELSEWHERE {
            if let Some(place) = node.place(first) {
                let last = usize::from(node.children) - 1;
                node.firsts[place] = node.firsts[last];
                node.ids[place] = node.ids[last];
                node.children -= 1;
            }
            return;
        }
        let all = &mut self.wide[node.wide()];
        all[usize::from(first)] = ROOT;
        // At half of what a node has place for, so that one child that comes and goes moves nothing.
        if all.iter().filter(|&&id| id != ROOT).count() > FEW / 2 {
            return;
        }
        let all = self.wide.remove(node.wide());
        node.children = 0;
        for (first, id) in (0..=u8::MAX).zip(*all) {
            if id != ROOT {
                self.set_child(parent, first, id);
            }
        }
    }

    fn release(&mut self, at: u32) {
        self.set_edge(at, &[]);
        self.free.push(at);
        if at as usize + 1 == self.nodes.len() {
            self.shorten();
        }
    }

    /// Gives the memory back that is not in use and lies at the end.
    #[cold]
    fn shorten(&mut self) {
        // Only the root, which stays, and what is not in use has no edge.
        while let [_, .., last] = &self.nodes[..]
            && last.edge_len == 0
        {
            self.nodes.pop();
            self.values.pop();
        }
        let len = self.nodes.len();
        if self.nodes.capacity() <= SPARE.max(4 * len) {
            return;
        }
        self.nodes.shrink_to(2 * len);
        self.values.shrink_to(2 * len);
        self.free.retain(|&at| (at as usize) < len);
        self.free.shrink_to_fit();
        self.long.shrink_to_fit();
        self.wide.shrink_to_fit();
    }

    fn allocate(&mut self, edge: &[u8], parent: u32) -> u32 {
        let node = Node::new(parent);
        // Those behind the end are not there any more.
        let mut free = std::iter::from_fn(|| self.free.pop());
        let at = match free.find(|&at| (at as usize) < self.nodes.len()) {
            Some(at) => {
                self.nodes[at as usize] = node;
                at
            }
            None => {
                let at = self.nodes.len();
                if at == self.nodes.capacity() {
                    // Doubling would leave up to half of a hundred megabytes empty.
                    self.nodes.reserve_exact(at / 4 + 1);
                    self.values.reserve_exact(at / 4 + 1);
                }
                self.nodes.push(node);
                self.values.push(None);
                number(at)
            }
        };
        self.set_edge(at, edge);
        at
    }
}

/// A place in one of the trie's vectors.
fn number(place: usize) -> u32 {
    u32::try_from(place).expect("2^32 nodes of a trie do not fit into memory")
}

impl<V: Default> PrefixTrie<V> {
    /// The topic's node, made if the topic is new.
    pub(crate) fn insert(&mut self, topic: &[u8]) -> NodeId {
        let mut at = ROOT;
        let mut rest = topic;
        while let Some(&first) = rest.first() {
            match self.child(&self.nodes[at as usize], first) {
                Some(child) => {
                    let edge = self.edge(&self.nodes[child as usize]);
                    let shared = edge.iter().zip(rest).take_while(|(a, b)| a == b).count();
                    at = if shared == edge.len() {
                        child
                    } else {
                        self.split(child, shared)
                    };
                    rest = &rest[shared..];
                }
                None => {
                    let leaf = self.allocate(rest, at);
                    self.set_child(at, first, leaf);
                    at = leaf;
                    rest = &[];
                }
            }
        }
        let value = &mut self.values[at as usize];
        if value.is_none() {
            *value = Some(V::default());
            self.nodes[at as usize].is_topic = true;
            self.topics += 1;
        }
        NodeId(at)
    }

    /// Puts a new node `shared` bytes down the edge to `child`.
    fn split(&mut self, child: u32, shared: usize) -> u32 {
        let node = &self.nodes[child as usize];
        let parent = node.parent;
        let edge = self.edge(node).to_vec();
        let (upper, lower) = edge.split_at(shared);
        let middle = self.allocate(upper, parent);
        self.set_child(parent, upper[0], middle);
        self.set_child(middle, lower[0], child);
        self.set_edge(child, lower);
        self.nodes[child as usize].parent = middle;
        middle
    }
}

#[cfg(test)]
mod tests;
