//! [`Msg`]: what is in the 64 bytes of a `zmq_msg_t`.

mod blocks;
pub(crate) mod functions;
mod lent;
mod told;

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::NonNull;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use purezmq::{Frame, Message, Peer};

use self::blocks::unfilled;
use crate::errno::{EINVAL, Errno, Result, fail};

/// The bytes of a `zmq_msg_t`.
pub(crate) const SIZE: usize = 64;

/// The most bytes that are kept in the message itself where C makes it, as libzmq does.
const INLINE: usize = 33;

/// The most bytes that are kept there of what was received.
const ROOM: usize = 38;

/// What a message that is initialised bears.
const IS_MESSAGE: u16 = 0x5a4d;

const MORE: u8 = 1;
/// What it holds is shared with copies that C has made.
const COPIED: u8 = 2;
/// It has come, and nobody else was sent it.
const ALONE: u8 = 4;

/// A message, as C sees it: so many bytes, with the alignment of a pointer.
#[repr(C, align(8))]
#[allow(non_camel_case_types, reason = "it is C's name")]
pub struct zmq_msg_t([u8; SIZE]);

/// A free function of C's: called with the memory, and what C gave for it.
pub(crate) type Free = unsafe extern "C" fn(*mut c_void, *mut c_void);

/// What a message is. It refers to itself nowhere: C++ moves it byte by byte.
#[repr(C)]
pub(crate) struct Msg {
    content: Content,
    peer: Option<Arc<Peer>>,
    extra: Option<Box<Extra>>,
    routing_id: u32,
    flags: u8,
    is_message: u16,
}

const _: () = assert!(size_of::<Msg>() == SIZE && align_of::<Msg>() == align_of::<zmq_msg_t>());

/// Where the payload is.
enum Content {
    Inline(u8, [u8; ROOM]),
    /// Memory that C fills, as it came from the system, with room for as many bytes as C has asked for: none of Rust's
    /// until [`Msg::fill`].
    Fresh(Vec<u8>),
    /// Its own memory, which C may write to.
    Own(BytesMut),
    /// Memory that others may have as well.
    Shared(Bytes),
    /// Memory of C's, from `zmq_msg_init_data`: where it begins is what C is told, whoever else has it.
    Given(Bytes),
    /// Memory that stays as it is for ever.
    Constant(Bytes),
}

/// Makes of memory that C was to fill what it has filled it with.
#[inline]
fn filled(mut memory: Vec<u8>) -> Bytes {
    // SAFETY: so many bytes were allocated, and C has had their address since. They are what C has put there: nothing of
    // Rust's has looked at them before, and no compiler of Rust's can see which of them C has written. Those that it has not
    // have some value all the same, as they would for C, whose memory comes from the same allocator.
    unsafe { memory.set_len(memory.capacity()) };
    Bytes::from(memory)
}

/// What few messages have.
#[derive(Clone, Default)]
struct Extra {
    group: CString,
}

/// Memory that C has given away, to be freed by its own function.
struct Owner {
    data: NonNull<u8>,
    length: usize,
    free: Free,
    hint: *mut c_void,
}

// SAFETY: whoever gives memory away lets its free function be called on any thread; the contract of `zmq_msg_init_data`
// says so. Until then it is only read, or written by whoever holds the message.
unsafe impl Send for Owner {}
// SAFETY: as above.
unsafe impl Sync for Owner {}

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: C has given so many bytes away, which stay where they are until its function is called.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.length) }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // SAFETY: it is called once, for what it was given with.
        unsafe { (self.free)(self.data.as_ptr().cast(), self.hint) };
    }
}

impl Default for Msg {
    fn default() -> Self {
        Msg::of(Content::Inline(0, [0; ROOM]))
    }
}

impl Msg {
    fn of(content: Content) -> Self {
        Msg {
            content,
            peer: None,
            extra: None,
            routing_id: 0,
            flags: 0,
            is_message: IS_MESSAGE,
        }
    }

    /// Makes a message of so many bytes, which C fills.
    #[inline]
    pub(crate) fn sized(size: usize) -> Result<Self> {
        match size {
            0..=INLINE => Ok(Msg::small(size)),
            _ => Ok(Msg::fresh(unfilled(size)?)),
        }
    }

    /// Makes a message of so many bytes, of which there is room for in itself.
    #[inline(always)]
    fn small(size: usize) -> Self {
        Msg::of(Content::Inline(size as u8, [0; ROOM]))
    }

    /// Makes a message of memory that C is to fill. Put together where it goes: moved there, it would cost more than its
    /// memory does.
    #[inline(always)]
    fn fresh(memory: Vec<u8>) -> Self {
        Msg::of(Content::Fresh(memory))
    }

    /// Makes a message of a copy.
    pub(crate) fn copied(data: &[u8]) -> Result<Self> {
        let mut message = Msg::sized(data.len())?;
        match &mut message.content {
            Content::Inline(_, memory) => memory[..data.len()].copy_from_slice(data),
            Content::Fresh(memory) => memory.extend_from_slice(data),
            Content::Own(_) | Content::Shared(_) | Content::Given(_) | Content::Constant(_) => {}
        }
        Ok(message)
    }

