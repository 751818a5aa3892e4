// SPDX-License-Identifier: GPL-2.0-only

//! Many datagrams in one system call, which `std` has no call for.

#![expect(unsafe_code)]

use std::ffi::c_uint;
use std::io;
use std::mem;
use std::os::fd::AsRawFd;
use std::ptr;

use nix::errno::Errno;

/// Room for so many packets, all of the same size.
///
/// # Invariants
///
/// Each header points to its piece, and each piece to memory of its own in the buffer. None
/// of the three grows.
pub struct Messages {
    _buffer: Vec<u8>,
    _pieces: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

impl Messages {
    /// `count` times `packet`.
    pub fn of(packet: &[u8], count: usize) -> Self {
        let mut buffer = packet.repeat(count);
        let mut pieces: Vec<_> = buffer
            .chunks_exact_mut(packet.len())
            .map(|chunk| libc::iovec {
                iov_base: chunk.as_mut_ptr().cast(),
                iov_len: chunk.len(),
            })
            .collect();
        let headers = pieces.iter_mut().map(header).collect();

        // INVARIANT: The memory of a vector stays where it is when the vector is moved.
        Self {
            _buffer: buffer,
            _pieces: pieces,
            headers,
        }
    }

    /// Receives as many as there are and as there is room for.
    ///
    /// # Errors
    ///
    /// Those of `recvmmsg(2)`.
    pub fn receive(&mut self, socket: &impl AsRawFd) -> io::Result<usize> {
        let (fd, count) = (socket.as_raw_fd(), self.headers.len() as c_uint);
        let (headers, flags) = (self.headers.as_mut_ptr(), libc::MSG_DONTWAIT);

        // SAFETY: By the invariant, all that the call writes to is this object's.
        let got = unsafe { libc::recvmmsg(fd, headers, count, flags, ptr::null_mut()) };
        Ok(Errno::result(got)? as usize)
    }

    /// Sends them.
    ///
    /// # Errors
    ///
    /// Those of `sendmmsg(2)`.
    pub fn send(&mut self, socket: &impl AsRawFd) -> io::Result<usize> {
        let (fd, count) = (socket.as_raw_fd(), self.headers.len() as c_uint);

        // SAFETY: By the invariant, all that the call reads and writes is this object's.
        let sent = unsafe { libc::sendmmsg(fd, self.headers.as_mut_ptr(), count, 0) };
        Ok(Errno::result(sent)? as usize)
    }

    /// The bytes of the packet that was received as the `n`th.
    pub fn len_of(&self, n: usize) -> usize {
        self.headers[n].msg_len as usize
    }
}

fn header(piece: &mut libc::iovec) -> libc::mmsghdr {
    // SAFETY: It is made of integers and pointers, for which zero is a value.
    let mut header: libc::mmsghdr = unsafe { mem::zeroed() };

    header.msg_hdr.msg_iov = ptr::from_mut(piece);
    header.msg_hdr.msg_iovlen = 1;
    header
}
