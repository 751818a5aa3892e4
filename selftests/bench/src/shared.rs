// SPDX-License-Identifier: GPL-2.0-only

//! Memory that is shared with the kernel.

#![expect(unsafe_code)]

use std::ffi::c_void;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Acquire;
use std::sync::atomic::Ordering::Release;

/// A mapping, unmapped when it is dropped. Every access is checked against its bounds.
///
/// # Invariants
///
/// `start` is that of a readable and writable mapping of `size` bytes.
pub struct Shared {
    start: NonNull<c_void>,
    size: usize,
}

impl Shared {
    /// Maps a part of what a descriptor stands for.
    ///
    /// # Errors
    ///
    /// Those of `mmap(2)`.
    pub fn of(fd: &impl AsRawFd, size: usize, offset: i64) -> io::Result<Self> {
        Self::map(fd.as_raw_fd(), size, offset, libc::MAP_SHARED)
    }

    /// Maps memory of the process's own.
    ///
    /// # Errors
    ///
    /// Those of `mmap(2)`.
    pub fn anonymous(size: usize) -> io::Result<Self> {
        Self::map(-1, size, 0, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS)
    }

    fn map(fd: i32, size: usize, offset: i64, flags: i32) -> io::Result<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = flags | libc::MAP_POPULATE;

        // SAFETY: A mapping at an address of the kernel's choice replaces no other.
        let start = unsafe { libc::mmap(ptr::null_mut(), size, access, flags, fd, offset) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start).ok_or(io::ErrorKind::AddrNotAvailable)?;
        // INVARIANT: The kernel has just mapped it.
        Ok(Self { start, size })
    }

    /// Where the mapping begins.
    pub fn address(&self) -> u64 {
        self.start.as_ptr().addr() as u64
    }

    /// Reads a word that the kernel writes: what it wrote before is there, too.
    ///
    /// # Panics
    ///
    /// If the word is not within the mapping or not aligned.
    pub fn load(&self, at: usize) -> u32 {
        self.word(at).load(Acquire)
    }

    /// Writes a word that the kernel reads: it sees what was written before, too.
    ///
    /// # Panics
    ///
    /// If the word is not within the mapping or not aligned.
    pub fn store(&self, at: usize, value: u32) {
        self.word(at).store(value, Release);
    }

    /// Writes bytes which the kernel was not told of yet.
    ///
    /// # Panics
    ///
    /// If they are not within the mapping.
    pub fn write(&mut self, at: usize, data: &[u8]) {
        let to = self.at(at, data.len());

        // SAFETY: The bytes are within the mapping, as was checked, and no reference to
        // them exists: `self` gives out none but to atomic words.
        unsafe { ptr::copy_nonoverlapping(data.as_ptr(), to, data.len()) };
    }

    /// Reads bytes that the kernel no longer writes.
    ///
    /// # Panics
    ///
    /// If they are not within the mapping.
    pub fn read(&self, at: usize, data: &mut [u8]) {
        let from = self.at(at, data.len());

        // SAFETY: As in `write()`; `data` is memory of the caller's alone.
        unsafe { ptr::copy_nonoverlapping(from, data.as_mut_ptr(), data.len()) };
    }

    fn at(&self, at: usize, size: usize) -> *mut u8 {
        let end = at.checked_add(size);

        assert!(end.is_some_and(|end| end <= self.size), "out of bounds");
        // SAFETY: The offset is within the mapping.
        unsafe { self.start.as_ptr().cast::<u8>().add(at) }
    }

    fn word(&self, at: usize) -> &AtomicU32 {
        let word = self.at(at, size_of::<u32>()).cast::<u32>();

        assert!(word.is_aligned(), "not aligned");
        // SAFETY: The word is aligned and within the mapping, which lives as long as
        // `self`, and is only accessed as an atomic by those who share it.
        unsafe { AtomicU32::from_ptr(word) }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: By the invariant; references into the mapping borrow `self`.
        unsafe { libc::munmap(self.start.as_ptr(), self.size) };
    }
}