    /// Makes a message of memory that is given away, or with no function is constant.
    ///
    /// # Safety
    ///
    /// So many bytes can be read at `data` until `free` is called, or for ever.
    pub(crate) unsafe fn given(
        data: *mut c_void,
        size: usize,
        free: Option<Free>,
        hint: *mut c_void,
    ) -> Result<Self> {
        let Some(data) = NonNull::new(data.cast::<u8>()) else {
            if size > 0 {
                return fail(EINVAL);
            }
            let Some(free) = free else {
                return Ok(Msg::default());
            };
            // Nothing, whose function is called all the same.
            let nothing = Owner {
                data: NonNull::dangling(),
                length: 0,
                free,
                hint,
            };
            return Ok(Msg::of(Content::Given(Bytes::from_owner(nothing))));
        };
        Ok(Msg::of(match free {
            Some(free) => Content::Given(Bytes::from_owner(Owner {
                data,
                length: size,
                free,
                hint,
            })),
            None => {
                // SAFETY: the caller says that it stays as it is for ever.
                let memory = unsafe { std::slice::from_raw_parts(data.as_ptr(), size) };
                Content::Constant(Bytes::from_static(memory))
            }
        }))
    }

    /// Becomes a frame that has come. It was empty.
    #[inline]
    pub(crate) fn receive(
        &mut self,
        frame: Frame,
        more: bool,
        is_alone: bool,
        peer: Option<Arc<Peer>>,
    ) {
        match frame.len() {
            0..=ROOM => self.keep(&frame),
            _ => self.content = Content::Shared(frame.into_bytes()),
        }
        self.peer = peer;
        self.flags = if more { MORE } else { 0 } | if is_alone { ALONE } else { 0 };
    }

    /// Becomes the only frame of a message that has come, as it becomes a frame. What is small is copied from where it is:
    /// taken out first, it would be moved twice more.
    #[inline]
    pub(crate) fn receive_only(
        &mut self,
        message: Message,
        is_alone: bool,
        peer: Option<Arc<Peer>>,
    ) {
        match message.payload() {
            payload if payload.len() <= ROOM => {
                self.keep(payload);
                self.peer = peer;
                self.flags = 0;
            }
            _ => {
                debug_assert!(matches!(self.content, Content::Inline(..)));
                // Where something is dropped first, this would be moved there.
                // SAFETY: the place is ours. What was in it is not dropped, and is bytes alone, as the message was empty.
                unsafe {
                    (&raw mut self.content)
                        .write(Content::Shared(message.settled().into_payload()));
                }
                self.peer = peer;
                self.flags = if is_alone { ALONE } else { 0 };
            }
        }
    }

    /// Keeps a copy of what it has room for, put together where it stays.
    #[inline(always)]
    fn keep(&mut self, payload: &[u8]) {
        if !matches!(self.content, Content::Inline(..)) {
            self.content = Content::Inline(0, [0; ROOM]);
        }
        if let Content::Inline(length, memory) = &mut self.content {
            *length = payload.len() as u8;
            memory[..payload.len()].copy_from_slice(payload);
        }
    }

    /// Drops what is in it.
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        match &mut self.content {
            Content::Inline(length, _) => *length = 0,
            _ => self.let_go(),
        }
        self.peer = None;
        self.extra = None;
        self.routing_id = 0;
        self.flags = 0;
    }

    /// Takes for granted that C has filled what it has asked for, since it now does something with it.
    #[inline]
    fn fill(&mut self) {
        if let Content::Fresh(memory) = &mut self.content {
            let memory = filled(std::mem::take(memory));
            self.content = Content::Shared(memory);
        }
    }

    /// Returns how long the payload is.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        match &self.content {
            Content::Inline(length, _) => usize::from(*length),
            Content::Fresh(memory) => memory.capacity(),
            Content::Own(memory) => memory.len(),
            Content::Shared(memory) | Content::Given(memory) | Content::Constant(memory) => {
                memory.len()
            }
        }
    }

    /// Returns the payload of a message that has come.
    pub(crate) fn as_slice(&self) -> &[u8] {
        match &self.content {
            Content::Inline(length, memory) => &memory[..usize::from(*length)],
            // What C has put there is not known to be there.
            Content::Fresh(memory) => memory,
            Content::Own(memory) => memory,
            Content::Shared(memory) | Content::Given(memory) | Content::Constant(memory) => memory,
        }
    }

    /// Returns where the payload is. C may write there, unless it is constant or C has copied the message.
    fn data(&mut self) -> *mut u8 {
        if let Content::Shared(memory) = &mut self.content
            && self.flags & COPIED == 0
        {
            self.content = match std::mem::take(memory).try_into_mut() {
                Ok(own) => Content::Own(own),
                // C's own memory, which a neighbour has sent: as with libzmq, it is here what it was there.
                Err(given) if self.flags & ALONE != 0 => Content::Given(given),
                // Several sockets of this process may have received it.
                Err(shared) => Content::Own(BytesMut::from(&shared[..])),
            };
        }
        match &mut self.content {
            Content::Inline(_, memory) => memory.as_mut_ptr(),
            Content::Fresh(memory) => memory.as_mut_ptr(),
            Content::Own(memory) => memory.as_mut_ptr(),
            // What C does there is C's own: it has been told that it may not.
            Content::Shared(memory) | Content::Given(memory) | Content::Constant(memory) => {
                memory.as_ptr().cast_mut()
            }
        }
    }

    /// Returns the payload as a frame to be sent. The message keeps it, until it was sent.
    pub(crate) fn frame(&mut self) -> Frame {
        self.fill();
        if let Content::Own(memory) = &mut self.content {
            self.content = Content::Shared(std::mem::take(memory).freeze());
        }
        match &self.content {
            Content::Shared(memory) | Content::Given(memory) | Content::Constant(memory) => {
                Frame::from(memory.clone())
            }
            Content::Inline(..) | Content::Fresh(..) | Content::Own(_) => {
                Frame::copy_from_slice(self.as_slice())
            }
        }
    }

    /// Takes the payload out as a message to be sent. Each kind is made where it is returned, since moves cost more than the
    /// rest.
    #[inline(always)]
    pub(crate) fn lend(&mut self) -> Message {
        match &mut self.content {
            Content::Fresh(memory) if memory.capacity() > Frame::INLINE => {
                let memory = filled(std::mem::take(memory));
                self.content = Content::Shared(Bytes::new());
                Message::shared(memory).settled()
            }
            Content::Own(memory) if memory.len() > Frame::INLINE => {
                let memory = std::mem::take(memory).freeze();
                self.content = Content::Shared(Bytes::new());
                Message::shared(memory)
            }
            Content::Shared(memory) | Content::Given(memory) | Content::Constant(memory)
                if memory.len() > Frame::INLINE =>
            {
                Message::shared(std::mem::take(memory))
            }
            _ => {
                self.fill();
                Message::from(Frame::copy_from_slice(self.as_slice()))
            }
        }
    }

    /// Puts back what was taken out, and was not sent.
    #[cold]
    pub(crate) fn give_back(&mut self, frame: Frame) {
        if frame.len() <= Frame::INLINE {
            return;
        }
        match &mut self.content {
            Content::Shared(memory) | Content::Given(memory) | Content::Constant(memory) => {
                *memory = frame.into_bytes();
            }
            Content::Inline(..) | Content::Fresh(..) | Content::Own(_) => {}
        }
    }

    /// Makes another one with the same payload.
    fn copy(&mut self) -> Msg {
        self.fill();
        let content = match &mut self.content {
            Content::Inline(length, memory) if usize::from(*length) <= INLINE => {
                Content::Inline(*length, *memory)
            }
            Content::Inline(..) | Content::Fresh(..) => {
                let shared = Bytes::copy_from_slice(self.as_slice());
                self.share(shared)
            }
            Content::Own(memory) => {
                let shared = std::mem::take(memory).freeze();
                self.share(shared)
            }
            Content::Shared(memory) => {
                self.flags |= COPIED;
                Content::Shared(memory.clone())
            }
            Content::Given(memory) => {
                self.flags |= COPIED;
                Content::Given(memory.clone())
            }
            Content::Constant(memory) => Content::Constant(memory.clone()),
        };
        Msg {
            content,
            peer: self.peer.clone(),
            extra: self.extra.clone(),
            routing_id: self.routing_id,
            flags: self.flags,
            is_message: IS_MESSAGE,
        }
    }

    fn share(&mut self, memory: Bytes) -> Content {
        self.content = Content::Shared(memory.clone());
        self.flags |= COPIED;
        Content::Shared(memory)
    }

    pub(crate) fn has_more(&self) -> bool {
        self.flags & MORE != 0
    }

    fn is_shared(&self) -> bool {
        self.flags & COPIED != 0 || matches!(self.content, Content::Constant(_))
    }

    pub(crate) fn routing_id(&self) -> u32 {
        self.routing_id
    }

    pub(crate) fn set_routing_id(&mut self, id: u32) {
        self.routing_id = id;
    }

    pub(crate) fn group(&self) -> &CStr {
        self.extra.as_deref().map_or(c"", |extra| &extra.group)
    }

    pub(crate) fn set_group(&mut self, group: &[u8]) {
        let end = group.iter().position(|byte| *byte == 0);
        let group = &group[..end.unwrap_or(group.len())];
        self.extra.get_or_insert_default().group = CString::new(group).unwrap_or_default();
    }

    /// Returns a property of who has sent it. What is told lives as long as the connection, and this message.
    fn property(&self, name: &CStr) -> Result<*const c_char> {
        let peer = self.peer.as_ref().ok_or(Errno(EINVAL))?;
        told::property(peer, name)
    }

    /// Returns the descriptor of the connection that it has come by.
    fn source(&self) -> Option<i32> {
        self.peer.as_deref().and_then(|peer| peer.fd)
    }
}
